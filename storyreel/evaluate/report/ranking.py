"""Which clips are the best and the worst of a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 10


def rankings(document: Mapping[str, Any]) -> dict[str, dict[str, list[int]]]:
    """Score -> numbers of its worst and its best clips, at most ten each and none twice; scores of single clips alone.

    A measure that should be as real ones are is ranked by how far from them it is.
    """
    found = {}
    for score in document["scores"]:
        order = _order(score, document["per_clip"])
        if len(order) < 2:
            continue
        k = min(SHOWN, len(order) // 2)
        found[score["name"]] = {"worst": order[::-1][:k], "best": order[:k]}
    return found


def _order(score: Mapping[str, Any], clips: Sequence[Mapping[str, Any]]) -> list[int]:
    """Best first; clips without a value left out."""
    real = score.get("real")
    if score["direction"] == "real" and real is None:
        return []
    values = {i: v for i, clip in enumerate(clips) if (v := clip["scores"].get(score["name"])) is not None}
    if score["direction"] == "real":
        return sorted(values, key=lambda i: abs(values[i] - real))
    return sorted(values, key=lambda i: values[i] if score["direction"] == "lower" else -values[i])


def shown_first(found: Mapping[str, Mapping[str, Sequence[int]]]) -> list[int]:
    """The ranked clips, so that the worst and the best of every score come before the second worst of any."""
    places = [ranks[kind][place : place + 1] for place in range(SHOWN) for ranks in found.values() for kind in ranks]
    return list(dict.fromkeys(i for few in places for i in few))
