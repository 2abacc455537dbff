"""Copies by their frames: mirrored, turned and trimmed clips are found, strangers are not."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from storyreel.curate.copies import EVERY, copied_pairs, written
from storyreel.curate.duplicates import duplicates, pairs_of
from storyreel.curate.fingerprints import hash_of_frame
from tests.movies.shots import make_shot

WAYS = {
    "mirrored": lambda picture: picture[:, ::-1],
    "upside down": lambda picture: picture[::-1, ::-1],
    "turned left": lambda picture: np.rot90(picture),
    "turned right": lambda picture: np.rot90(picture, 3),
    "mirrored and turned": lambda picture: np.rot90(picture[:, ::-1]),
}


def encoded(picture: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("L").resize((64, 36), Image.Resampling.BOX))


def text_of(pictures: Sequence[np.ndarray], first: int, quality: int) -> str:
    """As a film is hashed whose frame numbers begin `first` frames earlier."""
    return written([hash_of_frame(encoded(each, quality)) for each in pictures[first::EVERY]])


@pytest.fixture(scope="module")
def shots() -> list[list[np.ndarray]]:
    made = [make_shot(kind, np.random.default_rng([5, n]), (90, 160), 45)
            for n, kind in enumerate(("pan", "zoom", "shapes", "shake", "static", "pan", "zoom", "text"))]  # fmt: skip
    return [[shot.frame(i) for i in range(45)] for shot in made]


def test_mirrored_turned_and_trimmed_copies_are_found_and_strangers_are_not(shots: list[list[np.ndarray]]) -> None:
    texts = [text_of(pictures, 0, 90) for pictures in shots]
    owners = list(range(len(shots)))
    for way in WAYS.values():
        texts += [text_of([way(picture) for picture in pictures[10:35]], n % EVERY, 50)
                  for n, pictures in enumerate(shots)]  # fmt: skip
        owners += range(len(shots))
    pairs = copied_pairs(texts, 0.08)
    assert {(i, j) for i, j, _ in pairs if owners[i] != owners[j]} == set()
    found = {j for i, j, _ in pairs if i < len(shots)}
    assert len(found) >= 0.9 * len(shots) * len(WAYS)
    rows = [{"clip": f"{n:02}", "phash": None, "frame_hashes": text} for n, text in enumerate(texts)]
    assert pairs_of(rows, 0.08) == pairs
    assert pairs_of([{"phash": None}, {"phash": None, "frame_hashes": None}], 0.08) == [], "of older folders"


def test_a_hash_keeps_few_frames_and_none_that_show_nothing() -> None:
    assert hash_of_frame(np.full((36, 64), 90, np.uint8)) == 0
    assert written([]) == written([0, 0]) == ""
    assert len(written([0, 5, 0, 7])) == 32
    assert len(written(range(1, 1000))) <= 64 * 16
    assert copied_pairs(["", None, written([3])], 0.5) == []


def test_the_captioned_copy_stays_and_then_the_one_of_higher_quality() -> None:
    def row(clip: str, **more: object) -> dict[str, object]:
        same = {"source_digest": clip, "start": 0, "end": 16, "width": 320, "height": 180, "seconds": 2.0, "blur": 9.0}
        return {"clip": clip, "phash": "ab" * 32, **same, **more}

    def stays(*rows: dict[str, object]) -> str:
        (left,) = set(range(len(rows))) - set(duplicates(rows, 0.08))
        return str(rows[left]["clip"])

    assert stays(row("a", width=640, height=360), row("b", caption_words=4)) == "b"
    assert stays(row("a", caption_words=3), row("b", caption_words=4, width=640, height=360)) == "b"
    assert stays(row("a", seconds=3.0, blur=2.0), row("b")) == "b", "sharper before longer"
    assert stays(row("a", blur=9.1), row("b", seconds=3.0)) == "b", "as sharp, and longer"
