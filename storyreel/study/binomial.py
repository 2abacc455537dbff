"""Exact tests and intervals of shares: the sign test, Holm's correction, how many prompts a study needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np

Z95 = 1.959963984540054


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p-value of `wins` against `losses` when either is as likely; 1 without any.

    >>> round(sign_test(8, 2), 6)
    0.109375
    """
    from scipy import stats

    return float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values, in the order given.

    >>> [round(p, 10) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values, np.float64)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return adjusted.tolist()


def unanimous(n: int) -> float:
    """The 95 % Clopper-Pearson lower bound of a share when all `n` agreed; 0 when n is 0.

    >>> round(unanimous(10), 3)
    0.692
    """
    return 0.025 ** (1 / n) if n else 0.0


def half_width(prompts: float, raters: float = 1, alike: float = 1.0, share: float = 0.5) -> float:
    """Half of the 95 % interval of a win rate of `share`, for so many prompts with so many raters each.

    alike: correlation of two raters' votes on one prompt (1: a further rater adds nothing).

    >>> round(100 * half_width(100), 1), round(100 * half_width(300), 1)
    (9.8, 5.7)
    """
    inflation = (1 + (raters - 1) * alike) / raters
    return Z95 * sqrt(share * (1 - share) * inflation / prompts)


def prompts_for(half: float, raters: float = 1, alike: float = 1.0, share: float = 0.5) -> int:
    """The prompts that bring the half-width down to `half`.

    >>> prompts_for(0.05)
    385
    """
    return ceil(prompts_needed) if (prompts_needed := (half_width(1, raters, alike, share) / half) ** 2) else 1


def t95(freedom: float) -> float:
    """The 97.5 % point of Student's t.

    >>> round(t95(1), 2), round(t95(4), 3), round(t95(1e9), 3)
    (12.71, 2.776, 1.96)
    """
    from scipy import stats

    return float(stats.t.ppf(0.975, max(1.0, freedom)))
