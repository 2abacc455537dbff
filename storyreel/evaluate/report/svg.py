"""Plots as inline SVG: drawn here, coloured by the page's style, so that they fit light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDE = 320  # units; a page shows them about one to one
LABEL, END = 92, 258  # where bars begin and end
ROW = 22


def short(value: float | None) -> str:
    """Four digits; a dash for nothing."""
    return "–" if value is None else f"{value:.4g}"


def beside(score: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """(label, value, class) of the score itself and of what stands beside it, where it is known."""
    controls = score.get("controls") or {}
    floor_n = f" ({score['floor_n']})" if score.get("floor_n") else ""
    rows = [
        ("these clips", score["value"], "made"),
        ("n → ∞", score.get("extrapolated"), "made faint"),
        ("real clips", score.get("real"), "real"),
        (f"floor{floor_n}", score.get("floor"), "real"),
        *((name, controls[name], "damaged") for name in controls),
    ]
    return [(label, value, kind) for label, value, kind in rows if value is not None]


def bars(score: Mapping[str, Any]) -> str:
    """A score beside its floor, its controls and the real clips, with its interval; "" where it has no value."""
    rows = beside(score)
    if score["value"] is None or not rows:
        return ""
    low, high = interval = score.get("interval") or [score["value"], score["value"]]
    low, high = min(0.0, low, *(v for _, v, _ in rows)), max(high, *(v for _, v, _ in rows), 0.0)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return round(LABEL + (END - LABEL) * (value - low) / span, 1)

    made = []
    for i, (label, value, kind) in enumerate(rows):
        y, (left, right) = i * ROW, sorted((x(0.0), x(value)))
        made.append(f'<text class="label" x="0" y="{y + 15}">{escape(label)}</text>')
        made.append(
            f'<rect class="bar {kind}" x="{left}" y="{y + 5}" width="{max(1.5, right - left):.1f}" height="12" rx="2"/>'
        )
        if i == 0 and score.get("interval"):
            made.append(whisker(x(interval[0]), x(interval[1]), y + 11))
        made.append(f'<text class="value" x="{WIDE}" y="{y + 15}">{short(value)}</text>')
    if low < 0:
        made.append(f'<line class="axis" x1="{x(0)}" x2="{x(0)}" y1="2" y2="{len(rows) * ROW - 2}"/>')
    told = "; ".join(f"{label} {short(value)}" for label, value, _ in rows)
    return svg(WIDE, len(rows) * ROW, "".join(made), told)


def whisker(left: float, right: float, y: float, cap: float = 4) -> str:
    path = f"M{left} {y}H{right}M{left} {y - cap}v{2 * cap}M{right} {y - cap}v{2 * cap}"
    return f'<path class="whisker" d="{path}"/>'


def histogram(shown: Mapping[str, Any], name: str) -> str:
    """Bars for the clips, an outline for the real ones; each sums to 1, so that their numbers do not matter."""
    edges, high = shown["edges"], 104
    counts, real = _shares(shown["counts"]), _shares(shown.get("real_counts"))
    if None in edges or not counts:
        return ""
    top = max([*counts, *real]) or 1.0
    wide = WIDE / len(counts)
    made = [
        f'<rect class="bar made" x="{i * wide + 0.75:.2f}" y="{8 + high * (1 - c / top):.2f}" '
        f'width="{wide - 1.5:.2f}" height="{high * c / top:.2f}"/>'
        for i, c in enumerate(counts)
    ]
    if real:
        path = f"M0 {high + 8}"
        for i, c in enumerate(real):
            path += f"V{8 + high * (1 - c / top):.2f}H{(i + 1) * wide:.2f}"
        made.append(f'<path class="outline" d="{path}V{high + 8}"/>')
    made.append(f'<line class="axis" x1="0" x2="{WIDE}" y1="{high + 8}" y2="{high + 8}"/>')
    for place, anchor in ((0, "start"), (len(edges) // 2, "middle"), (len(edges) - 1, "end")):
        at = WIDE * place / (len(edges) - 1)
        made.append(f'<text class="tick" x="{at:.0f}" y="{high + 24}" text-anchor="{anchor}">{edges[place]:.3g}</text>')
    told = f"{name}: from {edges[0]:.3g} to {edges[-1]:.3g}"
    return svg(WIDE, high + 28, "".join(made), told)


def _shares(counts: Sequence[int] | None) -> list[float]:
    total = sum(counts or ())
    return [c / total for c in counts or ()] if total else []


def share(value: float | None, interval: Sequence[float | None] | None) -> str:
    """A share of 0 to 1 as a bar, with its interval."""
    wide, made = 150, '<rect class="track" x="0" y="6" width="150" height="8" rx="4"/>'
    if value is not None:
        made += f'<rect class="bar made" x="0" y="6" width="{wide * value:.1f}" height="8" rx="4"/>'
    if interval and interval[0] is not None and interval[1] is not None:
        made += whisker(round(wide * interval[0], 1), round(wide * interval[1], 1), 10)
    return svg(wide, 20, made, "", "small")


def along(value: float, low: float, high: float) -> float:
    """Where a value is on a scale, 0 to 1; the middle where the scale is a single point."""
    return (value - low) / (high - low) if high > low else 0.5


def dot(value: float | None, interval: Sequence[float | None] | None, low: float, high: float) -> str:
    """A value on a scale that a column shares, with its interval."""
    if value is None:
        return ""

    def x(v: float) -> float:
        return round(5 + 110 * along(v, low, high), 1)

    made = '<line class="track-line" x1="5" x2="115" y1="8" y2="8"/>'
    if interval and interval[0] is not None and interval[1] is not None:
        made += whisker(x(interval[0]), x(interval[1]), 8, 3)
    return svg(120, 16, f'{made}<circle class="dot" cx="{x(value)}" cy="8" r="4"/>', "", "small")


def scatter(places: Mapping[str, Any], wide: int = 720, high: int = 420) -> str:
    """The clips among real ones on two axes. Each clip's dot has `data-clip`, for the page's script."""
    made, real = ([p for p in places.get(kind) or [] if None not in p] for kind in ("clips", "real"))
    if not made:
        return ""
    xs, ys = zip(*made, *real, strict=True)
    (left, right), (low, top) = (min(xs), max(xs)), (min(ys), max(ys))

    def spot(p: Sequence[float]) -> tuple[str, str]:
        x = 14 + (wide - 28) * (p[0] - left) / ((right - left) or 1.0)
        return f"{x:.1f}", f"{14 + (high - 28) * (1 - (p[1] - low) / ((top - low) or 1.0)):.1f}"

    drawn = []
    for p in real:
        x, y = spot(p)
        drawn.append(f'<circle class="real" cx="{x}" cy="{y}" r="3.5"/>')
    for i, p in enumerate(places["clips"]):
        if None not in p:
            x, y = spot(p)
            drawn.append(f'<circle class="clip" data-clip="{i}" cx="{x}" cy="{y}" r="5"/>')
    return svg(wide, high, "".join(drawn), "Map of the clips among real clips", "map")


def svg(wide: float, high: float, inside: str, told: str, kind: str = "plot") -> str:
    said = f'role="img" aria-label="{escape(told)}"' if told else 'aria-hidden="true"'
    return f'<svg class="{kind}" viewBox="0 0 {wide:g} {high:g}" {said}>{inside}</svg>'
