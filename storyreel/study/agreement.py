"""Do raters agree? Krippendorff's alpha, Fleiss' kappa and plain agreement, all from how often each answer was given.

Each takes `counts`, an integer array (units, answers): how many raters gave unit u the answer c. Rows may have
different totals, for raters who did not see the unit.
"""

from __future__ import annotations

import numpy as np


def tally(unit: np.ndarray, answer: np.ndarray, answers: int) -> np.ndarray:
    """`counts` from one (unit, answer) a vote; units without votes are left out."""
    units, place = np.unique(unit, return_inverse=True)
    flat = np.bincount(place * answers + answer, minlength=len(units) * answers)
    return flat.reshape(len(units), answers)


def krippendorff_alpha(counts: np.ndarray) -> float:
    """Nominal alpha (Krippendorff 2011, C): 1 perfect, 0 as chance would have it; nan where nothing can be compared.

    Units with a single vote do not count.
    """
    counts = np.asarray(counts, np.float64)
    counts = counts[counts.sum(1) >= 2]
    votes = counts.sum(1)
    total = votes.sum()
    if total == 0:
        return float("nan")
    observed = ((votes**2 - (counts**2).sum(1)) / (votes - 1)).sum() / total
    expected = (total**2 - (counts.sum(0) ** 2).sum()) / (total * (total - 1))
    return float(1 - observed / expected) if expected else float("nan")


def raw_agreement(counts: np.ndarray) -> float:
    """The share of pairs of votes on the same unit that agree, averaged over units; nan without such pairs."""
    each = _by_unit(counts)
    return float(each.mean()) if len(each) else float("nan")


def fleiss_kappa(counts: np.ndarray) -> float:
    """Fleiss (1971): agreement beyond chance; for different numbers of raters, by each unit's own agreement."""
    counts = np.asarray(counts, np.float64)
    counts = counts[counts.sum(1) >= 2]
    if not len(counts):
        return float("nan")
    chance = float(((counts.sum(0) / counts.sum()) ** 2).sum())
    return (float(_by_unit(counts).mean()) - chance) / (1 - chance) if chance < 1 else float("nan")


def _by_unit(counts: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts, np.float64)
    counts = counts[counts.sum(1) >= 2]
    votes = counts.sum(1)
    return ((counts**2).sum(1) - votes) / (votes * (votes - 1))
