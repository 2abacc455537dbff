"""Exact and near duplicates over a whole set, and which of them stays.

A clip repeats another one when their perceptual hashes over time are near (`near_hashes`), or when one shows frames of
the other alone, mirrored or turned by right angles (`copies`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from storyreel.curate.copies import copied_pairs
from storyreel.curate.near_hashes import near_pairs

__all__ = ["duplicates", "near_pairs", "pairs_of"]

Row = Mapping[str, Any]
Pairs = list[tuple[int, int, float]]


def pairs_of(rows: Sequence[Row], share: float) -> Pairs:
    """(i, j, share of bits that differ), i < j, of all rows that repeat each other, sorted."""
    found = {(i, j): differ for i, j, differ in copied_pairs([row.get("frame_hashes") for row in rows], share)}
    found |= {(i, j): differ for i, j, differ in near_pairs([row.get("phash") for row in rows], share)}
    return sorted((i, j, differ) for (i, j), differ in found.items())


def duplicates(
    rows: Sequence[Row],
    share: float | None,
    taking: Sequence[bool] | None = None,
    pairs: Callable[[Sequence[Row], float], Pairs] = pairs_of,
) -> dict[int, tuple[int, float]]:
    """Row -> (the better row that it repeats, share of bits that differ; 0 for an exact copy).

    taking: which rows take part; None for all. pairs: what finds the pairs. In a group the best row stays: one with a
    caption, then of more pixels, of better looks, clearly sharper, longer, sharper, then the first by clip id, so that
    the order of the rows does not matter. A row is dropped only for one that stays and is near it itself: chains of
    small steps do not drop what is not alike.
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
    for a, b, distance in pairs([rows[i] for i in single], share):  # a is better than b
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


def _rank(row: Row) -> tuple[Any, ...]:
    """Smaller is better."""
    area = (row.get("width") or 0) * (row.get("height") or 0)
    captioned, aesthetics, sharp = bool(row.get("caption_words")), row.get("aesthetics"), row.get("blur") or 0.0
    octave = round(2 * math.log2(sharp)) if sharp > 0 else -100
    longer = row.get("seconds") or 0.0
    return (not captioned, -area, -(aesthetics or 0.0), -octave, -longer, -sharp, str(row.get("clip")))
