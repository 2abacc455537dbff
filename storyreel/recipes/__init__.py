"""Recipes by name: `get("phenaki_tiny")`. Each system's are in the file of its name, as plain functions."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storyreel.recipe import Recipe

SYSTEMS = {
    "encoder": ("sprites", "digits", "tiny"),
    "godiva": ("paper", "small", "sprites", "digits", "tiny"),
    "imagen_video": ("paper", "small", "sprites", "four", "distilled", "tiny"),
    "make_a_video": ("paper", "small", "sprites", "tiny"),
    "phenaki": ("paper", "small", "sprites", "digits", "tiny"),
}


def names() -> list[str]:
    return [f"{system}_{size}" for system, sizes in SYSTEMS.items() for size in sizes]


def get(name: str) -> Recipe:
    """The recipe of this name. ValueError suggests the nearest."""
    if name not in names():
        near = difflib.get_close_matches(name, names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}"
        raise ValueError(f"recipe: no {name!r}; {hint}")
    module = importlib.import_module(f"storyreel.recipes.{name.rpartition('_')[0]}")
    make: Callable[[], Recipe] = getattr(module, name)
    return make()
