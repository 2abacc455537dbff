"""How often something was right, with what can be said about the truth from so many clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from storyreel.evaluate.interval import resampled, share_of, wilson


@dataclass(frozen=True)
class Share:
    """`right` answers out of `n`, for one attribute, and the three commonest mistakes (expected, seen, how often)."""

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


def share_json(share: Share) -> dict[str, Any]:
    accuracy = round(share.accuracy, 5) if share.n else None
    return {"accuracy": accuracy, "interval": [round(x, 5) for x in share.interval], "right": share.right, "n": share.n}


@dataclass(frozen=True)
class AttributeScores:
    """Accuracy per attribute, and their plain mean with a 95 % interval from resampling whole clips.

    all_right: clips of which everything that was scored is right, out of those of which something was.
    """

    shares: dict[str, Share]
    mean: float
    interval: tuple[float, float]
    clips: int
    all_right: Share = Share(0, 0)

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
        return {"attributes": each, "mean": mean, "all_right": share_json(self.all_right), "clips": self.clips}

    def lines(self) -> list[str]:
        """A table for people."""
        wide = max([len("attribute"), len("all right"), *map(len, self.shares)])
        rows = [f"{'attribute':{wide}}  right %    95 % interval      n  commonest mistake (expected: seen)"]
        for name, s in self.shares.items():
            low, high = s.interval
            mistake = "; ".join(f"{w}: {g} ({k})" for w, g, k in s.mistakes[:1])
            right = f"{100 * s.accuracy:7.2f}" if s.n else "     --"
            rows.append(f"{name:{wide}}  {right}  {100 * low:6.2f} - {100 * high:6.2f}  {s.n:5d}  {mistake}".rstrip())
        low, high = self.interval
        rows.append(
            f"{'mean':{wide}}  {100 * self.mean:7.2f}  {100 * low:6.2f} - {100 * high:6.2f}  {self.clips:5d} clips"
        )
        if self.all_right.n:
            low, high = self.all_right.interval
            right = f"{100 * self.all_right.accuracy:7.2f}"
            rows.append(
                f"{'all right':{wide}}  {right}  {100 * low:6.2f} - {100 * high:6.2f}  {self.all_right.n:5d} clips"
            )
        return rows


@dataclass
class AttributeAccuracy:
    """Share of right answers, higher is better, 0 to 1. A few hundred clips give an attribute to within 3 points.

    An attribute that is absent or None in what is expected is not scored.
    """

    attributes: tuple[str, ...]
    right: list[list[int]] = field(default_factory=list)  # a clip each: how many answers were right, by attribute
    total: list[list[int]] = field(default_factory=list)  # and out of how many
    mistakes: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)

    def update(self, *things: tuple[Mapping[str, str | None], Mapping[str, str | None]]) -> None:
        """One clip: for each thing in it (most clips have one), what was seen of it and what was expected."""
        right, total = [0] * len(self.attributes), [0] * len(self.attributes)
        for seen, expected in things:
            for i, name in enumerate(self.attributes):
                want, got = expected.get(name), seen.get(name)
                if want is None:
                    continue
                total[i] += 1
                right[i] += want == got
                if want != got:
                    self.mistakes.setdefault(name, Counter())[str(want), "nothing" if got is None else str(got)] += 1
        self.right.append(right)
        self.total.append(total)

    def merge(self, other: AttributeAccuracy) -> None:
        """Add what another one counted, for the same attributes."""
        if self.attributes != other.attributes:
            raise ValueError(f"attributes: cannot merge {self.attributes} with {other.attributes}")
        self.right += other.right
        self.total += other.total
        for name, counts in other.mistakes.items():
            self.mistakes.setdefault(name, Counter()).update(counts)

    def compute(self, resamples: int = 1000, seed: int = 0) -> AttributeScores:
        shape = (len(self.right), len(self.attributes))
        right, total = (np.array(x, np.int64).reshape(shape) for x in (self.right, self.total))
        shares = {}
        for name, r, n in zip(self.attributes, right.sum(0).tolist(), total.sum(0).tolist(), strict=True):
            common = self.mistakes.get(name, Counter()).most_common(3)
            shares[name] = Share(r, n, tuple((w, g, k) for (w, g), k in common))
        mean = resampled(
            len(right), lambda pick: mean_accuracy(right[pick], total[pick]), resamples=resamples, seed=seed
        )
        known = (mean.value, mean.value) if total.any() else (0.0, 1.0)
        scored = total.sum(1) > 0
        whole = Share(int((right.sum(1) == total.sum(1))[scored].sum()), int(scored.sum()))
        return AttributeScores(shares, mean.value, mean.interval or known, len(right), whole)


def mean_accuracy(right: np.ndarray, total: np.ndarray) -> np.ndarray:
    """From numbers (..., clips, attributes) the mean over attributes of each one's accuracy, (...); attributes that
    were never scored are left out."""
    each = share_of(right.sum(-2), total.sum(-2))
    known = ~np.isnan(each)
    return share_of(np.where(known, each, 0.0).sum(-1), known.sum(-1))


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
