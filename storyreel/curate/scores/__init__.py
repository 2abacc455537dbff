"""Every curation score that there is: each file of this folder declares its own, and is found by being here."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from storyreel.curate.score import CurationScore


@cache
def scores() -> dict[str, CurationScore]:
    """Name -> declaration, in the order of columns."""
    found: list[CurationScore] = []
    for module in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{module.name}").SCORES
    by_name = {score.name: score for score in sorted(found, key=lambda score: score.order)}
    assert len(by_name) == len(found), "two scores share a name"
    return by_name


@cache
def judged() -> dict[str, CurationScore]:
    """Those that have a limit."""
    return {name: score for name, score in scores().items() if score.limit is not None}


@cache
def measured() -> tuple[str, ...]:
    """Columns of what the pass over a film measures."""
    return tuple(score.column for score in scores().values() if score.measure is not None)
