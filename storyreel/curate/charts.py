"""Pictures of numbers as SVG: what `curate ablate` draws, by the macros of page/charts.svg."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

BINS = 40


def sweep(name: str, values: np.ndarray, selected: np.ndarray, now: float | None, scores: np.ndarray) -> str:
    """SVG: how many are kept (line) at each value of a limit, the scores' histogram behind, the limit that is set."""
    # the outermost hundredth of the scores would squeeze all others into one bar
    low, high = float(np.quantile(scores, 0.005)), float(np.quantile(scores, 0.995))
    if now is not None:
        low, high = min(low, now), max(high, now)
    high = high if high > low else low + 1
    most, macros = max(1, int(selected.max())), _macros()
    left, right = macros.LEFT, macros.WIDE - 12

    def x(value: float) -> float:
        return left + (right - left) * min(1.0, max(0.0, (value - low) / (high - low)))

    counts, edges = np.histogram(scores.clip(low, high), BINS, (low, high))
    bars = zip(edges[:-1].tolist(), edges[1:].tolist(), (counts / max(1, int(counts.max()))).tolist(), strict=True)
    points = [(v, k / most) for v, k in zip(values.tolist(), selected.tolist(), strict=True) if low <= v <= high]
    return macros.sweep(name, x, bars, points, (low, high), most, now).lstrip()


def matrix(names: Sequence[str], counts: np.ndarray) -> str:
    """SVG: how many spans each two reasons reject together; on the diagonal, each by itself or with others."""
    return _macros().matrix(names, counts.astype(int).tolist(), max(1, int(counts.max(initial=0)))).lstrip()


@lru_cache(maxsize=1)
def _macros() -> Any:
    from jinja2 import Environment, FileSystemLoader

    folder = FileSystemLoader(Path(__file__).parent / "page")
    made = Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return made.get_template("charts.svg").module
