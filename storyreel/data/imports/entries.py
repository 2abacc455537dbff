"""What an importer wants written: one clip each, with its captions and where it comes from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

from storyreel.numbers import number

MAX_SECONDS = 10**9
SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v")
PICTURES = (".jpg", ".jpeg", ".png", ".webp")
MEANINGS = ("path", "caption", "start", "end", "split", "rate")
SPLITS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validate": "val", "validation": "val",
    "dev": "val", "test": "test", "testing": "test", "held_out": "held_out",
}  # fmt: skip
"""What published tables and folders call a split -> what it is called here."""
Refused: TypeAlias = tuple[str, str]  # what, and why
Box: TypeAlias = tuple[float, float, float, float]  # left, top, right, bottom, in shares of width and height


@dataclass(frozen=True, kw_only=True)
class AnnotatedClip:
    """One clip to be written.

    index: its number in the annotation, whether or not its video is there, so that it stays the same.
    name: how it is called in lists. span: seconds of `file` to cut; None takes all of it. box: the part of the picture.
    row: further columns. rate: frames a second of a folder of pictures or of an array; videos know theirs. part: which
    clip of an array, or which row of a table (from 0) whose `column` holds pictures.
    """

    file: Path
    index: int = 0
    name: str = ""
    captions: tuple[str, ...] = ()
    split: str = "train"
    span: tuple[float, float] | None = None
    row: Mapping[str, Any] = field(default_factory=dict)
    rate: Fraction = Fraction(25)
    part: int = 0
    column: str = ""
    box: Box | None = None


@dataclass(frozen=True)
class Annotation:
    """What an annotation asks for: clips to write, and what cannot be written, with the reasons."""

    entries: list[AnnotatedClip]
    refused: list[Refused]


@dataclass(frozen=True, kw_only=True)
class ClipCut:
    """How clips are cut: the middle square at `size` pixels, `fps` frames a second, at most `seconds` long.

    A longer clip keeps its middle. None leaves a thing as it is.
    """

    size: int | None = None
    fps: Fraction | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.size is not None and not 8 <= self.size <= 4096:
            raise ValueError(f"--size: expected 8 to 4096 pixels, got {self.size}")
        if self.fps is not None and not 0 < self.fps <= 240:
            raise ValueError(f"--fps: expected more than 0, at most 240, got {self.fps}")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ValueError(f"--seconds: expected more than 0, got {self.seconds:g}")

    def cut(self, start: float, end: float) -> tuple[float, float]:
        """The span that is kept of start to end."""
        if self.seconds is None or end - start <= self.seconds:
            return start, end
        first = (start + end - self.seconds) / 2
        return first, first + self.seconds


def videos_in(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> dict[str, Path]:
    """Name without suffix -> file, for the videos of a folder and its subfolders; the first of a name in sorted order.

    `abc.mp4.webm`, as downloaders write it, is called `abc`. OSError without such a folder, ValueError without a video.
    suffixes: what counts as one.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of videos")
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        name = file.name
        while Path(name).suffix.lower() in suffixes:
            name = Path(name).stem
        if name != file.name and not name.startswith(".") and file.is_file():
            found.setdefault(name, file)
    if not found:
        raise ValueError(f"{folder}: no videos in it ({' '.join(suffixes)})")
    return found


def columns_of(text: str, meanings: Sequence[str] = MEANINGS) -> dict[str, str]:
    """`path=videoid,caption=name` -> meaning -> column. ValueError names a meaning that there is not."""
    found: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        meaning, equals, column = (part.strip() for part in pair.partition("="))
        if meaning not in meanings or not equals or not column:
            raise ValueError(f"--columns: expected {', '.join(f'{m}=COLUMN' for m in meanings)}, got {pair!r}")
        found[meaning] = column
    return found


def split_of(value: Any, otherwise: str) -> str:
    """The split that a table says. ValueError: one that is none, which must not be trained on by mistake."""
    if value is None or not str(value).strip():
        return otherwise
    if (found := SPLITS.get(str(value).strip().lower())) is None:
        raise ValueError(f"split {str(value)[:40]!r}: expected train, val, test or held_out")
    return found


def digest_of_files(files: Sequence[Path]) -> str:
    """sha256 over files, and over the .json files of folders; OSError when one is not there."""
    hashed = hashlib.sha256()
    for path in files:
        for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
            if file.exists() and not file.is_file():
                raise ValueError(f"{file}: is no ordinary file")
            with file.open("rb") as opened:
                hashed.update(hashlib.file_digest(opened, "sha256").digest())
    return hashed.hexdigest()


def seconds_of(value: Any) -> float | None:
    """A time of an annotation: a finite number from 0; None for anything else."""
    try:
        return None if isinstance(value, str) else number(value, "time", 0, MAX_SECONDS)
    except ValueError:
        return None
