"""Clips inside a page: a film strip of each, and small films that play, as data URIs within a budget of bytes."""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from storyreel import video_io
from storyreel.clip import Clip
from storyreel.data.parallel import progress as bar
from storyreel.data.parallel import run

STRIP_BYTES, FILM_BYTES = 11_000_000, 7_500_000  # base64 makes 4 of 3: together a page of some 25 MB
FILMS = 160  # at most
TILES, TILE = 8, 96  # frames of a strip, and the longest side of each in pixels
SMALL, LARGE = 192, 256  # small films grow towards the one, large ones shrink to the other
FRAMES = 240  # of a film that plays
EXACT = 200  # more clips than these, and strips lose a little to save two thirds of their bytes


@dataclass(frozen=True)
class Strip:
    """Frames of a clip side by side, as a data URI; `width` and `height` of one of them."""

    uri: str
    tiles: int
    frames: int
    width: int
    height: int
    seconds: float

    def as_json(self) -> list[str | int | float]:
        return [self.uri, self.tiles, self.frames, self.width, self.height, round(self.seconds, 4)]


@dataclass
class Media:
    """Strips and films by the number of the clip, and what was left out, in words for the reader."""

    strips: dict[int, Strip] = field(default_factory=dict)
    films: dict[int, str] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def gather(files: Sequence[Path], first: Sequence[int], *, progress: bool = False, workers: int = 2) -> Media:
    """Strips of all files and films of as many as fit, those numbered in `first` before the others.

    A file that cannot be read stands in `broken`, with the reason.
    """
    exact = len(files) <= EXACT
    order = [*dict.fromkeys(first), *(i for i in range(len(files)) if i not in set(first))]
    media, sizes = Media(), {"strips": 0, "films": 0}

    def items() -> Iterator[tuple[Path, bool, bool]]:
        for i in order:
            if sizes["strips"] < STRIP_BYTES:
                yield files[i], exact, len(media.films) < FILMS and sizes["films"] < FILM_BYTES

    with bar("pictures for the page", len(order) if progress else 0) as advance:
        for i, (strip, film, error) in zip(order, run(_look, items(), workers=workers, threads=True), strict=False):
            if progress:
                advance(1)
            if error:
                media.broken[i] = error
            if strip is not None:
                media.strips[i] = strip
                sizes["strips"] += len(strip.uri) * 3 // 4
            if film and len(media.films) < FILMS and sizes["films"] + len(film) <= FILM_BYTES:
                media.films[i] = data_uri("video/mp4", film)
                sizes["films"] += len(film)
    media.left_out = _left_out(media, len(files))
    return media


def _left_out(media: Media, n: int) -> list[str]:
    notes = []
    readable = n - len(media.broken)
    if media.broken:
        where = next(iter(media.broken.values()))
        notes.append(f"{len(media.broken)} of {n} clips cannot be shown, the first: {where}")
    if len(media.strips) < readable:
        notes.append(
            f"{readable - len(media.strips)} of {n} clips have no film strip here: the page would grow too big"
        )
    if len(media.films) < len(media.strips):
        notes.append(
            f"{len(media.films)} of {n} clips play as films, the worst and best of each score first; "
            "the others play from their strips"
        )
    return notes


def _look(item: tuple[Path, bool, bool]) -> tuple[Strip | None, bytes | None, str]:
    file, exact, film = item
    try:
        clip = video_io.read(file).over()
    except (ValueError, OSError) as error:
        return None, None, " ".join(str(error).split()) or file.name
    return strip_of(clip, exact), film_of(clip) if film else None, ""


def strip_of(clip: Clip, exact: bool = True) -> Strip:
    """At most eight frames, evenly chosen, side by side as WebP; `exact`: small ones keep their very pixels."""
    clip = clip.over()
    index = np.unique(np.linspace(0, len(clip) - 1, TILES).round().astype(int))
    chosen = _shrink(clip.replace(frames=clip.frames[index]), TILE)
    t, h, w, c = chosen.frames.shape
    picture = Image.fromarray(chosen.frames.transpose(1, 0, 2, 3).reshape(h, t * w, c))
    made = io.BytesIO()
    picture.save(made, "WEBP", lossless=exact and chosen.size == clip.size, quality=80, method=4)
    return Strip(data_uri("image/webp", made.getvalue()), t, len(clip), w, h, clip.seconds)


def film_of(clip: Clip) -> bytes:
    """A small MP4 that browsers play; at most the first 240 frames."""
    clip = clip.over()
    factor = max(1, SMALL // max(clip.size))
    clip = _shrink(clip.replace(frames=clip.frames[:FRAMES], caption="", meta={}), LARGE)
    with tempfile.TemporaryDirectory() as folder:
        path = video_io.write(clip, Path(folder) / "film.mp4", scale=factor, quality=62, metadata=False)
        return path.read_bytes()


def _shrink(clip: Clip, longest: int) -> Clip:
    height, width = clip.size
    if max(height, width) <= longest:
        return clip
    ratio = longest / max(height, width)
    return clip.resize(max(1, round(height * ratio)), max(1, round(width * ratio)))


def data_uri(kind: str, blob: bytes) -> str:
    """The bytes of this MIME type as an address that a page can hold."""
    return f"data:{kind};base64,{base64.b64encode(blob).decode('ascii')}"
