"""From scores to a decision: thresholds are a frozen value, and deciding is a pure function of columns and of them.

Nothing here decodes or measures. A score that was not measured (None) is not judged: it rejects nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, make_dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from storyreel.curate.score import Limit
from storyreel.curate.scores import judged, scores


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """`share` of the bits of two perceptual hashes in which they may differ and still be of one picture; None: off."""

    share: float | None = 0.08


class _Limits:
    """The methods of `Thresholds`."""

    duplicates: Duplicates

    def __post_init__(self) -> None:
        for f in fields(cast(Any, self)):
            limit = getattr(self, f.name)
            for part in fields(limit):
                value = getattr(limit, part.name)
                if value is not None and not math.isfinite(value):
                    raise ValueError(f"{f.name}.{part.name}: expected a finite number or none, got {value}")
            if isinstance(limit, Limit) and limit.min is not None and limit.max is not None and limit.min > limit.max:
                raise ValueError(f"{f.name}: min {limit.min} is above max {limit.max}, nothing can be kept")
        if self.duplicates.share is not None and not 0 <= self.duplicates.share <= 0.5:
            raise ValueError(f"duplicates.share: expected 0 to 0.5, got {self.duplicates.share}")

    def as_json(self) -> dict[str, dict[str, float | None]]:
        return {
            f.name: {p.name: getattr(v, p.name) for p in fields(v)}
            for f in fields(cast(Any, self))
            if (v := getattr(self, f.name))
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Mapping[str, float | None]]) -> Any:
        """ValueError names a field that is not known."""
        kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(cast(Any, cls))}
        made: dict[str, Any] = {}
        for name, parts in value.items():
            if name not in kinds:
                raise ValueError(f"thresholds: does not know {name!r}; there are {', '.join(kinds)}")
            try:
                made[name] = kinds[name](**parts)
            except TypeError:
                raise ValueError(f"thresholds: {name} does not know one of {', '.join(parts)}") from None
        return cls(**made)


if TYPE_CHECKING:

    @dataclass(frozen=True, init=False)
    class Thresholds(_Limits):
        """What a clip must be to be kept: a limit for each declared score that has one, and `duplicates`."""

        def __init__(self, **limits: Limit | Duplicates) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    _FIELDS = [(name, type(score.limit), score.limit) for name, score in judged().items()]
    Thresholds = make_dataclass(
        "Thresholds",
        [*_FIELDS, ("duplicates", Duplicates, Duplicates())],
        bases=(_Limits,),
        namespace={"__doc__": "What a clip must be to be kept: a limit for each declared score that has one."},
        frozen=True,
        kw_only=True,
    )
    Thresholds.__module__ = __name__


@dataclass(frozen=True)
class Reason:
    """Why a clip is rejected: what was measured, the limit, and how far away it is.

    name: "motion.min", "text.max", "duplicate", "manual". margin: below 0, the distance to the limit as a share of it
    (absolute where the limit is 0): -0.5 of a lower limit is half of the limit.
    """

    name: str
    value: float | None
    limit: float | None
    margin: float

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "limit": self.limit, "margin": self.margin}


@dataclass(frozen=True)
class LimitResult:
    """One limit over the rows of a table. column: of the score; failed, margin: (rows,), NaN where it does not judge.

    margin: how far on the good side, as a share of the limit (absolute where the limit is 0); below 0 on the bad side.
    """

    name: str
    column: str
    limit: float
    failed: np.ndarray
    margin: np.ndarray


def judge(columns: Mapping[str, np.ndarray], thresholds: Thresholds) -> list[LimitResult]:
    """Every limit that is set, in the order of the scores, over float columns; NaN (not measured) rejects nothing.

    Pure. Near duplicates need more than limits: `storyreel.curate.duplicates`.
    """
    found: list[LimitResult] = []
    for field, score in judged().items():
        limit, value = getattr(thresholds, field), columns[score.column]
        if limit.min is not None:
            bad, margin = value < limit.min, _margin(value - limit.min, limit.min)
            if score.excused_by and limit.difference_min is not None:  # both are needed: the nearer one counts
                other = columns[score.excused_by]
                bad &= ~(other >= limit.difference_min)
                nearer = np.fmax(margin, _margin(other - limit.difference_min, limit.difference_min))
                margin = np.where(np.isnan(value), np.nan, nearer)
            found.append(LimitResult(f"{field}.min", score.column, limit.min, bad, margin))
        if limit.max is not None:
            margin = _margin(limit.max - value, limit.max)
            found.append(LimitResult(f"{field}.max", score.column, limit.max, value > limit.max, margin))
    return found


def _margin(distance: np.ndarray, limit: float) -> np.ndarray:
    with np.errstate(over="ignore"):  # a limit of next to nothing is infinitely far away
        return distance / abs(limit) if limit else distance


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """The scores of rows as float64 columns, NaN where nothing was measured."""
    names = [score.column for score in scores().values()]
    return {n: np.array([np.nan if row.get(n) is None else row[n] for row in rows], np.float64) for n in names}


def decide(row: Mapping[str, Any], thresholds: Thresholds) -> list[Reason]:
    """Every reason to reject one row, in the order of the scores; an empty list keeps it."""
    found = judge(columns_of([row]), thresholds)
    return [Reason(one.name, row[one.column], one.limit, float(one.margin[0])) for one in found if one.failed[0]]


def margins(row: Mapping[str, Any], thresholds: Thresholds) -> dict[str, float]:
    """For each limit that judges one row its margin, good or bad: what a page shows beside a kept clip."""
    found = judge(columns_of([row]), thresholds)
    return {one.name: float(one.margin[0]) for one in found if not math.isnan(one.margin[0])}
