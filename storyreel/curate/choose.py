"""Which rows are kept: thresholds, duplicates and people's decisions together, over columns. Nothing is decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storyreel.curate.duplicates import duplicates
from storyreel.curate.thresholds import LimitResult, Reason, Thresholds, columns_of, judge

Copies = Callable[[np.ndarray, float | None], Mapping[int, tuple[int, float]]]
"""(bool (rows,) which take part, share of bits) -> row -> (row that it repeats, share of bits that differ)."""


@dataclass(frozen=True)
class Selection:
    """names: limits and "duplicate", "error", "manual"; failed: bool (names, rows), which rows each would reject.

    selected: bool (rows,) with people's decisions. margin: (rows,) the smallest distance to any limit, as a share of
    it, below 0 where one rejects; NaN where nothing judges. copies: row -> (row that it repeats, share of bits).
    """

    limits: tuple[LimitResult, ...]
    names: tuple[str, ...]
    failed: np.ndarray
    selected: np.ndarray
    margin: np.ndarray
    copies: Mapping[int, tuple[int, float]]
    share: float

    def reasons(self) -> dict[str, tuple[int, int]]:
        """Limit -> (rows that it rejects, rows that it alone rejects), the most first; only those that are dropped."""
        dropped = self.failed & ~self.selected
        alone = dropped[:, dropped.sum(0) == 1].sum(1)
        found = {name: (int(all_), int(one)) for name, all_, one in zip(self.names, dropped.sum(1), alone, strict=True)}
        return dict(sorted(found.items(), key=lambda item: (-item[1][0], item[0])))

    def near(self, differ: float) -> float:
        """The margin of a duplicate."""
        return (differ - self.share) / self.share if self.share else -1.0

    def reasons_of(self, row: Mapping[str, Any], place: int, word: bool | None) -> list[Reason]:
        """Why this row, which stands at `place`, is rejected, or would be."""
        found = [Reason(one.name, row[one.column], one.limit, float(one.margin[place])) for one in self.limits
                 if one.failed[place]]  # fmt: skip
        if row.get("error"):
            found.append(Reason("error", None, None, -1.0))
        if place in self.copies:
            differ = self.copies[place][1]
            found.append(Reason("duplicate", differ, self.share, self.near(differ)))
        return [*found, Reason("manual", None, None, -1.0)] if word is False else found

    def margins_of(self, place: int) -> dict[str, float]:
        """For each limit that judges a row its margin, good or bad."""
        return {one.name: float(one.margin[place]) for one in self.limits if not np.isnan(one.margin[place])}


def choose_columns(
    scores: Mapping[str, np.ndarray], thresholds: Thresholds, words: np.ndarray, errors: np.ndarray, copies: Copies
) -> Selection:
    """Decide on all rows. words: int8 (rows,) people's decisions: 1 keep, 0 drop, -1 none. errors: bool (rows,).

    A person's word comes last and overrides. Duplicates are looked for among what is kept otherwise, so that a clip
    never yields to one that is itself rejected.
    """
    limits = judge(scores, thresholds)
    failed = np.array([one.failed for one in limits], bool).reshape(len(limits), len(words))
    margin = np.full(len(words), np.inf)
    for one in limits:
        np.fmin(margin, one.margin, out=margin)
    margin[np.isinf(margin)] = np.nan
    bad = failed.any(0) | errors
    found = copies((words == 1) | ((words < 0) & ~bad), thresholds.duplicates.share)
    repeats = np.zeros(len(words), bool)
    repeats[list(found)] = True
    selected = np.where(words < 0, ~(bad | repeats), words == 1) & ~errors
    more = [("duplicate", repeats), ("error", errors), ("manual", words == 0)]
    more = [(name, mask) for name, mask in more if mask.any()]
    failed = np.concatenate([failed, np.array([mask for _, mask in more], bool).reshape(len(more), len(words))])
    names = (*(one.name for one in limits), *(name for name, _ in more))
    verdict = Selection(tuple(limits), names, failed, selected, margin, found, thresholds.duplicates.share or 0.0)
    for row, (_, differ) in found.items():
        margin[row] = np.fmin(margin[row], verdict.near(differ)) if not np.isnan(margin[row]) else verdict.near(differ)
    margin[errors] = -1.0
    return verdict


def choose(
    rows: Sequence[dict[str, Any]], thresholds: Thresholds, edits: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Fill `kept`, `reasons`, `decided_by`, `duplicate_of` and edited captions of every row, in place.

    What the thresholds would have said stays in `reasons` where a person overrides them.
    """
    edits = edits or {}
    for row in rows:
        caption = edits.get(row["clip"], {}).get("caption")
        row["captions"] = list(row.get("captions_made") or []) if caption is None else [caption]
        row["caption"] = row["captions"][0] if row["captions"] else ""
        row["caption_from"] = row.get("caption_made_from") if caption is None else "manual"
        row["caption_words"] = len(row["caption"].split())
    words = [edits.get(row["clip"], {}).get("keep") for row in rows]
    numbers = np.array([-1 if word is None else int(bool(word)) for word in words], np.int8)
    errors = np.array([bool(row.get("error")) for row in rows], bool)
    verdict = choose_columns(
        columns_of(rows), thresholds, numbers, errors, lambda taking, share: duplicates(rows, share, taking.tolist())
    )
    for place, (row, word) in enumerate(zip(rows, words, strict=True)):
        fill(row, verdict, place, word, lambda of: rows[of]["clip"])


def fill(row: dict[str, Any], verdict: Selection, place: int, word: bool | None, clip_at: Callable[[int], str]) -> None:
    """The decision of a row that stands at `place`, in place. word: a person's. clip_at: the id of the clip there."""
    row["duplicate_of"] = row["duplicate_share_of_bits"] = None
    if place in verdict.copies:
        of, row["duplicate_share_of_bits"] = verdict.copies[place]
        row["duplicate_of"] = clip_at(of)
    row["kept"] = bool(verdict.selected[place])
    row["decided_by"] = "thresholds" if word is None else "manual"
    row["reasons"] = [reason.as_json() for reason in verdict.reasons_of(row, place, word)]


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many rows each reason rejects, the most first; a row with two reasons counts for both."""
    found = Counter(reason["name"] for row in rows if not row["kept"] for reason in row["reasons"])
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
