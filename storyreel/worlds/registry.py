"""The worlds by name, and how one is made from settings given as text."""

from __future__ import annotations

import difflib
import importlib
import typing
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

WORLDS = {
    "digits": "storyreel.worlds.digits:Digits",
    "sprites": "storyreel.worlds.sprites:Sprites",
}
"""World name -> where its class is: a frozen dataclass whose fields are its settings."""


def world_class(name: str) -> type:
    """ValueError names the nearest world."""
    if name not in WORLDS:
        near = difflib.get_close_matches(name, WORLDS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {' and '.join(WORLDS)}"
        raise ValueError(f"no world {name!r}; {hint}")
    module, _, kind = WORLDS[name].partition(":")
    return getattr(importlib.import_module(module), kind)


def settings_of(name: str) -> dict[str, Any]:
    """Setting -> its type, without the place of the pictures, which is a setting too (`source_field`)."""
    kind = world_class(name)
    hints = typing.get_type_hints(kind)
    hidden = {"name", kind.source_field}  # pyright: ignore[reportAttributeAccessIssue]
    return {field.name: hints[field.name] for field in fields(kind) if field.name not in hidden}


def make_world(name: str, source: str | Path | None, settings: Mapping[str, Any]) -> Any:
    """The world with these settings; those given as text are parsed.

    source: where its pictures lie; None where it has some of its own. ValueError names an unknown setting with the
    nearest known one, a value that cannot be read, or one that is out of range.
    """
    kind, known = world_class(name), settings_of(name)
    for setting in settings:
        check_known(setting, known, f"the world {name}")
    given = {setting: _parsed(setting, known[setting], value) for setting, value in settings.items()}
    place = kind.source_field  # pyright: ignore[reportAttributeAccessIssue]
    if source is not None:
        given[place] = Path(source)
    elif next(f for f in fields(kind) if f.name == place).default is not None:
        raise ValueError(f"the world {name} wants the folder of its pictures")
    return kind(**given)


def check_known(setting: str, known: Mapping[str, Any], what: str) -> None:
    """ValueError names the nearest known setting."""
    if setting not in known:
        near = difflib.get_close_matches(setting, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
        raise ValueError(f"{what} has no setting {setting!r}; {hint}")


def _parsed(setting: str, kind: Any, value: Any) -> Any:
    if not isinstance(value, str) or kind is str:
        return value
    if kind is bool:
        if value not in ("true", "false"):
            raise ValueError(f"{setting}: expected true or false, got {value!r}")
        return value == "true"
    try:
        return kind(value)
    except (ValueError, ZeroDivisionError):
        words = {int: "a whole number", float: "a number", Fraction: "a number such as 8 or 30000/1001"}
        raise ValueError(f"{setting}: expected {words[kind]}, got {value!r}") from None
