"""Exact tests and intervals of shares: the sign test, Holm's correction, how many prompts a study needs."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, cos, exp, lgamma, log, pi, sin, sqrt

Z95 = 1.959963984540054


def sign_test(wins: int, losses: int) -> float:
    """Two-sided exact p-value of `wins` against `losses` when either is as likely; 1 without any.

    >>> round(sign_test(8, 2), 6)
    0.109375
    """
    n, fewer = wins + losses, min(wins, losses)
    if n == 0 or wins == losses:
        return 1.0
    # terms of the lower tail, from the largest down, on a log scale so that 2^n never overflows
    term = lgamma(n + 1) - lgamma(fewer + 1) - lgamma(n - fewer + 1) - n * log(2)
    tail, share = 0.0, 1.0
    for k in range(fewer, -1, -1):
        tail += share
        share *= k / (n - k + 1)
        if share < 1e-17 * tail:
            break
    return min(1.0, 2 * exp(term) * tail)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values, in the order given.

    >>> [round(p, 10) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        worst = max(worst, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = worst
    return adjusted


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
    """The 97.5 % point of Student's t, to four digits (Hill 1970, CACM algorithm 396; exact for 1 and 2).

    >>> round(t95(1), 2), round(t95(4), 3), round(t95(1e9), 3)
    (12.71, 2.776, 1.96)
    """
    n, p = max(1.0, freedom), 0.05
    if n < 1.5:
        return cos(p * pi / 2) / sin(p * pi / 2)
    if n < 2.5:
        n = 2.0
        return sqrt(2 / (p * (2 - p)) - 2)
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * sqrt(a * pi / 2) * n
    y = (d * p) ** (2 / n)
    if y > 0.05 + a:
        x = -Z95
        y = x * x
        c += 0.3 * (n - 4.5) * (x + 0.6) if n < 5 else 0
        c = (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        y = exp(a * y * y) - 1
    else:
        y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) * (n + 1) / (
            n + 2
        ) + 1 / y
    return sqrt(n * y)
