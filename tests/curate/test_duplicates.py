"""Exact and near duplicates: found across a large set, the best member kept, the order of the rows of no matter."""

from __future__ import annotations

import random
import time
from typing import Any

import numpy as np
import pytest
from stub_films import hash_of

from storyreel.curate.duplicates import duplicates, near_pairs


def row(clip: str, phash: str | None, **more: Any) -> dict[str, Any]:
    same = {"source_digest": clip, "start": 0, "end": 16, "width": 320, "height": 180, "seconds": 2.0, "blur": 1.0}
    return {"clip": clip, "phash": phash, **same, **more}


def test_near_hashes_are_found_and_others_not():
    hashes = [hash_of(1), hash_of(1, flipped=8), hash_of(2), None, hash_of(1, flipped=40), hash_of(3)[:32]]
    pairs = near_pairs(hashes, 0.08)
    assert [(i, j) for i, j, _ in pairs] == [(0, 1)]
    assert pairs[0][2] == pytest.approx(8 / 256)


def test_all_pairs_within_reach_of_the_bands_are_found():
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (50, 32), np.uint8)
    hashes, wanted = [], set()
    for i, bits in enumerate(base):
        twin = np.unpackbits(bits)
        twin[rng.choice(256, 7, replace=False)] ^= 1  # 7 bits leave one of 8 bands whole, wherever they are
        hashes += [bits.tobytes().hex(), np.packbits(twin).tobytes().hex()]
        wanted.add((2 * i, 2 * i + 1))
    assert {(i, j) for i, j, _ in near_pairs(hashes, 0.03)} == wanted


def test_the_best_member_of_a_group_stays():
    rows = [
        row("a", hash_of(1)),
        row("b", hash_of(1, 4), width=640, height=360),
        row("c", hash_of(1, 2)),
        row("d", hash_of(2)),
    ]
    found = duplicates(rows, 0.08)
    assert {rows[i]["clip"]: rows[j]["clip"] for i, (j, _) in found.items()} == {"a": "b", "c": "b"}
    assert duplicates(rows, None) == {}
    assert duplicates(rows, 0.08, [True, False, True, True]) == {2: (0, pytest.approx(2 / 256))}


def test_chains_of_small_steps_do_not_drop_what_is_not_alike():
    rows = [row(f"{n}", hash_of(1, 12 * n), seconds=10.0 - n) for n in range(5)]
    found = duplicates(rows, 0.05)  # 12 bits are within 5 % of 256, 24 are not
    assert found == {1: (0, 12 / 256), 3: (2, 12 / 256)}


def test_exact_copies_are_of_the_same_bytes_and_frames():
    rows = [
        row("b", None, source_digest="x"),
        row("a", None, source_digest="x"),
        row("c", None, source_digest="x", start=1),
    ]
    assert duplicates(rows, 0.0) == {0: (1, 0.0)}


def test_the_order_of_the_rows_is_of_no_matter():
    rng = random.Random(0)
    rows = [row(f"{n:03d}", hash_of(n // 3, rng.randrange(10)), seconds=rng.choice([1.0, 2.0])) for n in range(120)]

    def named(rows: list[dict[str, Any]]) -> dict[str, str]:
        return {rows[i]["clip"]: rows[j]["clip"] for i, (j, _) in duplicates(rows, 0.08).items()}

    first = named(rows)
    assert 60 <= len(first) <= 80
    for _ in range(3):
        rng.shuffle(rows)
        assert named(rows) == first


def test_a_hundred_thousand_clips_take_seconds():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 256, (100_000, 32), np.uint8)
    bits[50_000:50_500] = bits[:500]  # copies
    bits[60_000:70_000] = 0  # hours of black
    rows = [row(f"{i:06d}", b.tobytes().hex()) for i, b in enumerate(bits)]
    began = time.process_time()
    found = duplicates(rows, 0.08)
    assert time.process_time() - began < 60
    assert len(found) == 500 + 9_999, "of hours of black one clip stays"
    assert all(found[i + 50_000] == (i, 0.0) for i in range(500))


@pytest.mark.parametrize("share", [0.0, 0.03, 0.08, 0.2])
def test_no_pair_is_missed_whether_hashes_are_alike_or_not(share: float):
    """Against all distances: strangers, twins at every distance, and a crowd that agrees in most bits."""
    rng = np.random.default_rng(1)
    base = rng.integers(0, 2, (60, 256), np.uint8)
    twins = base.copy()
    for i, row_ in enumerate(twins):
        row_[rng.choice(256, i, replace=False)] ^= 1
    crowd = np.repeat(base[:1], 80, 0)
    crowd[:, 200:] = rng.integers(0, 2, (80, 56))
    bits = np.concatenate([base, twins, crowd])
    far = (bits[:, None] != bits).mean(2)
    expected = {(i, j): far[i, j] for i in range(len(bits)) for j in range(i + 1, len(bits)) if far[i, j] <= share}
    found = near_pairs([np.packbits(row_).tobytes().hex() for row_ in bits], share)
    assert {(i, j): differ for i, j, differ in found} == expected
