"""Read and write clips. The suffix names the format; this is the only file that imports PyAV.

.mkv is FFV1, lossless and never enlarged (the dataset format); .mp4 is H.264 that plays everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from storyreel import stamp
from storyreel.clip import Clip
from storyreel.files import replacing

MAX_PIXELS = 40_000_000  # a frame
MAX_FRAMES = 10_000
MAX_TOTAL = 1 << 30  # pixels of all frames together: 3 GiB of RGB
GREY = (128, 128, 128)


def scale_for(height: int, width: int) -> int:
    """The whole factor of `scale="auto"`: a longer side below 256 grows to at most 512, to even sizes if it can."""
    longer = max(height, width)
    if longer >= 256:
        return 1
    factor = 512 // longer
    odd = (height * factor) % 2 or (width * factor) % 2
    return factor - 1 if odd and (factor - 1) * longer >= 256 else factor


def write(clip: Clip, path: str | Path, *, scale: int | str | None = "auto", background: Any = GREY) -> Path:
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".mkv", ".mp4"):
        raise ValueError(f"{path}: no such format {suffix!r}")
    factor = scale_for(*clip.size) if scale == "auto" else int(scale or 1)
    if suffix == ".mkv":
        factor = 1
    else:
        clip = clip.over(background)
    comment = stamp.dump(stamp.document(clip, factor))
    frames = (f.repeat(factor, axis=0).repeat(factor, axis=1) for f in clip.frames)
    with replacing(path) as (made,):
        _encode(made, frames, clip, comment, suffix)
    return path


def _encode(path: Path, frames: Iterator[np.ndarray], clip: Clip, comment: str, suffix: str) -> None:
    source = "rgba" if clip.has_alpha else "rgb24"
    options = {"movflags": "+faststart"} if suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        container.metadata["comment"] = comment
        stream: Any = container.add_stream("ffv1" if suffix == ".mkv" else "libx264", rate=clip.fps)
        for index, frame in enumerate(frames):
            if suffix == ".mp4":
                frame = np.pad(frame, ((0, frame.shape[0] % 2), (0, frame.shape[1] % 2), (0, 0)), mode="edge")
            if index == 0:
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt = {".mkv": "bgra" if clip.has_alpha else "bgr0", ".mp4": "yuv420p"}[suffix]
                if suffix == ".mkv":
                    stream.codec_context.thread_count = 1
                    stream.options = {"level": "3", "g": "1", "slicecrc": "0"}
                else:
                    stream.options = {"crf": "18"}
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=source)
            picture.pts, picture.time_base = index, 1 / clip.fps
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def read(path: str | Path, *, max_pixels: int = MAX_PIXELS, max_frames: int = MAX_FRAMES) -> Clip:
    with av.open(str(path)) as container:
        doc = stamp.parse(_comment(container))
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        frames = [_pixels(frame) for frame in container.decode(stream)]
        rate = stream.average_rate or Fraction(25)
    facts = stamp.file_facts(doc)
    return Clip(np.stack(frames), facts.get("fps", Fraction(rate)), **stamp.clip_fields(doc))


def read_meta(path: str | Path) -> dict[str, Any] | None:
    with av.open(str(path)) as container:
        return stamp.parse(_comment(container))


def _comment(container: Any) -> str | None:
    tags = {key.lower(): value for key, value in container.metadata.items()}
    return tags.get("comment")


def _pixels(frame: av.VideoFrame) -> np.ndarray:
    """One frame as uint8 (h, w, 3 or 4). FFV1's packed forms are taken as they lie: no swscale set-up a frame."""
    name = frame.format.name
    if name in ("bgr0", "bgra"):
        plane: Any = frame.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width * 4]
        return rows.reshape(frame.height, frame.width, 4)[..., [2, 1, 0, 3][: 4 if name == "bgra" else 3]]
    return frame.to_ndarray(format="rgba" if name.startswith("yuva") else "rgb24")
