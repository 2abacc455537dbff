"""Write pictures as H.264 as they come: a film need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from storyreel.storage import replacing
from storyreel.video_io import X264_OPTIONS


def write_pictures(path: str | Path, pictures: Iterable[np.ndarray], fps: Fraction, *, crf: int = 20) -> Path:
    """Write uint8 (h, w, 3) pictures, one after the other, to an .mp4 file of even sides. crf: 0 (best) to 51."""
    path = Path(path)
    with replacing(path) as (made,), av.open(str(made), "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=fps)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast", **X264_OPTIONS}
        stream.codec_context.thread_count = 1
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = index, 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
