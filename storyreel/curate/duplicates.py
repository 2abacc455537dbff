"""Exact and near duplicates over a whole set, without comparing everything with everything.

A hash is the perceptual hash of a clip over time, a string of hex digits: several 64-bit words, one a sampled frame.
Two clips are near when the words of both differ in at most `share` of all bits. Candidates come from bands: if two
words differ in at most k bits, and the word is cut into k + 1 bands, one band at least is equal. Only clips that share
a band are compared, so 100,000 clips take seconds; a band value that very many clips share (a black frame) says
nothing and is compared only with its neighbours in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

BANDS = 8  # of a hash; each takes bits from all over it
CROWD = 64  # clips that share one band value; beyond, each is compared with the next CROWD only


def near_pairs(hashes: Sequence[str | None], share: float) -> list[tuple[int, int, float]]:
    """(i, j, share of bits that differ), i < j, of all pairs that were found near, sorted.

    Only hashes of one length are compared; None is near to nothing.
    """
    found: dict[tuple[int, int], float] = {}
    for length in sorted({len(h) for h in hashes if h}):
        rows = np.array([i for i, h in enumerate(hashes) if h and len(h) == length])
        bits = np.frombuffer(b"".join(bytes.fromhex(str(hashes[i]).zfill(length + length % 2)) for i in rows), np.uint8)
        bits = bits.reshape(len(rows), -1)
        candidates = _candidates(bits)
        for start in range(0, len(candidates), 1 << 20):
            part = candidates[start : start + (1 << 20)]
            differ = np.bitwise_count(bits[part[:, 0]] ^ bits[part[:, 1]]).sum(1, dtype=np.int64) / (bits.shape[1] * 8)
            for (i, j), d in zip(part[differ <= share], differ[differ <= share], strict=True):
                a, b = sorted((int(rows[i]), int(rows[j])))
                found[a, b] = float(d)
    return sorted((i, j, d) for (i, j), d in found.items())


def _candidates(bits: np.ndarray) -> np.ndarray:
    """int64 (n, 2) pairs of rows of `bits` uint8 (rows, bytes) that share at least one band or word."""
    pairs = []
    for band in _bands(bits):
        order = np.lexsort((np.arange(len(band)), band))
        value = band[order]
        # a clip meets those that follow it in its band value, up to CROWD of them
        for step in range(1, min(CROWD, len(order) - 1) + 1):
            same = np.flatnonzero(value[step:] == value[:-step])
            if not len(same):
                break
            pairs.append(np.stack([order[same], order[same + step]], 1))
    if not pairs:
        return np.empty((0, 2), np.int64)
    found = np.concatenate(pairs).astype(np.int64)
    found.sort(axis=1)
    key = np.unique(found[:, 0] * len(bits) + found[:, 1])
    return np.stack([key // len(bits), key % len(bits)], 1)


def _bands(bits: np.ndarray) -> list[np.ndarray]:
    """Values of each band, one a clip: runs of bytes that cut the hash into at least BANDS parts of 2 bytes or more."""
    wide = bits.shape[1]
    size = max(1, min(4, wide // BANDS))
    bands = []
    for start in range(0, wide - size + 1, size):
        value = np.zeros(len(bits), np.uint64)
        for k in range(size):
            value = value << np.uint64(8) | bits[:, start + k].astype(np.uint64)
        bands.append(value)
    return bands


def duplicates(
    rows: Sequence[Mapping[str, Any]], share: float | None, taking: Sequence[bool] | None = None
) -> dict[int, tuple[int, float]]:
    """Row -> (the better row that it repeats, share of bits that differ; 0 for an exact copy).

    taking: which rows take part; None for all. In a group the best-scored row stays: more pixels, longer, sharper,
    then the first by clip id, so that the order of the rows does not matter. A row is dropped only for one that stays
    and is near it itself: chains of small steps do not drop what is not alike.
    """
    part = [i for i in range(len(rows)) if taking is None or taking[i]]
    better = sorted(part, key=lambda i: _rank(rows[i]))
    place = {row: number for number, row in enumerate(better)}
    near: dict[int, list[tuple[int, float]]] = {}
    first: dict[tuple[Any, ...], int] = {}
    dropped: dict[int, tuple[int, float]] = {}
    for i in better:
        key = (rows[i].get("source_digest"), rows[i].get("start"), rows[i].get("end"))
        if key[0] is not None and key in first:
            dropped[i] = (first[key], 0.0)
        else:
            first[key] = i
    if share is None:
        return {}
    for a, b, distance in near_pairs([rows[i].get("phash") for i in part], share):
        near.setdefault(part[a], []).append((part[b], distance))
        near.setdefault(part[b], []).append((part[a], distance))
    for i in better:
        if i in dropped:
            continue
        best = min(
            ((d, place[j], j) for j, d in near.get(i, ()) if place[j] < place[i] and j not in dropped), default=None
        )
        if best is not None:
            dropped[i] = (best[2], best[0])
    return dropped


def _rank(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Smaller is better."""
    area = (row.get("width") or 0) * (row.get("height") or 0)
    aesthetics, blur = row.get("aesthetics"), row.get("blur")
    return (-area, -(aesthetics or 0.0), -(row.get("seconds") or 0.0), -(blur or 0.0), str(row.get("clip")))
