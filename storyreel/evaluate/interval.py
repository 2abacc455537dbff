"""Figures with 95 % intervals: percentiles of resamples (Efron 1979), and Wilson's interval of a share. By scipy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 2000
Z95 = 1.959963984540054
NUMBERS = 1 << 18  # of indices that are drawn at once


@dataclass(frozen=True)
class Measured:
    """A value from `n` independent things; no interval where there are fewer than two."""

    value: float
    low: float | None
    high: float | None
    n: int

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)

    def as_json(self) -> dict[str, Any]:
        if not np.isfinite(self.value):
            return {"value": None, "interval": None, "n": self.n}
        known = self.interval is not None and np.isfinite(self.interval).all()
        interval = [round(float(x), 5) for x in self.interval or ()] if known else None
        return {"value": round(self.value, 5), "interval": interval, "n": self.n}


def resampled(
    n: int, statistic: Callable[[np.ndarray], np.ndarray], *, resamples: int = RESAMPLES, seed: int = 0
) -> Measured:
    """A statistic of n things with its percentile interval; resamples for which it is NaN do not count.

    statistic: from numbers of things, integers (..., n), to its values (...).
    """
    value = float(statistic(np.arange(n))) if n else float("nan")
    if n < 2 or not np.isfinite(value):
        return Measured(value, None, None, n)
    low, high = np.nanquantile(bootstrap(n, statistic, resamples, seed), [0.025, 0.975]).tolist()
    return Measured(value, low, high, n)


def bootstrap(n: int, statistic: Callable[[np.ndarray], np.ndarray], resamples: int, seed: int = 0) -> np.ndarray:
    """(resamples,): the statistic when n >= 2 things are drawn again, with replacement."""
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # all resamples alike: an interval of width 0
        found = stats.bootstrap(
            (np.arange(n),), lambda pick, axis: statistic(pick), n_resamples=resamples, vectorized=True,
            batch=max(1, NUMBERS // n), method="percentile", rng=np.random.default_rng(seed),
        )  # fmt: skip
    return found.bootstrap_distribution


def mean_of(values: Sequence[float] | np.ndarray) -> Measured:
    """The mean; NaN of nothing."""
    x = np.asarray(values, np.float64)
    return resampled(len(x), lambda pick: x[pick].mean(-1))


def ratio_of(tops: Sequence[float], bottoms: Sequence[float]) -> Measured:
    """sum(tops) / sum(bottoms), resampled in pairs: a pair with a tiny bottom does no harm. NaN for 0 / 0."""
    t, b = np.asarray(tops, np.float64), np.asarray(bottoms, np.float64)
    return resampled(len(t), lambda pick: share_of(t[pick].sum(-1), b[pick].sum(-1)))


def share_of(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; NaN where whole is not above 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of Wilson (1927) for a share of `right` out of `n`; (0, 1) when n is 0.

    >>> tuple(round(x, 3) for x in wilson(98, 100))
    (0.93, 0.994)
    """
    from scipy import stats

    if n == 0:
        return 0.0, 1.0
    found = stats.binomtest(right, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
