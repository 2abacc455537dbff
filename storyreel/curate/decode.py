"""Decode a film frame by frame, without copying a picture: luma and chroma as they lie in the decoder's memory.

The pictures of most codecs are planar YUV of 8 bits. They are looked at as they are; converting each to RGB at full
size would cost more than decoding it. Everything else is converted to planar YUV first.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange, VideoReformatter

from storyreel import file_type
from storyreel.curate.footage import FilmInfo, digest_of
from storyreel.read_errors import OF_THE_MACHINE, reading
from storyreel.timing import FASTEST, SLOWEST
from storyreel.video_io import open_container, rate_of, video_stream

_PLANAR = {"yuv420p": 2, "yuvj420p": 2, "yuv422p": 2, "yuvj422p": 2, "yuv444p": 1, "yuvj444p": 1, "gray": 0}
_MOST_FRAMES = 60 * 60 * 24 * 240  # a day at 240 frames a second
_REPEATED = 1000  # frames at a steady rate for each that is there: times that ask for more are not believed


@dataclass(frozen=True)
class Picture:
    """A decoded frame. luma: uint8 (h, w), chroma: two uint8 planes (h', w') or none; valid until the next frame.

    full: whether 0 and 255 are black and white, instead of 16 and 235. turns: quarter turns anticlockwise that make
    it upright. time: seconds, None where the file says none. fields: stored as interlaced, by the codec's own flag.
    """

    index: int
    time: float | None
    luma: np.ndarray
    chroma: tuple[np.ndarray, ...]
    full: bool
    turns: int
    fields: bool


class FilmReader:
    """One pass over a file: iterate for its pictures, then ask for `info`.

    max_pixels: of a frame. damaged: how many frames may be damaged before the film is refused.
    ValueError, one line: no video, too large, corrupt, without a frame. OSError: not there, not readable.
    """

    def __init__(self, path: str | Path, *, max_pixels: int, damaged: int = 0, threads: int = 0):
        self.path, self.max_pixels, self.allowed, self.threads = Path(path), max_pixels, damaged, threads
        self.kind = file_type.container(self.path)
        self.rate = Fraction(25)
        self._ticks = array("q")
        self._timed = True  # every frame had a time
        self._base = Fraction(1, 1000)
        self._facts: dict[str, Any] = {}
        self.damaged = 0

    def __iter__(self) -> Iterator[Picture]:
        with reading(self.path), open_container(self.path, self.kind) as container:
            yield from self._pictures(container)
        if not self._ticks:
            raise ValueError(f"{self.path}: holds no frame that can be read")

    def _pictures(self, container: Any) -> Iterator[Picture]:
        stream = video_stream(container, self.path)
        context = stream.codec_context
        self._check_size(context.width, context.height)
        context.thread_count = self.threads
        context.thread_type = "AUTO"
        self._base = Fraction(stream.time_base or Fraction(1, 1000))
        rate = rate_of(stream)
        self.rate = rate if rate and 1 / SLOWEST >= rate >= SLOWEST else Fraction(25)
        self._facts = {"container": self.kind, "codec": context.name, "audio": bool(container.streams.audio)}
        convert = VideoReformatter()
        size = None
        for frame in self._decoded(container, stream):
            self._check_size(frame.width, frame.height)
            if size is None:
                size = frame.width, frame.height
                turns = round(frame.rotation / 90) % 4
                width, height = size if turns % 2 == 0 else size[::-1]
                self._facts |= {"width": width, "height": height, "rotation": turns * 90}
            if (frame.width, frame.height) != size:
                raise ValueError(f"{self.path}: changes its size at frame {len(self._ticks)}")
            if len(self._ticks) >= _MOST_FRAMES:
                raise ValueError(f"{self.path}: has more than {_MOST_FRAMES} frames")
            index = len(self._ticks)
            self._timed = self._timed and frame.pts is not None
            self._ticks.append(frame.pts if frame.pts is not None else 0)
            yield _picture(frame, index, self._facts["rotation"] // 90, self._base, convert)

    def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
        """Frames of a stream. A packet that cannot be decoded counts as a damaged frame and is left out."""
        count = 0
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except FFmpegError as error:
                if error.errno in OF_THE_MACHINE:
                    raise
                self._damage(count, error.strerror or "no reason given")
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self._damage(count, "the decoder says so")
                count += 1
                yield frame

    def _damage(self, index: int, why: str) -> None:
        self.damaged += 1
        if self.damaged > self.allowed:
            raise ValueError(f"{self.path}: is corrupt: frame {index} is damaged ({why})")

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self.max_pixels:
            raise ValueError(f"{self.path}: {width}x{height} pixels a frame, expected at most {self.max_pixels}")

    @property
    def info(self) -> FilmInfo:
        """The facts, once the film has been gone through. A film whose times go back is taken to be steady."""
        count = len(self._ticks)
        seconds = [float((tick - self._ticks[0]) * self._base) for tick in self._ticks] if self._timed else []
        rising = count > 1 and bool(seconds) and all(a < b for a, b in pairwise(seconds)) and _believed(seconds)
        times = None
        fps = self.rate
        if rising and seconds[-1] > 0:
            mean = (count - 1) / seconds[-1]
            if abs(mean / float(fps) - 1) > 0.005:
                fps = max(Fraction(mean).limit_denominator(1001), Fraction(1, 1001))
            if any(abs(at - index / float(fps)) > max(0.45 / float(fps), 0.0005) for index, at in enumerate(seconds)):
                times = tuple(round(at, 6) for at in seconds)
        seekable = rising and all(
            abs(at - (index / float(fps) if times is None else times[index])) <= 0.45 / float(fps)
            for index, at in enumerate(seconds)
        )
        length = count / float(fps) if times is None else times[-1] + float(np.median(np.diff(times)))
        return FilmInfo(
            name=self.path.name,
            digest=digest_of(self.path),
            fps=fps,
            times=times,
            frames=count,
            seconds=round(length, 6),
            damaged=self.damaged,
            seekable=seekable or count == 1,
            **self._facts,
        )


def _believed(seconds: Sequence[float]) -> bool:
    """Whether times can be true: a broken clock claims years between two frames that follow each other."""
    gaps = np.diff(seconds)
    return bool(seconds[-1] - seconds[0] <= _REPEATED * len(seconds) * max(float(np.median(gaps)), 1 / FASTEST))


def _picture(frame: Any, index: int, turns: int, base: Fraction, convert: VideoReformatter) -> Picture:
    name = frame.format.name
    fields = bool(frame.interlaced_frame)
    time = None if frame.pts is None else frame.pts * base.numerator / base.denominator
    full = frame.color_range == int(ColorRange.JPEG) or name.startswith("yuvj") or name == "gray"
    if name not in _PLANAR:
        rgb = any(part.is_luma is False and part.is_chroma is False for part in frame.format.components)
        full = full or rgb
        target = ColorRange.JPEG if full else ColorRange.MPEG
        frame = convert.reformat(frame, format="yuvj420p" if full else "yuv420p", dst_color_range=target)
        name = frame.format.name
    planes = [_plane(plane) for plane in frame.planes[: 3 if _PLANAR[name] else 1]]
    return Picture(index, time, planes[0], tuple(planes[1:]), full, turns, fields)


def _plane(plane: Any) -> np.ndarray:
    rows = np.frombuffer(plane, np.uint8)
    return rows[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)[:, : plane.width]
