"""How often something was right, with what can be said about the truth from so many clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

Z95 = 1.959964


def wilson(right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share of `right` out of `n`; (0, 1) when n is 0.

    >>> tuple(round(x, 3) for x in wilson(98, 100))
    (0.93, 0.994)
    """
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = share + z * z / (2 * n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


@dataclass(frozen=True)
class Share:
    """`right` answers out of `n`, for one attribute, and the three commonest mistakes (wanted, seen, how often)."""

    right: int
    n: int
    mistakes: tuple[tuple[str, str, int], ...] = ()

    @property
    def accuracy(self) -> float:
        return self.right / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, Wilson."""
        return wilson(self.right, self.n)


@dataclass(frozen=True)
class Report:
    """Accuracy per attribute, and their plain mean with a 95 % interval from resampling whole clips."""

    shares: dict[str, Share]
    mean: float
    interval: tuple[float, float]
    clips: int

    def as_json(self) -> dict[str, Any]:
        each = {
            name: {
                "accuracy": round(s.accuracy, 5) if s.n else None,
                "interval": [round(x, 5) for x in s.interval],
                "right": s.right,
                "n": s.n,
                "mistakes": [{"wanted": w, "seen": g, "times": k} for w, g, k in s.mistakes],
            }
            for name, s in self.shares.items()
        }
        known = self.clips > 0 and self.mean == self.mean
        mean = {"accuracy": round(self.mean, 5) if known else None, "interval": [round(x, 5) for x in self.interval]}
        return {"attributes": each, "mean": mean, "clips": self.clips}

    def lines(self) -> list[str]:
        """A table for people."""
        wide = max([len("attribute"), *map(len, self.shares)])
        rows = [f"{'attribute':{wide}}  right %    95 % interval      n  commonest mistake (wanted: seen)"]
        for name, s in self.shares.items():
            low, high = s.interval
            mistake = "; ".join(f"{w}: {g} ({k})" for w, g, k in s.mistakes[:1])
            right = f"{100 * s.accuracy:7.2f}" if s.n else "     --"
            rows.append(f"{name:{wide}}  {right}  {100 * low:6.2f} - {100 * high:6.2f}  {s.n:5d}  {mistake}".rstrip())
        low, high = self.interval
        rows.append(
            f"{'mean':{wide}}  {100 * self.mean:7.2f}  {100 * low:6.2f} - {100 * high:6.2f}  {self.clips:5d} clips"
        )
        return rows


@dataclass
class AttributeAccuracy:
    """Share of right answers, higher is better, 0 to 1. A few hundred clips give an attribute to within 3 points.

    An attribute that is absent or None in `wanted` is not scored for that clip.
    """

    attributes: tuple[str, ...]
    rows: list[list[float]] = field(default_factory=list)  # a clip each: 1 right, 0 wrong, nan not scored
    mistakes: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)

    def update(self, seen: Mapping[str, str | None], wanted: Mapping[str, str | None]) -> None:
        """One clip: what was seen in it, and what should have been."""
        row = []
        for name in self.attributes:
            want, got = wanted.get(name), seen.get(name)
            row.append(float("nan") if want is None else float(want == got))
            if want is not None and want != got:
                self.mistakes.setdefault(name, Counter())[str(want), str(got)] += 1
        self.rows.append(row)

    def merge(self, other: AttributeAccuracy) -> None:
        """Add what another one counted, for the same attributes."""
        if self.attributes != other.attributes:
            raise ValueError(f"attributes: cannot merge {self.attributes} with {other.attributes}")
        self.rows += other.rows
        for name, counts in other.mistakes.items():
            self.mistakes.setdefault(name, Counter()).update(counts)

    def compute(self, resamples: int = 1000, seed: int = 0) -> Report:
        table = np.array(self.rows, dtype=np.float64).reshape(len(self.rows), len(self.attributes))
        shares = {}
        for column, name in enumerate(self.attributes):
            scored = table[:, column][~np.isnan(table[:, column])]
            common = self.mistakes.get(name, Counter()).most_common(3)
            shares[name] = Share(int(scored.sum()), len(scored), tuple((w, g, k) for (w, g), k in common))
        return Report(shares, _mean(table), _bootstrap(table, resamples, seed), len(table))


def _mean(table: np.ndarray) -> float:
    """Mean over attributes of each one's accuracy; attributes that were never scored are left out."""
    scored = ~np.isnan(table)
    n = scored.sum(0)
    if not n.any():
        return float("nan")
    return float((np.where(scored, table, 0).sum(0)[n > 0] / n[n > 0]).mean())


def _bootstrap(table: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    if not len(table) or np.isnan(table).all():
        return 0.0, 1.0
    rng = np.random.default_rng(seed)
    means = [_mean(table[rng.integers(len(table), size=len(table))]) for _ in range(resamples)]
    low, high = np.nanquantile(means, [0.025, 0.975])
    return float(low), float(high)


def labels(attributes: Mapping[str, Any], only: Sequence[str] | None = None) -> dict[str, str | None]:
    """A row's `attributes` as words: numbers and flags become text, the items of a list get names of their own.

    >>> labels({"digits": [3, 7], "motion": "up", "head": None, "speed": 0.25})
    {'digits_1': '3', 'digits_2': '7', 'motion': 'up', 'head': None}

    Fractions, which are no classes, are left out. `only` keeps the named ones, and what their lists became.
    """
    made: dict[str, str | None] = {}
    for name, value in attributes.items():
        if only is not None and name not in only:
            continue
        if isinstance(value, (list, tuple)):
            made |= labels({f"{name}_{i + 1}": item for i, item in enumerate(value)})
        elif value is None or isinstance(value, (str, int)):
            made[name] = None if value is None else str(value)
    return made
