"""Declares settings: a frozen dataclass whose fields say their type, range, help and conflicts.

The command line, prompt files, metadata in clips, configuration files and environment variables are derived from it.
"""

from __future__ import annotations

import shlex
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from storyreel.field_ranges import Range, in_range
from storyreel.names import expanded
from storyreel.numbers import number, shown, whole

_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class ConflictError(ValueError):
    """Two settings that do not go together, or one that lacks another. `name` is the one to change."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


@dataclass(frozen=True)
class Setting:
    """What a field declares, in `Annotated`, beside its type and its `Range`."""

    help: str
    flags: tuple[str, ...] = ()  # on the command line, if not --name
    argument: bool = False  # on the command line it stands alone, without a flag
    metavar: str | None = None
    panel: str | None = None  # of the help page
    read: Callable[[Any, str], Any] | None = None  # (value, name) -> the value, for types that need more than a range
    each: Callable[[Any, str], Any] | None = None  # `read` of one value of a setting that may be repeated
    write: Callable[[Any], Any] | None = None  # the value -> JSON, for those that JSON does not have
    text: type | None = None  # of the command line, where it is not that of the field
    replaces: str = ""  # another way to say this setting; only one of both may be set
    excludes: Mapping[str, str] | tuple[str, ...] = ()  # settings that do not go with it, with the reason
    needs: tuple[str, ...] = ()  # of which one must be set as well
    lacks: str = ""  # what is said where none of `needs` is


@dataclass(frozen=True)
class Field:
    """A setting as declared."""

    name: str
    kind: Any  # int, float, bool, str, or what its Setting.read gives
    many: bool  # the command line may repeat it
    default: Any
    setting: Setting
    limits: Range | None
    choices: tuple[str, ...]

    @property
    def required(self) -> bool:
        return self.default is MISSING

    def checked(self, value: Any) -> Any:
        """ValueError names the setting, what was expected and what came."""
        if self.many:
            values = value if isinstance(value, (list, tuple)) else [value]
            return tuple(replace(self, many=False).checked(each) for each in values)
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"{self.name}: expected {' or '.join(self.choices)}, got {shown(value)}")
            return value
        if self.setting.read is not None:
            return self.setting.read(value, self.name)
        if self.setting.each is not None:
            return self.setting.each(value, self.name)
        if self.kind is Path:
            return expanded(value)
        found = in_range(self.kind, value, self.limits, self.name)
        return float(found) if self.kind is float else found

    def from_text(self, text: str) -> Any:
        """A cell of a table, or any text, in the field's type."""
        try:
            if self.kind is int:
                return whole(text, self.name, -(2**63), 2**63)
            if self.kind is float:
                return number(text, self.name, -1e12, 1e12)
            if self.many:
                return shlex.split(text)
            return _TRUTHS[text.lower()] if self.kind is bool else text
        except (ValueError, KeyError):
            names = {int: "a whole number", float: "a number", bool: "true or false"}
            expected = "words between spaces" if self.many else names[self.kind]
            raise ValueError(f"{self.name}: expected {expected}, got {shown(text)}") from None


@cache
def fields_of(kind: type) -> dict[str, Field]:
    """Name -> field of an `Options` class, in order; only those that a person may set."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found: dict[str, Field] = {}
    for each in fields(kind):
        if typing.get_origin(hints[each.name]) is not Annotated:
            continue
        plain, *more = typing.get_args(hints[each.name])
        setting = next(item for item in more if isinstance(item, Setting))
        limits = next((item for item in more if isinstance(item, Range)), None)
        if typing.get_origin(plain) in (typing.Union, types.UnionType):
            plain = next(part for part in typing.get_args(plain) if part is not type(None))
        many, choices = typing.get_origin(plain) is tuple and setting.read is None, ()
        if many:
            plain = typing.get_args(plain)[0]
        if typing.get_origin(plain) is Literal:
            plain, choices = str, typing.get_args(plain)
        found[each.name] = Field(each.name, plain, many, each.default, setting, limits, choices)
    return found


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings, checked when they are made. A field at its default was not set."""

    def __post_init__(self) -> None:
        self.check_conflicts()
        for name, field in fields_of(type(self)).items():
            if self.is_set(name):
                object.__setattr__(self, name, field.checked(getattr(self, name)))
        self.check()

    def check(self) -> None:
        """For a class of options to refuse what its fields cannot declare. The fields are checked already."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From names and values, such as JSON or keyword arguments; None leaves a setting out. ValueError: no such."""
        known = fields_of(cls)
        if unknown := sorted(set(values) - set(known)):
            raise ValueError(f"does not know the setting {unknown[0]!r}; there are {', '.join(known)}")
        return cls(**{name: value for name, value in values.items() if value is not None})

    def is_set(self, name: str) -> bool:
        value, default = getattr(self, name), fields_of(type(self))[name].default
        return value is not default and not (type(value) is type(default) and value == default)

    def check_conflicts(self) -> None:
        """ConflictError where settings do not go together."""
        for name, field in fields_of(type(self)).items():
            if not self.is_set(name):
                continue
            setting, excludes = field.setting, field.setting.excludes
            if setting.replaces and self.is_set(setting.replaces):
                raise ConflictError(name, f"{setting.replaces} is given as well; expected one of the two")
            for other in excludes:
                if self.is_set(other):
                    reason = excludes[other] if isinstance(excludes, Mapping) else ""
                    raise ConflictError(name, reason or f"{other} is given as well; expected one of the two")
            if setting.needs and not any(self.is_set(other) for other in setting.needs):
                raise ConflictError(name, setting.lacks or f"expected {' or '.join(setting.needs)} as well")

    def as_json(self) -> dict[str, Any]:
        """The settings that were set, as JSON values; `of` reads them."""
        out: dict[str, Any] = {}
        for name, field in fields_of(type(self)).items():
            if self.is_set(name):
                value = getattr(self, name)
                out[name] = field.setting.write(value) if field.setting.write else value
        return out


def layered(kind: type[Options], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Settings from several sources, each over the ones before; another way to say a setting replaces it."""
    pairs = [(name, f.setting.replaces) for name, f in fields_of(kind).items() if f.setting.replaces]
    found: dict[str, Any] = {}
    for layer in layers:
        for one, other in (*pairs, *(pair[::-1] for pair in pairs)):
            if layer.get(one) is not None:
                found.pop(other, None)
        found.update({name: value for name, value in layer.items() if value is not None})
    return found


def names(value: Any, name: str) -> tuple[str, ...]:
    """ "fvd, judge", or a list of names -> ("fvd", "judge"), each once."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"{name}: expected names between commas, got {shown(value)}")
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
