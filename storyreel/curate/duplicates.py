"""Exact and near duplicates over a whole set, without comparing everything with everything.

A hash is the perceptual hash of a clip over time, a string of hex digits. Two clips are near when their hashes differ
in at most a `share` of the bits. Candidates come from locality-sensitive hashing by drawn bits (Indyk and Motwani
1998): clips that agree in k drawn bits are compared, for as many drawings as it takes to find a pair at the limit with
probability 0.995, and nearer ones all but surely. So 100,000 clips take seconds. The drawings are always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

MISSED = 0.005  # chance that a pair just within the limit is not found
DRAWINGS = (4, 96)  # at least and at most
CROWD = 32  # clips that agree in the drawn bits; where there are more, each is compared with the next CROWD only


def near_pairs(hashes: Sequence[str | None], share: float) -> list[tuple[int, int, float]]:
    """(i, j, share of bits that differ), i < j, of all pairs that were found near, sorted.

    Only hashes of one length are compared; None is near to nothing.
    """
    found: dict[tuple[int, int], float] = {}
    for length in sorted({len(h) for h in hashes if h}):
        rows = np.array([i for i, h in enumerate(hashes) if h and len(h) == length])
        bits = np.frombuffer(b"".join(bytes.fromhex(str(hashes[i]).zfill(length + length % 2)) for i in rows), np.uint8)
        bits = bits.reshape(len(rows), -1)
        candidates = _candidates(bits, share)
        for start in range(0, len(candidates), 1 << 20):
            part = candidates[start : start + (1 << 20)]
            differ = np.bitwise_count(bits[part[:, 0]] ^ bits[part[:, 1]]).sum(1, dtype=np.int64) / (bits.shape[1] * 8)
            for (i, j), d in zip(part[differ <= share], differ[differ <= share], strict=True):
                a, b = sorted((int(rows[i]), int(rows[j])))
                found[a, b] = float(d)
    return sorted((i, j, d) for (i, j), d in found.items())


def _candidates(bits: np.ndarray, share: float) -> np.ndarray:
    """int64 (n, 2) pairs of rows of `bits` uint8 (rows, bytes) that agree in all bits of at least one drawing."""
    found = np.empty(0, np.int64)
    for value in _drawings(bits, share):
        order = np.argsort(value, kind="stable")
        value, pairs = value[order], []
        for step in range(1, min(CROWD, len(order) - 1) + 1):  # a clip meets those that follow it
            same = np.flatnonzero(value[step:] == value[:-step])
            if not len(same):
                break
            a, b = order[same], order[same + step]
            pairs.append(np.minimum(a, b) * len(bits) + np.maximum(a, b))
        if pairs:
            found = np.unique(np.concatenate([found, *pairs]))
    return np.stack([found // len(bits), found % len(bits)], 1)


def _drawings(bits: np.ndarray, share: float) -> Iterator[np.ndarray]:
    """uint64 (rows,) the drawn bits of each row, for one drawing after another."""
    rng, wide = np.random.default_rng(0), bits.shape[1] * 8
    k = min(wide, max(16, int(np.ceil(np.log2(max(2, len(bits)))))))
    agree = (1 - share) ** k
    count = DRAWINGS[0] if agree >= 1 else int(np.ceil(np.log(MISSED) / np.log1p(-agree)))
    for _ in range(min(DRAWINGS[1], max(DRAWINGS[0], count))):
        value = np.zeros(len(bits), np.uint64)
        for at in rng.choice(wide, k, replace=False):
            bit = bits[:, at // 8] >> np.uint8(7 - at % 8) & np.uint8(1)
            value = value << np.uint64(1) | bit.astype(np.uint64)
        yield value


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
