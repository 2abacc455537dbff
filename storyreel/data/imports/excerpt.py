"""What a video shows from one second to another, at a wished rate and size, without decoding the rest.

Frames are chosen by time, not by number: the annotations of public datasets speak of seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from storyreel.clip import Clip
from storyreel.video_io import MAX_FRAMES, MAX_PIXELS, _frames, _pixels, _video_stream, check_size, sniff


def read_span(
    path: str | Path,
    start: float = 0.0,
    end: float | None = None,
    *,
    fps: Fraction | None = None,
    size: int | None = None,
    max_frames: int = MAX_FRAMES,
) -> Clip:
    """What a video shows from `start` to `end` (seconds), without decoding all of it or holding whole frames.

    end: None for its end. fps: frames a second, each the one on the screen in the middle of its time; None for the
    video's own rate. size: the middle square, resized; None leaves frames as they are.
    ValueError: an animation or a picture, corrupt, or nothing shown in that span. OSError: not there, not readable.
    """
    path = Path(path)
    kind = sniff.kind(path)
    if kind == "json" or kind in sniff.PICTURES:
        raise ValueError(f"{path}: wanted a video to cut from, got a picture or an animation")
    try:
        with av.open(str(path), format=kind) as container:
            stream = _video_stream(container, path)
            check_size(path, stream.codec_context.height, stream.codec_context.width, 1, MAX_PIXELS)
            own = Fraction(stream.average_rate or stream.guessed_rate or 25)
            frames: list[np.ndarray] = []
            for picture in _shown(container, stream, (start, end), fps or own, path):
                check_size(path, picture.shape[0], picture.shape[1], 1, MAX_PIXELS)
                frames.append(made := _middle(picture, size))
                check_size(path, made.shape[0], made.shape[1], len(frames), MAX_PIXELS, max_frames)
    except FFmpegError as error:
        raise ValueError(f"{path}: is corrupt or truncated: {error.strerror}") from error
    if not frames or len({frame.shape for frame in frames}) != 1:
        until = "its end" if end is None else f"{end:g} s"
        raise ValueError(f"{path}: {'changes its size' if frames else 'shows nothing'} from {start:g} s to {until}")
    return Clip(np.stack(frames), fps or own)


def _shown(
    container: Any, stream: Any, span: tuple[float, float | None], fps: Fraction, path: Path
) -> Iterator[np.ndarray]:
    """For each moment of the span (the middle of each frame's time at `fps`), what is on the screen."""
    start = Fraction(span[0]).limit_denominator(1_000_000)
    end = None if span[1] is None else Fraction(span[1]).limit_denominator(1_000_000)
    base, first = stream.time_base, stream.start_time or 0
    if start > 0:
        container.seek(first + int(start / base), stream=stream)  # to the key frame before
    convert = VideoReformatter()
    before: Any = None
    moment = start + 1 / (2 * fps)
    at = Fraction(0)
    for frame in _frames(container, stream):
        at = at if frame.pts is None else (frame.pts - first) * base
        if frame.is_corrupt and at >= start:
            raise ValueError(f"{path}: is corrupt: the frame at {float(at):.2f} s is damaged")
        picture = None
        while moment < at and (end is None or moment < end):
            picture = _pixels(before or frame, convert) if picture is None else picture
            yield picture
            moment += 1 / fps
        before = frame
        if end is not None and moment >= end:
            return
    if before is None:
        return
    at += max(1 / Fraction(stream.average_rate or fps), 1 / (2 * fps))  # the last frame stays for as long as others do
    picture = _pixels(before, convert)
    while moment < at and (end is None or moment < end):
        yield picture
        moment += 1 / fps


def _middle(picture: np.ndarray, size: int | None) -> np.ndarray:
    """The middle square of a picture at `size`; the picture as it is for None."""
    if size is None:
        return picture
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return Clip(picture[None, top : top + side, left : left + side]).resize(size, size).frames[0]
