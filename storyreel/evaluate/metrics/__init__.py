"""Every metric that there is: each file of this folder declares its own, and is found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from functools import cache

from storyreel.evaluate.metric import Metric
from storyreel.options.declare import names
from storyreel.wording import suggestion


@cache
def metrics() -> dict[str, Metric]:
    """Name -> declaration, in the order of reports."""
    found: list[Metric] = []
    for module in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{module.name}").METRICS
    by_name = {metric.name: metric for metric in sorted(found, key=lambda metric: (metric.order, metric.name))}
    assert len(by_name) == len(found), "two metrics share a name"
    return by_name


def default_metrics() -> tuple[str, ...]:
    """What runs when nobody says which: whatever can, of these."""
    return tuple(name for name, metric in metrics().items() if metric.default)


def per_clip_metrics() -> tuple[str, ...]:
    """Those that measure the frames of one clip."""
    return tuple(name for name, metric in metrics().items() if metric.per_clip)


def paired_metrics() -> tuple[str, ...]:
    """Those that compare a clip with the real clip of the same name."""
    return tuple(name for name, metric in metrics().items() if metric.paired)


def named(value: str | Sequence[str]) -> tuple[str, ...]:
    """ "fvd, judge" -> ("fvd", "judge"); "" -> (). ValueError suggests the nearest name."""
    found = names([name.lower() for name in names(value, "metrics")], "metrics")
    for name in found:
        if name not in metrics():
            raise ValueError(f"metrics: no {name!r}; {suggestion(name, metrics())}")
    return found
