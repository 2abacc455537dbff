"""Models that are served, as their folders say it, without PyTorch.

What a model.json does not say is left to the generation, which fails with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from storyreel.abilities import SERVED_BY_PIPELINES, Abilities
from storyreel.generate import registry


@dataclass(frozen=True)
class Served:
    """A model that is served: its name in requests, its folder, model.json, and what it can make."""

    name: str
    folder: Path
    info: Mapping[str, Any]
    abilities: Abilities

    @property
    def created(self) -> int:
        return _written(self.folder) // 10**9


@lru_cache(256)
def _opened(folder: Path, written: int) -> Served:
    info = registry.describe(folder)
    return Served(registry.display_name(folder), folder, info, abilities_of(info))


def abilities_of(info: Mapping[str, Any]) -> Abilities:
    """From a model.json; those of models that were written before it said so are not known."""
    makes = info.get("makes")
    try:
        able = Abilities.of(makes) if isinstance(makes, dict) else Abilities()
    except ValueError:
        return Abilities()
    ours = isinstance(makes, dict) and not info.get("pipeline")
    return replace(able, cannot=able.cannot | SERVED_BY_PIPELINES) if ours else able


def served(folder: Path) -> Served:
    """A model folder, read once as long as it does not change. ValueError: it cannot be opened."""
    return _opened(folder.absolute(), _written(folder))


def _written(folder: Path) -> int:
    """When a model was written, in nanoseconds."""
    file = folder / "model.json"
    return (file if file.is_file() else folder).stat().st_mtime_ns
