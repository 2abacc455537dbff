"""Plain SVG pictures of numbers: a curve over a histogram, and a matrix. No plotting library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

WIDE, HIGH, LEFT, BOTTOM, TOP = 560, 240, 56, 36, 28
INK, LINE, FILL, MARK = "#222", "#1f5fbf", "#c9d6ea", "#c0392b"
BINS = 40


def sweep(name: str, values: np.ndarray, kept: np.ndarray, now: float | None, scores: np.ndarray) -> str:
    """SVG: how many are kept (line) at each value of a limit, the scores' histogram behind, the limit that is set."""
    # the outermost hundredth of the scores would squeeze all others into one bar
    low, high = float(np.quantile(scores, 0.005)), float(np.quantile(scores, 0.995))
    if now is not None:
        low, high = min(low, now), max(high, now)
    high = high if high > low else low + 1
    most = max(1, int(kept.max()))

    def x(value: float) -> float:
        return LEFT + (WIDE - LEFT - 12) * min(1.0, max(0.0, (value - low) / (high - low)))

    def y(share: float) -> float:
        return HIGH - BOTTOM - (HIGH - BOTTOM - TOP) * share

    counts, edges = np.histogram(scores.clip(low, high), BINS, (low, high))
    tall = max(1, int(counts.max()))
    parts = [_text(LEFT, 16, f"{name}: spans kept", bold=True)]
    for count, a, b in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        height = (HIGH - BOTTOM - TOP) * count / tall
        parts.append(_rect(x(a), HIGH - BOTTOM - height, max(0.5, x(b) - x(a) - 0.5), height, FILL))
    inside = [(v, k) for v, k in zip(values.tolist(), kept.tolist(), strict=True) if low <= v <= high]
    points = " ".join(f"{x(v):.1f},{y(k / most):.1f}" for v, k in inside)
    parts.append(f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="2"/>')
    parts.append(_line(LEFT, HIGH - BOTTOM, WIDE - 12, HIGH - BOTTOM, INK))
    for value in (low, (low + high) / 2, high):
        parts.append(_text(x(value), HIGH - BOTTOM + 16, f"{value:.3g}", anchor="middle"))
    for share in (0.0, 0.5, 1.0):
        parts.append(_text(LEFT - 6, y(share) + 4, f"{round(most * share):,}", anchor="end"))
    if now is not None:
        parts.append(_line(x(now), TOP - 6, x(now), HIGH - BOTTOM, MARK))
        parts.append(_text(x(now), HIGH - 6, f"now {now:g}", anchor="middle", colour=MARK))
    return _svg(WIDE, HIGH, parts)


def matrix(names: Sequence[str], counts: np.ndarray) -> str:
    """SVG: how many spans each two reasons reject together; on the diagonal, each by itself or with others."""
    if not len(names):
        return _svg(300, 40, [_text(8, 24, "nothing is rejected")])
    cell, side = 56, 8 + max(len(name) for name in names) * 7
    most = max(1, int(counts.max()))
    parts = []
    for i, name in enumerate(names):
        parts.append(_text(side - 6, 34 + cell * i + cell / 2, name, anchor="end"))
        parts.append(_text(side + cell * i + cell / 2, 22, name[:9], anchor="middle"))
        for j in range(len(names)):
            share = counts[i, j] / most
            colour = f"rgb({round(255 - 180 * share)},{round(255 - 130 * share)},255)"
            parts.append(_rect(side + cell * j, 30 + cell * i, cell - 2, cell - 2, colour))
            where = side + cell * j + cell / 2, 34 + cell * i + cell / 2
            parts.append(_text(*where, f"{int(counts[i, j]):,}", anchor="middle"))
    return _svg(side + cell * len(names) + 12, 36 + cell * len(names), parts)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif"'
    return f'{head} font-size="11"><rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", bold: bool = False, colour: str = INK) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{weight}>{escape(text)}</text>'
