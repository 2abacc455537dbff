"""A part of a film as a clip, exactly, without decoding the rest: what curation exports, and virtual clips.

A virtual clip is a small JSON file, `.span`, that names a film, the times in it and the bars to cut off; wherever a
dataset folder's clips are read it stands for the frames themselves.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from storyreel import file_type
from storyreel.animation import MAX_FRAMES, MAX_PIXELS, check_size, gathered
from storyreel.clip import Clip
from storyreel.json_file import read_json
from storyreel.numbers import MAX_FPS, number, rational, whole
from storyreel.read_errors import reading
from storyreel.storage import replacing
from storyreel.video_io import decoded, open_container, pixels_of, rate_of, video_stream

SUFFIX = ".span"
MAX_FRAMES_OF_FILM = 60 * 60 * 24 * 240  # a day at 240 frames a second
MAX_SECONDS = 10**9


@dataclass(frozen=True)
class Span:
    """Frames `shown` of a film, counted from the one at `start` seconds, each for 1 / fps seconds.

    start: when the first of them is shown, seconds from the first frame of the film, to within `slack` seconds;
    frames: how many the film has in the span; bars: pixels cut off at top, bottom, left and right.
    """

    path: Path
    start: Fraction
    frames: int
    fps: Fraction
    shown: Sequence[int]
    bars: tuple[int, int, int, int] = (0, 0, 0, 0)
    slack: float = 0.001
    skip: int | None = None  # frames before the span, for a film whose times cannot be trusted: they are counted

    def as_json(self) -> dict[str, Any]:
        whole_span = len(self.shown) == self.frames and all(a == b for a, b in enumerate(self.shown))
        plain = None if whole_span else list(self.shown)
        document = {"path": str(self.path), "start": str(self.start), "frames": self.frames, "fps": str(self.fps)}
        return {"span": 1, **document, "shown": plain, "bars": list(self.bars), "slack": self.slack, "skip": self.skip}

    def write(self, file: str | Path) -> Path:
        file = Path(file)
        with replacing(file) as (made,):
            made.write_text(json.dumps(self.as_json()) + "\n")
        return file

    @classmethod
    def read(cls, file: str | Path) -> Span:
        """ValueError: not such a file. A relative path of the film is looked for beside it."""
        file = Path(file)
        try:
            return cls.from_json(read_json(file), file.parent)
        except (KeyError, TypeError, AttributeError):
            why = "expected JSON with path, start, frames, fps, shown, bars, slack"
        except ValueError as error:
            why = str(error).removeprefix(f"{file}: ")
        raise ValueError(f"{file}: is no span of a film: {why}")

    @classmethod
    def from_json(cls, document: Any, folder: Path = Path()) -> Span:
        """KeyError, TypeError or ValueError where it is not what `as_json` gives."""
        frames = whole(document["frames"], "frames", 1, MAX_FRAMES_OF_FILM)
        shown: Sequence[int] = range(frames)
        if document["shown"] is not None:
            shown = tuple(whole(index, "shown", 0, frames - 1) for index in document["shown"])
        if not shown or not isinstance(document["path"], str) or "\0" in document["path"]:
            raise ValueError("expected the path of a film and at least one frame")
        top, bottom, left, right = (whole(bar, "bars", 0, 1 << 20) for bar in document["bars"])
        return cls(
            folder / document["path"],
            rational(document["start"], "start", 0, MAX_SECONDS),
            frames,
            rational(document["fps"], "fps", 0, MAX_FPS, above=True),
            shown,
            (top, bottom, left, right),
            number(document["slack"], "slack", 0, MAX_SECONDS),
            None if document.get("skip") is None else whole(document["skip"], "skip", 0, MAX_FRAMES_OF_FILM),
        )

    def pictures(self) -> Iterator[np.ndarray]:
        """The frames, in order, uint8 (h, w, 3), upright and without bars; one in memory at a time.

        ValueError: the film is not what it was when it was measured. OSError: it is not there.
        """
        positions = iter(self.shown)
        index: int | None = next(positions)
        for at, picture in enumerate(itertools.islice(self._from_start(), self.frames)):
            while index == at:
                yield _cut(picture, self.bars, self.path)
                index = next(positions, None)
            if index is None:
                return
        raise ValueError(f"{self.path}: ends before frame {index} of the span at {float(self.start):.3f} s")

    def clip(self, caption: str = "") -> Clip:
        """ValueError also where it is longer or larger than a clip may be: more than 10,000 frames, 40 megapixels."""
        frames: list[np.ndarray] = []
        for picture in self.pictures():
            check_size(self.path, picture.shape[0], picture.shape[1], len(frames) + 1, MAX_PIXELS, MAX_FRAMES)
            frames.append(picture)
        return Clip(gathered(frames, range(len(frames))), self.fps, caption)

    def some(self, places: Sequence[float]) -> np.ndarray:
        """uint8 (t, h, w, 3): the frames at these places of the span, 0 the first and 1 the last."""
        indices = [self.shown[round(place * (len(self.shown) - 1))] for place in places]
        found: dict[int, np.ndarray] = {}
        for at, picture in enumerate(itertools.islice(self._from_start(), max(indices) + 1)):
            if at in indices:
                found[at] = _cut(picture, self.bars, self.path)
        if set(found) != set(indices):
            raise ValueError(f"{self.path}: ends within the span at {float(self.start):.3f} s")
        return np.stack([found[at] for at in indices])

    def _from_start(self) -> Iterator[np.ndarray]:
        if self.skip is not None:
            return itertools.islice(_from(self.path, Fraction(0), Fraction(0)), self.skip, None)
        return _from(self.path, self.start, Fraction(self.slack))


def _cut(picture: np.ndarray, bars: tuple[int, int, int, int], path: Path) -> np.ndarray:
    top, bottom, left, right = bars
    height, width = picture.shape[:2]
    if top + bottom >= height or left + right >= width:
        raise ValueError(f"{path}: frames of {width}x{height} are smaller than the bars that were measured")
    return picture[top : height - bottom, left : width - right, :3]


def _from(path: Path, start: Fraction, slack: Fraction) -> Iterator[np.ndarray]:
    """Frames from the one at `start` on. Seeks to a key frame before; reads from the beginning where that fails."""
    if not path.is_file():
        raise FileNotFoundError(2, "no such film", str(path))
    with reading(path):
        for seek in (True, False) if start > slack else (False,):
            with open_container(path, file_type.container(path)) as container:
                stream = video_stream(container, path)
                frames = _times(container, stream)
                first = next(frames, None)
                if first is None:
                    break
                target = first[0] + start - slack
                if seek:
                    try:
                        container.seek(int(target / stream.time_base), stream=stream, backward=True)
                    except FFmpegError:
                        continue
                    frames = _times(container, stream)
                    first = next(frames, None)
                    if first is None or first[0] > target + slack:
                        continue  # the index of the file is wrong: it landed behind the frame that was asked for
                convert = VideoReformatter()
                for time, frame in itertools.chain([first], frames):
                    if time >= target or not start:
                        yield pixels_of(frame, convert)
                return


def _times(container: Any, stream: Any) -> Iterator[tuple[Fraction, Any]]:
    """(time stamp in seconds, frame), as the film counts them."""
    rate = rate_of(stream) or Fraction(25)
    before = -1 / rate
    for frame in decoded(container, stream):
        base = frame.time_base or stream.time_base
        time = before + 1 / rate if frame.pts is None or not base else frame.pts * base
        before = time
        yield time, frame
