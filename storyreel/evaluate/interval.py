"""Figures with 95 % intervals, by resampling (Efron 1979)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from storyreel.evaluate.score import AttributeAccuracy

RESAMPLES = 2000


@dataclass(frozen=True)
class Measured:
    """A value from `n` independent things; no interval where there are fewer than two."""

    value: float
    low: float | None
    high: float | None
    n: int

    def as_json(self) -> dict[str, Any]:
        if not np.isfinite(self.value):
            return {"value": None, "interval": None, "n": self.n}
        known = self.low is not None and self.high is not None and np.isfinite([self.low, self.high]).all()
        interval = [round(float(self.low or 0), 5), round(float(self.high or 0), 5)] if known else None
        return {"value": round(self.value, 5), "interval": interval, "n": self.n}


def mean_of(values: Sequence[float]) -> Measured:
    """The mean; NaN of nothing."""
    x = np.asarray(values, np.float64)
    return _resampled(len(x), lambda pick: float(x[pick].mean()) if len(pick) else float("nan"))


def ratio_of(tops: Sequence[float], bottoms: Sequence[float]) -> Measured:
    """sum(tops) / sum(bottoms), resampled in pairs: a pair with a tiny bottom does no harm. NaN for 0 / 0."""
    t, b = np.asarray(tops, np.float64), np.asarray(bottoms, np.float64)

    def ratio(pick: np.ndarray) -> float:
        below = b[pick].sum()
        return float(t[pick].sum() / below) if below > 0 else float("nan")

    return _resampled(len(t), ratio)


def gap_of(ours: AttributeAccuracy, theirs: AttributeAccuracy, seed: int = 0) -> Measured:
    """Mean attribute accuracy of `ours` less that of `theirs`; the clips of each are resampled on their own."""
    rng, found = np.random.default_rng(seed), []
    for metric in (ours, theirs):
        shape = (len(metric.right), len(metric.attributes))
        right, asked = (np.array(x, np.float64).reshape(shape) for x in (metric.right, metric.asked))
        picks = [np.arange(len(right)), *(rng.integers(len(right), size=len(right)) for _ in range(RESAMPLES // 2))]
        found.append(np.array([_mean(right[p].sum(0), asked[p].sum(0)) for p in picks]))
    gaps = found[0] - found[1]
    n = min(len(ours.right), len(theirs.right))
    low, high = np.nanquantile(gaps[1:], [0.025, 0.975]).tolist() if n > 1 else (None, None)
    return Measured(float(gaps[0]), low, high, n)


def relative_of(ours: AttributeAccuracy, real: AttributeAccuracy, *, all_right: bool = False) -> Measured:
    """Accuracy of `ours` over that of real clips of the same prompts, in the same order; resampled in pairs.

    Mean attribute accuracy, or the share of clips with all attributes right. NaN where no real clip is right.
    """
    mine, theirs = ([np.array(x, np.float64) for x in (m.right, m.asked)] for m in (ours, real))
    if len(mine[0]) != len(theirs[0]):
        raise ValueError(f"real clips: expected as many as clips, {len(mine[0])}, got {len(theirs[0])}")

    def accuracy(right: np.ndarray, asked: np.ndarray) -> float:
        if not all_right:
            return _mean(right.sum(0), asked.sum(0))
        scored = asked.sum(1) > 0
        return float((right.sum(1) == asked.sum(1))[scored].mean()) if scored.any() else float("nan")

    def ratio(pick: np.ndarray) -> float:
        below = accuracy(theirs[0][pick], theirs[1][pick])
        return accuracy(mine[0][pick], mine[1][pick]) / below if below > 0 else float("nan")

    return _resampled(len(mine[0]), ratio)


def _mean(right: np.ndarray, asked: np.ndarray) -> float:
    scored = asked > 0
    return float((right[scored] / asked[scored]).mean()) if scored.any() else float("nan")


def _resampled(n: int, statistic: Callable[[np.ndarray], float], seed: int = 0) -> Measured:
    value = statistic(np.arange(n))
    if n < 2 or not np.isfinite(value):
        return Measured(value, None, None, n)
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng.integers(n, size=n)) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(drawn, [0.025, 0.975]).tolist()
    return Measured(value, low, high, n)
