"""A score with all that must be known to believe it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Direction: TypeAlias = Literal["lower", "higher", "real"]
"""Which value is better; "real": the nearer to that of real clips the better."""


@dataclass(frozen=True)
class Score:
    """One figure of a report. `name` carries the extractor in brackets where there is one; the interval is of 95 %."""

    name: str
    value: float
    n: int
    direction: Direction
    interval: tuple[float, float] | None = None
    unit: str = "clips"
    trusted: bool = True
    protocol: str = ""
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    extrapolated: float | None = None
    floor: float | None = None
    floor_n: int | None = None
    controls: Mapping[str, float] = field(default_factory=dict)
    real: float | None = None
    warning: str = ""
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        values = {key: clean(value) for key, value in vars(self).items()}
        return {**values, "interval": None if self.interval is None else [clean(x) for x in self.interval]}


def clean(value: Any) -> Any:
    """JSON can say neither NaN nor infinity: None. Numbers are kept to nine digits."""
    if isinstance(value, float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: clean(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(each) for each in value]
    return value


def lines_of(document: Mapping[str, Any]) -> list[str]:
    """A table for people: value, interval, n, and the figures that a Frechet distance wants beside it."""
    scores = document["scores"]
    wide = max([len("score"), *(len(score["name"]) for score in scores)])
    rows = [f"{'score':{wide}}  {'value':>10}  {'95 % interval':>23}  {'n':>6}  better   beside it"]
    for score in scores:
        interval = score["interval"]
        span = f"{_short(interval[0])} to {_short(interval[1])}" if interval else "--"
        beside = [
            f"{what} {_short(value)}"
            for what, value in (
                ("n->inf", score["extrapolated"]),
                (f"floor (n {score['floor_n']})", score["floor"]),
                *score["controls"].items(),
                ("real", score["real"]),
            )
            if value is not None
        ]
        if not score["trusted"]:
            beside.append("NOT TRUSTED: random weights")
        better = {"real": "as real"}.get(score["direction"], score["direction"])
        rows.append(
            f"{score['name']:{wide}}  {_short(score['value']):>10}  {span:>23}  {score['n']:>6}  {better:7}  "
            f"{', '.join(beside)}".rstrip()
        )
    for score in scores:
        rows += [f"  {score['name']}: {message}" for message in (score["warning"], score["note"]) if message]
    rows += [f"not measured: {name}: {why}" for name, why in document["skipped"].items()]
    rows += [f"warning: {line}" for line in document["warnings"]]
    protocol = document["protocol"]
    return [*rows, f"protocol {protocol['name']}@{protocol['hash']}, {document['clips']['n']} clips"]


def _short(value: float | None) -> str:
    return "--" if value is None else f"{value:.4g}"
