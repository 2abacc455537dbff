"""Histograms of raw scores whose kept part follows the thresholds: edges once, counts each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from storyreel.browse.table import MEASURED

BINS = 44
SKEWED = 6.0  # so far beyond the median, times the spread below it, the highest scores may be on an even scale


class Histogram:
    """Counts of one score between `edges` (bins + 1), rising; what lies outside is counted in the outermost bins.

    Bins of a score with a long tail grow towards it, so that small values, where limits are, are not in one bar.
    """

    def __init__(self, values: np.ndarray) -> None:
        known = values[np.isfinite(values)]
        self.unknown = len(values) - len(known)
        self.edges = _edges(known)
        bins = len(self.edges) - 1
        place = np.searchsorted(self.edges[1:-1], values, side="right")
        self.place = np.where(np.isfinite(values), place, bins).astype(np.int64)
        self.counts = self.of(np.ones(len(values), bool))

    def of(self, mask: np.ndarray) -> list[int]:
        """Counts of the rows of a mask."""
        return np.bincount(self.place[mask], minlength=len(self.edges))[: len(self.edges) - 1].tolist()

    def as_json(self) -> dict[str, Any]:
        return {"edges": [float(f"{edge:.6g}") for edge in self.edges], "counts": self.counts, "unknown": self.unknown}


def _edges(known: np.ndarray) -> np.ndarray:
    if not len(known):
        return np.linspace(0.0, 1.0, BINS + 1)
    low, middle, high = np.quantile(known, (0.002, 0.5, 0.998))
    if known.min() >= 0 and low < 0.2 * high:
        low = 0.0
    high = float(known.max()) if high <= low else float(high)
    if high <= low:
        low, high = low - 0.5 * max(abs(low), 1.0), low + 0.5 * max(abs(low), 1.0)
        low = max(0.0, low) if known.min() >= 0 else low
    power = 3.0 if high - middle > SKEWED * (middle - low) else 1.0
    return low + (high - low) * np.linspace(0, 1, BINS + 1) ** power


def histograms(scores: Mapping[str, np.ndarray]) -> dict[str, Histogram]:
    """Of every score, by its column."""
    return {name: Histogram(scores[name]) for name in MEASURED}
