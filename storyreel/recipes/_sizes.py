"""How large each recipe's system is, and what it makes. To build all of them takes ten seconds of a processor, so it is
kept in `sizes.json`; `python -m storyreel.recipes._sizes` counts again, and a test says when that is to be done."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from storyreel.json_file import read_object
from storyreel.recipes import get, names
from storyreel.storage import write_text

if TYPE_CHECKING:
    from storyreel.recipe import Recipe
    from storyreel.systems.base import System

FILE = Path(__file__).with_name("sizes.json")


class SystemSize(NamedTuple):
    """Of one recipe: the parameters of all its stages, and the (frames, height, width) of the clips that it makes."""

    parameters: int
    clips: tuple[int | None, int | None, int | None]


def size_of(name: str) -> SystemSize:
    """As it is kept; counted, of a recipe that the file does not have."""
    found = _saved().get(name)
    frames, height, width = found["clips"] if found else (0, 0, 0)
    return SystemSize(found["parameters"], (frames, height, width)) if found else counted(name)


def counted(name: str) -> SystemSize:
    """Of a system that is built for it, on `meta`."""
    import torch

    recipe = get(name)
    with torch.device("meta"):
        return size_in(recipe, recipe.system.build())


def size_in(recipe: Recipe, system: System) -> SystemSize:
    """Where a system does not say what it makes, that is what its last stage sees."""
    data, makes = list(recipe.stages.values())[-1].data, system.makes
    clips = (makes.frames, makes.height, makes.width) if makes else (data.frames, data.size, data.size)
    return SystemSize(sum(p.numel() for p in system.parameters()), clips)


@cache
def _saved() -> dict[str, Any]:
    return read_object(FILE)


def main() -> None:
    """Count all of them again."""
    rows = (f"{json.dumps(name)}: {json.dumps(counted(name)._asdict())}" for name in names())
    write_text(FILE, "{\n " + ",\n ".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
