"""What a video shows from one second to another, at a wished rate and size, without decoding the rest.

Frames are chosen by time, not by number: the annotations of public datasets speak of seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from storyreel import file_type
from storyreel.animation import MAX_FRAMES, MAX_PIXELS, check_size, gathered
from storyreel.clip import Clip
from storyreel.data.imports.entries import Box
from storyreel.read_errors import reading
from storyreel.video_io import decoded, open_container, pixels_of, rate_of, video_stream


def read_span(
    path: str | Path,
    start: float = 0.0,
    end: float | None = None,
    *,
    fps: Fraction | None = None,
    size: int | None = None,
    box: Box | None = None,
    max_frames: int = MAX_FRAMES,
) -> Clip:
    """What a video shows from `start` to `end` (seconds), without decoding all of it or holding whole frames.

    end: None for its end. fps: frames a second, each the one on the screen in the middle of its time; None for the
    video's own rate. size: the middle square, resized; None leaves frames as they are. box: this part of the picture.
    ValueError: an animation or a picture, corrupt, or nothing shown in that span. OSError: not there, not readable.
    """
    path = Path(path)
    with reading(path):
        kind = file_type.kind(path)
        if kind == "json" or kind in file_type.PICTURES:
            raise ValueError(f"{path}: expected a video to cut from, got a picture or an animation")
        with open_container(path, kind) as container:
            stream = video_stream(container, path)
            check_size(path, stream.codec_context.height, stream.codec_context.width, 1, MAX_PIXELS)
            own = rate_of(stream) or Fraction(25)
            frames: list[np.ndarray] = []
            for picture, times in _shown(container, stream, (start, end), fps or own, path):
                check_size(path, picture.shape[0], picture.shape[1], 1, MAX_PIXELS)
                made = middle(inside(picture, box), size)
                check_size(path, made.shape[0], made.shape[1], len(frames) + times, MAX_PIXELS, max_frames)
                frames += [made] * times
    if not frames or len({frame.shape for frame in frames}) != 1:
        until = "its end" if end is None else f"{end:g} s"
        raise ValueError(f"{path}: {'changes its size' if frames else 'shows nothing'} from {start:g} s to {until}")
    return Clip(gathered(frames, range(len(frames))), fps or own)


def _shown(
    container: Any, stream: Any, span: tuple[float, float | None], fps: Fraction, path: Path
) -> Iterator[tuple[np.ndarray, int]]:
    """What is on the screen in the span, and for how many moments: the middles of each frame's time at `fps`."""
    start = Fraction(span[0]).limit_denominator(1_000_000)
    end = None if span[1] is None else Fraction(span[1]).limit_denominator(1_000_000)
    base, first = stream.time_base or 1 / fps, stream.start_time or 0
    if start > 0:
        container.seek(first + int(start / base), stream=stream)  # to the key frame before
    convert = VideoReformatter()
    before: Any = None
    done = 0  # moments
    at = Fraction(0)
    for frame in decoded(container, stream):
        at = at if frame.pts is None else (frame.pts - first) * base
        if frame.is_corrupt and at >= start:
            raise ValueError(f"{path}: is corrupt: the frame at {float(at):.2f} s is damaged")
        if (until := _moments(start, at, end, fps)) > done:
            yield pixels_of(before or frame, convert), until - done
            done = until
        before = frame
        if end is not None and start + (2 * done + 1) / (2 * fps) >= end:
            return
    if before is None:
        return
    at += max(1 / (rate_of(stream) or fps), 1 / (2 * fps))  # the last frame stays for as long as others do
    if (until := _moments(start, at, end, fps)) > done:
        yield pixels_of(before, convert), until - done


def _moments(start: Fraction, at: Fraction, end: Fraction | None, fps: Fraction) -> int:
    """How many middles of frames at `fps`, counted from `start`, lie before `at` and before `end`."""
    until = at if end is None else min(at, end)
    return max(0, math.ceil((until - start) * fps - Fraction(1, 2)))


def inside(picture: np.ndarray, box: Box | None) -> np.ndarray:
    """The part of a picture within a box, at least a pixel of it."""
    if box is None:
        return picture
    height, width = picture.shape[:2]
    left, top = (min(int(share * side), side - 1) for share, side in zip(box[:2], (width, height), strict=True))
    right, bottom = (round(share * side) for share, side in zip(box[2:], (width, height), strict=True))
    return picture[top : max(bottom, top + 1), left : max(right, left + 1)]


def middle(picture: np.ndarray, size: int | None) -> np.ndarray:
    """The middle square of a picture at `size`; the picture as it is for None."""
    if size is None:
        return picture
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return Clip(picture[None, top : top + side, left : left + side]).resize(size, size).frames[0]
