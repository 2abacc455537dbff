"""Recipes by name: `get("phenaki_tiny")`. Each system's are in the file of its name, as plain functions that take
nothing and give a `Recipe`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from storyreel import worlds
from storyreel.wording import nearest

if TYPE_CHECKING:
    from storyreel.recipe import Recipe

FOLDER = Path(__file__).parent
SYSTEMS = tuple(sorted(file.stem for file in FOLDER.glob("*.py") if not file.stem.startswith("_")))
"""The systems, each with a file of recipes here."""


@cache
def _systems_of_recipes() -> dict[str, str]:
    """Recipe -> system: the functions of a system's file that give a recipe. None of the files is imported."""
    found = {}
    for system in SYSTEMS:
        source = (FOLDER / f"{system}.py").read_text("utf-8")
        found |= dict.fromkeys(re.findall(r"^def ([a-z]\w*)\(\) -> Recipe:", source, re.MULTILINE), system)
    return found


def names() -> list[str]:
    """Those that have a function of their own, and the encoders of all worlds."""
    own = _systems_of_recipes()
    return [*own, *(name for world in worlds.names() if (name := f"encoder_{world}") not in own)]


def system_of(name: str) -> str:
    """The system of a recipe; that of the encoders, of a name without a function of its own."""
    return _systems_of_recipes().get(name, "encoder")


@cache
def trained(name: str) -> tuple[str, str]:
    """(what it is trained on, what came of it): its row in the table that heads the file of its system; "--" without.

    >>> trained("phenaki_24gb")
    ('own footage', 'not trained yet')
    """
    source = (FOLDER / f"{system_of(name)}.py").read_text("utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in source.splitlines() if line[:2] == "| "]
    for row in rows:
        if row[0] == name or (row[0] == "encoder_<world>" and name.startswith("encoder_")):
            return row[rows[0].index("trained on")], row[rows[0].index("result")]
    return "--", "--"


def get(name: str) -> Recipe:
    """The recipe of this name. ValueError suggests the nearest."""
    if name not in names():
        near = nearest(name, names())
        hint = f"did you mean {near!r}?" if near else f"there are {', '.join(names())}"
        raise ValueError(f"recipe: no {name!r}; {hint}")
    if name not in _systems_of_recipes():
        from storyreel.recipes import encoder

        return encoder.of_world(name.removeprefix("encoder_"))
    module = importlib.import_module(f"storyreel.recipes.{_systems_of_recipes()[name]}")
    make: Callable[[], Recipe] = getattr(module, name)
    return make()
