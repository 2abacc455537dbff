"""Film strips and small videos of clips, decoded when they are looked at and kept for a while.

What is asked for last is decoded first: somebody who scrolls on does not wait for what has gone by.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from storyreel.browse.filmline import FilmLine, spread
from storyreel.curate.export import Export, export_clip, span_of
from storyreel.numbers import MAX_FPS, rational
from storyreel.span import Span
from storyreel.storage import sweep, temporary_name

STRIP_SHAPE = 7.1  # width of a strip of a clip, in heights
STRIP_HIGH, AROUND_HIGH = 108, 120  # pixels
ROOM, FILM_ROOM = 96 << 20, 512 << 20  # bytes of strips in memory, and of videos in a temporary folder
PREVIEW_SIDE, PREVIEW_SECONDS = 360, 30  # of a video that is made to be looked at
PLAYABLE = {".mp4": "video/mp4", ".webm": "video/webm"}


class Gone(Exception):
    """Who asked for it went away before its turn came."""


class Turns:
    """At most `places` at a time, the last to come first."""

    def __init__(self, places: int) -> None:
        self._free, self._lock = places, threading.Lock()
        self._waiting: list[threading.Event] = []

    @contextmanager
    def turn(self, gone: Callable[[], bool]) -> Any:
        mine: threading.Event | None = None
        with self._lock:
            if self._free:
                self._free -= 1
            else:
                mine = threading.Event()
                self._waiting.append(mine)
        if mine is not None:
            mine.wait()
        try:
            if gone():
                raise Gone
            yield
        finally:
            with self._lock:
                if self._waiting:
                    self._waiting.pop().set()
                else:
                    self._free += 1


class SizedCache:
    """Values by key up to `room` bytes, the least used forgotten first; each is made once however many ask for it."""

    def __init__(self, room: int, forget: Callable[[Any], None] = lambda value: None) -> None:
        self.room, self.used, self._forget = room, 0, forget
        self._values: OrderedDict[Any, tuple[Any, int]] = OrderedDict()
        self._making: dict[Any, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], tuple[Any, int]]) -> Any:
        """The value of `key`; make() gives it and its size in bytes. What make() raises, all who wait get."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
            waiting, mine = self._making.get(key), Future()
            if waiting is None:
                self._making[key] = mine
        if waiting is not None:
            try:
                return waiting.result()
            except Gone:  # the one who was to make it has left
                return self.get(key, make)
        try:
            value, size = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._making[key]
            self._values[key] = value, size
            self.used += size
            while self.used > self.room and len(self._values) > 1:
                _, (old, its) = self._values.popitem(last=False)
                self.used -= its
                self._forget(old)
        mine.set_result(value)
        return value


class DatasetPictures:
    """Strips and videos of one dataset. Close it when done: videos lie in a temporary folder."""

    def __init__(self, dataset: Path) -> None:
        self.dataset = dataset
        self.turns = Turns(max(1, min(4, os.cpu_count() or 1)))
        self._strips = SizedCache(ROOM)
        self._videos = SizedCache(FILM_ROOM, lambda file: file.unlink(missing_ok=True))
        place = Path(tempfile.gettempdir())
        sweep(place)  # what a server that was killed has left
        self._folder = temporary_name(place / "browse")
        self._folder.mkdir(mode=0o700)
        self._closed = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)

    def close(self) -> None:
        self._closed()

    def strip(self, row: Mapping[str, Any], line: FilmLine, gone: Callable[[], bool]) -> bytes:
        """JPEG: a few frames of the clip side by side. ValueError, OSError: neither film nor clip can be read."""
        aspect = row["width"] / max(1, row["height"])
        frames = spread(row["start"], row["end"] - 1, max(2, min(12, round(STRIP_SHAPE / aspect))))
        key = ("strip", row["clip"], row["source_digest"])
        return self._strips.get(key, lambda: self._joined(self._frames(row, line, frames), STRIP_HIGH, gone))

    def around(self, row: Mapping[str, Any], line: FilmLine, gone: Callable[[], bool]) -> bytes:
        """JPEG: the frames of `line.surroundings` side by side, all of one width, bars and all."""
        frames = line.surroundings(row["start"], row["end"])
        path, key = Path(row["source_path"]), ("around", row["clip"], row["source_digest"])
        make = lambda: self._joined(_pictures(line.spans(path, frames)), AROUND_HIGH, gone)  # noqa: E731
        return self._strips.get(key, make)

    def _frames(self, row: Mapping[str, Any], line: FilmLine, frames: list[int]) -> Iterable[np.ndarray]:
        path = Path(row["source_path"])
        if path.is_file() or (clip := self._clip_file(row["clip"])) is None:
            yield from _pictures(line.spans(path, frames, row["bars"]))
            return
        count = row["num_frames"]  # the film is gone, the clip is not
        places = tuple(spread(0, count - 1, len(frames)))
        fps = rational(row["fps_exact"], "fps_exact", 0, MAX_FPS, above=True)
        yield from Span(clip, Fraction(0), count, fps, places).pictures()

    def _joined(self, pictures: Iterable[np.ndarray], high: int, gone: Callable[[], bool]) -> tuple[bytes, int]:
        with self.turns.turn(gone):
            small = [_small(picture, high) for picture in pictures]
        width = max(picture.width for picture in small)
        whole = Image.new("RGB", (width * len(small), high))
        for place, picture in enumerate(small):
            whole.paste(picture.resize((width, high)) if picture.width != width else picture, (place * width, 0))
        out = io.BytesIO()
        whole.save(out, "JPEG", quality=80)
        return out.getvalue(), out.tell()

    def video(self, row: Mapping[str, Any], gone: Callable[[], bool]) -> tuple[Path, str]:
        """(file, media type) that a browser plays: the clip itself, or a small copy of its first seconds."""
        clip = self._clip_file(row["clip"], PLAYABLE)
        if clip is not None:
            return clip, PLAYABLE[clip.suffix]
        made = self._videos.get((row["clip"], row["source_digest"]), lambda: self._made(row, gone))
        return made, "video/mp4"

    def _made(self, row: Mapping[str, Any], gone: Callable[[], bool]) -> tuple[Path, int]:
        file = self._folder / f"{row['clip']}.mp4"
        how = Export(side=PREVIEW_SIDE, crf=25, preset="ultrafast")
        with self.turns.turn(gone):
            export_clip((preview_of(row), str(file), how))
        return file, file.stat().st_size

    def _clip_file(self, clip: str, suffixes: Iterable[str] = (".mp4", ".mkv")) -> Path | None:
        for folder in (self.dataset / "clips", self.dataset / "curation" / "shelf"):
            for suffix in suffixes:
                if (file := folder / f"{clip}{suffix}").is_file():
                    return file
        return None


def preview_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The span of a row, of its first seconds only."""
    span = span_of(row)
    shown = span["shown"] if span["shown"] is not None else range(span["frames"])
    most = max(1, int(PREVIEW_SECONDS * row["fps"]))
    return span if len(shown) <= most else {**span, "shown": list(shown[:most])}


def _pictures(spans: Iterable[Span]) -> Iterable[np.ndarray]:
    for span in spans:
        yield from span.pictures()


def _small(picture: np.ndarray, high: int) -> Image.Image:
    height, width = picture.shape[:2]
    wide = max(1, min(round(width * high / height), high * 8))
    return Image.fromarray(np.ascontiguousarray(picture)).resize((wide, high), Image.Resampling.BOX, reducing_gap=2.0)
