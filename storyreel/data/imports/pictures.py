"""Clips of what is no video: a folder of frames, a single picture (a file, or in a table), a clip of an array."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np

from storyreel.animation import MAX_FRAMES
from storyreel.clip import Clip
from storyreel.data.folder import read_clip
from storyreel.data.imports.entries import PICTURES, AnnotatedClip, ClipCut
from storyreel.data.imports.excerpt import middle
from storyreel.data.imports.table_pictures import picture_of

MAX_CLIPS = 1_000_000  # of an array
FAILURES = (ValueError, EOFError, OverflowError, TypeError, SyntaxError, MemoryError, RecursionError)  # of headers


def is_pictures(file: Path) -> bool:
    """Whether `cut` reads it: a folder, a picture, an .npy or a .parquet file."""
    return file.is_dir() or file.suffix.lower() in (*PICTURES, ".npy", ".parquet")


def cut(entry: AnnotatedClip, shape: ClipCut) -> Clip:
    """The clip of an entry, each frame the one shown in the middle of its time. ValueError, OSError: why not."""
    if entry.file.is_dir():
        files: list[Path] | list[Clip] | np.ndarray = frames_in(entry.file)
    elif entry.file.suffix.lower() == ".npy":
        files = array_of(entry.file)[:, entry.part]
    elif entry.column:
        files = [picture_of(entry)]
    else:
        files = [entry.file]
    count, rate = len(files), entry.rate
    start, end = shape.cut(*(entry.span or (0.0, float(count / rate))))
    fps = shape.fps or rate
    moments = max(1, round((end - start) * float(fps)))
    if moments > MAX_FRAMES:
        raise ValueError(f"{entry.file}: {moments} frames, expected at most {MAX_FRAMES}; shorten them with --seconds")
    at = [
        int((Fraction(start).limit_denominator(10**6) + (Fraction(2 * i + 1) / (2 * fps))) * rate)
        for i in range(moments)
    ]
    shown: dict[int, np.ndarray] = {}
    for each in at:
        if not 0 <= each < count:
            raise ValueError(f"{entry.file}: has {count} frames, expected one at {float(each / rate):g} s")
        if each not in shown:
            shown[each] = middle(_frame(files[each]), shape.size)
    if len({frame.shape for frame in shown.values()}) != 1:
        raise ValueError(f"{entry.file}: its frames have different sizes")
    return Clip(np.stack([shown[each] for each in at]), fps)


def _frame(one: Path | Clip | np.ndarray) -> np.ndarray:
    """uint8 (h, w, c) of a picture or of a grey frame (h, w)."""
    if isinstance(one, Path):
        one = read_clip(one)
    return one.frames[0] if isinstance(one, Clip) else np.repeat(np.asarray(one)[..., None], 3, -1)


def frames_in(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of the numbers in their names."""
    found = [file for file in folder.iterdir() if file.suffix.lower() in PICTURES and not file.name.startswith(".")]
    return sorted(
        found, key=lambda file: [int(part) if n % 2 else part for n, part in enumerate(re.split(r"(\d+)", file.name))]
    )


def array_of(file: Path) -> np.ndarray:
    """uint8 (t, clips, h, w) of an .npy file such as `mnist_test_seq.npy`, mapped. ValueError where it is another."""
    try:
        if not file.is_file():
            raise ValueError("it is no ordinary file")
        made = np.lib.format.open_memmap(file, mode="r")  # which reads no pickle and no archive
    except FAILURES as error:
        why = " ".join(str(error).split())[:100] or type(error).__name__
        raise ValueError(f"{file}: not a readable .npy file ({why})") from None
    if made.ndim != 4 or made.dtype != np.uint8 or not made.size:
        raise ValueError(
            f"{file}: expected uint8 of 4 axes (frames, clips, height, width), got {made.dtype} {made.shape}"
        )
    if made.shape[1] > MAX_CLIPS:
        raise ValueError(f"{file}: {made.shape[1]} clips, expected at most {MAX_CLIPS}")
    return made
