"""What a model can make: its size, length and rate, from its model.json, without PyTorch.

What this does not know of a system is left to the generation, which fails with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from storyreel.generate import registry
from storyreel.numbers import is_whole

MAX_SCALE = 16  # times a model's own size
MAX_SIDE = 1024  # pixels of a video that is enlarged
PHENAKI_FRAMES = 4096


@dataclass(frozen=True)
class Abilities:
    """Width and height in pixels, frames and rate of a usual video; None where they are not known.

    max_frames: of any video. any_size: it makes other sizes as well. refuses: options that it cannot serve.
    """

    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: Fraction | None = None
    max_frames: int | None = None
    any_size: bool = False
    refuses: frozenset[str] = frozenset()

    @property
    def sizes(self) -> list[str]:
        """The sizes that videos may have, as "WxH": its own, and those that are whole multiples of it."""
        if self.width is None or self.height is None:
            return []
        factors = [f for f in range(1, MAX_SCALE + 1) if f == 1 or max(self.width, self.height) * f <= MAX_SIDE]
        return [f"{self.width * f}x{self.height * f}" for f in factors]


def abilities_of(info: Mapping[str, Any]) -> Abilities:
    """From a model.json."""
    system = (info.get("recipe") or {}).get("system")
    if not isinstance(system, dict):
        return Abilities()
    read = {"phenaki": _phenaki, "godiva": _godiva, "imagen_video": _cascade}.get(str(info.get("system")), _shape)
    try:
        return read(system)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return Abilities()


def _phenaki(system: dict[str, Any]) -> Abilities:
    tokenizer, prior = system["tokenizer"], system["prior"]
    size, frames = int(tokenizer["size"]), 1 + (int(prior["latent_frames"]) - 1) * int(tokenizer["tube"])
    refuses = frozenset() if tokenizer.get("channels", 3) == 4 else frozenset({"transparent"})
    return Abilities(size, size, frames, Fraction(system.get("fps", 8)), PHENAKI_FRAMES, refuses=refuses)


def _godiva(system: dict[str, Any]) -> Abilities:
    size, frames = int(system["tokenizer"]["size"]), int(system["generator"]["frames"])
    refuses = {"story", "steps"} | ({"transparent"} if system["tokenizer"].get("channels", 3) == 3 else set())
    return Abilities(size, size, frames, Fraction(system.get("fps", 8)), frames, refuses=frozenset(refuses))


def _cascade(system: dict[str, Any]) -> Abilities:
    found = _shape(system)
    refuses = frozenset({"story", "image", "extend"})
    return Abilities(found.width, found.height, found.frames, found.fps, found.frames, True, refuses)


def _shape(system: dict[str, Any]) -> Abilities:
    """The shape of the last stage that has one."""
    parts = [part for each in (system, *_objects(system)) for part in _objects(each)]
    shapes = [part["shape"] for part in parts if isinstance(part.get("shape"), dict)]
    shapes = shapes or [system["shape"]]
    shape = {name: value for name, value in shapes[-1].items() if is_whole(value, 1, 1_000_000)}
    return Abilities(shape["width"], shape["height"], shape["frames"], Fraction(shape["fps"]))


def _objects(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [each for each in value.values() if isinstance(each, dict)]


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


def served(folder: Path) -> Served:
    """A model folder, read once as long as it does not change. ValueError: it cannot be opened."""
    return _opened(folder.absolute(), _written(folder))


def _written(folder: Path) -> int:
    """When a model was written, in nanoseconds."""
    file = folder / "model.json"
    return (file if file.is_file() else folder).stat().st_mtime_ns
