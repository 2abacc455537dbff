"""`storyreel.curate.choose` over columns: what 100,000 rows come to in milliseconds, for thresholds that move.

The same decisions as `decide` and `choose` make row by row, which the tests hold it to. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storyreel.curate.duplicates import duplicates
from storyreel.curate.thresholds import SCORES, Thresholds

Pairs = Mapping[tuple[str, str], float]  # two hashes, the smaller first -> share of bits that differ
RANKED = ("clip", "source_digest", "start", "end", "phash", "width", "height", "seconds", "blur", "aesthetics")


@dataclass(frozen=True)
class Verdict:
    """names: limits and "duplicate"; failed: bool (names, rows), which rows each would reject.

    kept: bool (rows,) with people's decisions. margin: (rows,) the smallest distance to any limit, as a share of it,
    below 0 where one rejects; NaN where nothing judges. copies: row -> (row that it repeats, share of bits).
    """

    names: tuple[str, ...]
    failed: np.ndarray
    kept: np.ndarray
    margin: np.ndarray
    copies: dict[int, tuple[int, float]]

    def reasons(self) -> dict[str, tuple[int, int]]:
        """Limit -> (rows that it rejects, rows that it alone rejects), the most first; only those that are dropped."""
        dropped = self.failed & ~self.kept
        alone = dropped[:, dropped.sum(0) == 1].sum(1)
        found = {name: (int(all_), int(one)) for name, all_, one in zip(self.names, dropped.sum(1), alone, strict=True)}
        return dict(sorted(found.items(), key=lambda item: (-item[1][0], item[0])))


def judge(scores: Mapping[str, np.ndarray], thresholds: Thresholds) -> tuple[list[str], np.ndarray, np.ndarray]:
    """(limits that are set, bool (limits, rows) that they reject, float (rows,) smallest margin). See `decide`."""
    names: list[str] = []
    failed: list[np.ndarray] = []
    least = np.full(len(next(iter(scores.values()))), np.inf)

    def add(name: str, bad: np.ndarray, margin: np.ndarray) -> None:
        names.append(name)
        failed.append(bad)
        np.fmin(least, margin, out=least)

    for field, (column, _) in SCORES.items():
        limit, value = getattr(thresholds, field), scores[column]
        if limit.min is not None:
            bad, margin = value < limit.min, _margin(value - limit.min, limit.min)
            if field == "motion" and limit.difference_min is not None:  # static needs both
                other = scores["motion_difference"]
                bad &= ~(other >= limit.difference_min)
                nearer = np.fmax(margin, _margin(other - limit.difference_min, limit.difference_min))
                margin = np.where(np.isnan(value), np.nan, nearer)
            add(f"{field}.min", bad, margin)
        if limit.max is not None:
            add(f"{field}.max", value > limit.max, _margin(limit.max - value, limit.max))
    least[np.isinf(least)] = np.nan
    return names, np.array(failed, bool).reshape(len(names), len(least)), least


def _margin(distance: np.ndarray, limit: float) -> np.ndarray:
    return distance / abs(limit) if limit else distance


class Copies:
    """Near duplicates among rows that may change from call to call: pairs are found once, groups each time.

    rows: those of `RANKED`, only of clips that have a twin at all; places: where they stand in the table.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], places: Sequence[int], pairs: Pairs) -> None:
        self.rows, self.places, self.pairs = rows, np.asarray(places, np.int64), pairs
        self.partners: dict[str, list[tuple[str, float]]] = {}
        for (a, b), differ in pairs.items():
            self.partners.setdefault(a, []).append((b, differ))
        self._last: tuple[bytes, float, dict[int, tuple[int, float]]] | None = None  # most decisions change no twin

    def among(self, taking: np.ndarray, share: float | None) -> dict[int, tuple[int, float]]:
        """`duplicates` of all rows of the table that take part, bool (rows of the table,)."""
        if share is None or not len(self.places):
            return {}
        here = taking[self.places]
        if not here.any():
            return {}
        key, last = here.tobytes(), self._last
        if last is not None and last[:2] == (key, share):
            return last[2]
        inside = np.flatnonzero(here).tolist()
        rows = [self.rows[i] for i in inside]
        found = duplicates(rows, share, near=self._near)
        places = self.places[inside]
        answer = {int(places[i]): (int(places[of]), differ) for i, (of, differ) in found.items()}
        self._last = key, share, answer
        return answer

    def _near(self, hashes: Sequence[str | None], share: float) -> list[tuple[int, int, float]]:
        at = {text: i for i, text in enumerate(hashes) if text}
        found = []
        for text, i in at.items():
            for other, differ in self.partners.get(text, ()):
                if differ <= share and other in at:
                    found.append((min(i, at[other]), max(i, at[other]), differ))
        return sorted(found)


def choose_columns(
    scores: Mapping[str, np.ndarray],
    thresholds: Thresholds,
    words: np.ndarray,
    errors: np.ndarray,
    copies: Copies,
) -> Verdict:
    """`choose` over columns. words: int8 (rows,) people's decisions: 1 keep, 0 drop, -1 none. errors: bool (rows,)."""
    names, failed, margin = judge(scores, thresholds)
    bad = failed.any(0) | errors
    found = copies.among((words == 1) | ((words < 0) & ~bad), thresholds.duplicates.share)
    repeats = np.zeros(len(words), bool)
    limit = thresholds.duplicates.share or 0.0
    for row, (_, differ) in found.items():
        repeats[row] = True
        margin[row] = np.fmin(margin[row], (differ - limit) / limit if limit else -1.0)
    margin[errors] = -1.0
    kept = np.where(words < 0, ~(bad | repeats), words == 1) & ~errors
    more = [("duplicate", repeats), ("error", errors), ("manual", words == 0)]
    more = [(name, mask) for name, mask in more if mask.any()]
    failed = np.concatenate([failed, np.array([mask for _, mask in more], bool).reshape(len(more), len(words))])
    return Verdict((*names, *(name for name, _ in more)), failed, kept, margin, found)
