"""Exact and near duplicates over a whole set: all of them, without comparing everything with everything.

A hash is the perceptual hash of a clip over time, a string of hex digits. Two clips are near when their hashes differ
in at most a `share` of the bits, n of them. Cut into more than n parts, such hashes agree in at least one part, so only
clips that agree in a part are compared (Norouzi, Punjani and Fleet 2012, section 3). Where the parts would be too short
to tell clips apart, all are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

PART = (10, 48)  # bits of a part, at least and at most


def near_pairs(hashes: Sequence[str | None], share: float) -> list[tuple[int, int, float]]:
    """(i, j, share of bits that differ), i < j, of all pairs that are near, sorted.

    Only hashes of one length are compared; None is near to nothing.
    """
    found: list[tuple[int, int, float]] = []
    for length in sorted({len(h) for h in hashes if h}):
        rows = [i for i, h in enumerate(hashes) if h and len(h) == length]
        blob = b"".join(bytes.fromhex(str(hashes[i]).zfill(length + length % 2)) for i in rows)
        bits = np.frombuffer(blob, np.uint8).reshape(len(rows), -1)
        found += ((rows[i], rows[j], differ) for (i, j), differ in _near(bits, share).items())
    return sorted(found)


def _near(bits: np.ndarray, share: float) -> dict[tuple[int, int], float]:
    """(i, j) -> share of bits that differ, of the near rows i < j of uint8 (rows, bytes)."""
    wide = bits.shape[1] * 8
    words = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 8))).view(np.uint64)
    single = np.unpackbits(bits, axis=1)
    count = max(int(share * wide) + 2, -(-wide // PART[1]))  # one more than needed, for a share that is rounded
    edges = np.linspace(0, wide, count + 1).astype(int).tolist() if wide >= count * PART[0] else [0, 0]
    found: dict[tuple[int, int], float] = {}
    for first, end in pairwise(edges):
        value = single[:, first:end] @ (1 << np.arange(end - first))  # the part, as a number
        order = np.argsort(value, kind="stable")
        value = value[order]
        for step in range(1, len(order)):  # a clip meets those that follow it
            same = np.flatnonzero(value[step:] == value[:-step])
            if not len(same):
                break
            one, other = order[same], order[same + step]  # in order of rows, since the sort is stable
            differ = np.bitwise_count(words[one] ^ words[other]).sum(1, dtype=np.int64) / wide
            near = differ <= share
            found |= zip(zip(one[near].tolist(), other[near].tolist(), strict=True), differ[near].tolist(), strict=True)
    return found


def duplicates(
    rows: Sequence[Mapping[str, Any]],
    share: float | None,
    taking: Sequence[bool] | None = None,
    near: Callable[[Sequence[str | None], float], list[tuple[int, int, float]]] = near_pairs,
) -> dict[int, tuple[int, float]]:
    """Row -> (the better row that it repeats, share of bits that differ; 0 for an exact copy).

    taking: which rows take part; None for all. near: what finds the near pairs. In a group the best-scored row stays:
    more pixels, longer, sharper, then the first by clip id, so that the order of the rows does not matter. A row is
    dropped only for one that stays and is near it itself: chains of small steps do not drop what is not alike.
    """
    if share is None:
        return {}
    better = sorted((i for i in range(len(rows)) if taking is None or taking[i]), key=lambda i: _rank(rows[i]))
    same: dict[int, int] = {}  # row -> the best one with the same frames or the same hash
    first: dict[Any, int] = {}
    for i in better:
        row = rows[i]
        keys = [("frames", row["source_digest"], row["start"], row["end"])] if row.get("source_digest") else []
        keys += [("hash", row["phash"])] if row.get("phash") else []
        for key in keys:
            if first.setdefault(key, i) != i:
                same.setdefault(i, first[key])
    single = [i for i in better if i not in same]
    close: dict[int, list[tuple[float, int]]] = {}
    for a, b, distance in near([rows[i].get("phash") for i in single], share):  # a is better than b
        close.setdefault(b, []).append((distance, a))
    dropped: dict[int, tuple[int, float]] = {}
    for place, i in enumerate(single):
        staying = [(distance, a) for distance, a in close.get(place, ()) if single[a] not in dropped]
        if staying:
            distance, a = min(staying)
            dropped[i] = single[a], distance
    for i in better:
        if i in same:
            stays = same[i]
            while stays in same:
                stays = same[stays]
            dropped[i] = dropped.get(stays, (stays, 0.0))
    return dropped


def _rank(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Smaller is better."""
    area = (row.get("width") or 0) * (row.get("height") or 0)
    aesthetics, blur = row.get("aesthetics"), row.get("blur")
    return (-area, -(aesthetics or 0.0), -(row.get("seconds") or 0.0), -(blur or 0.0), str(row.get("clip")))
