"""Checks settings that were read from a file: the type of every field, and the range of every number.

A recipe or a model.json comes from outside. `checked` turns its JSON into the frozen dataclasses of a config, and is
the only way to do so. A field says its range with its type, `depth: Depth = 24`; one that says nothing has that of
`int` or `float` below.
"""

from __future__ import annotations

import functools
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, TypeVar

from storyreel.numbers import is_whole, shown
from storyreel.screen_text import one_line

T = TypeVar("T")


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, both included; `low` is not, of a number that must lie above it."""

    low: float
    high: float
    above: bool = False


Count = Annotated[int, Range(1, 10_000_000)]  # of what there must be at least one
Depth = Annotated[int, Range(0, 1_000)]  # of layers or blocks
Width = Annotated[int, Range(1, 1_000_000)]  # channels, features, heads
Pixels = Annotated[int, Range(1, 65_536)]  # a side
Frames = Annotated[int, Range(1, 1_000_000)]
FramesASecond = Annotated[int, Range(1, 1_000)]
SamplingSteps = Annotated[int, Range(1, 10_000)]
Tries = Annotated[int, Range(1, 1_000)]
Share = Annotated[float, Range(0, 1)]
Seed = Annotated[int, Range(-(2**63), 2**63 - 1)]
Layers = Annotated[str, Range(0, 1_000)]  # a letter each
Colors = Annotated[str, Range(0, 32_768)]  # six hex digits each, spaces between

WHOLE, NUMBER = Range(0, 10_000_000), Range(-1e6, 1e6)
MAX_TEXT, MAX_ENTRIES = 4_096, 1_000  # characters of a text, entries of a list or mapping


def checked(kind: Any, value: Any, where: str) -> Any:
    """`value`, which JSON gave, as the type `kind`: lists become tuples, objects dataclasses.

    ValueError, one line that begins with `where` and the field: an unknown or missing field, another type, a number out
    of its range, or what the dataclass itself refuses.
    """
    limits, kind, origin, parts = _parts_of(kind)
    if is_dataclass(kind):
        return _dataclass(kind, value, where)
    if origin is Literal:
        if not isinstance(value, (str, int)) or value not in parts:
            raise ValueError(f"{where}: expected one of {', '.join(map(str, parts))}, got {shown(value)}")
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in parts:
            return None
        return checked(next(part for part in parts if part is not type(None)), value, where)
    if origin is tuple or kind is tuple:
        return _tuple(parts, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(parts, value, where)
    if kind in (bool, str, int, float):
        return in_range(kind, value, limits, where)
    return value


def in_range(kind: type, value: Any, limits: Range | None, where: str) -> Any:
    """A truth value, text, whole number or finite number within its limits (of a text: its length). ValueError
    otherwise."""
    if kind is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{where}: expected true or false, got {shown(value)}")
        return value
    if kind is str:
        most = int(limits.high) if limits else MAX_TEXT
        if not isinstance(value, str) or len(value) > most:
            raise ValueError(f"{where}: expected text of at most {most} characters, got {shown(value)}")
        return value
    if kind is int:
        limits = limits or WHOLE
        if not is_whole(value, int(limits.low), int(limits.high)):
            raise ValueError(
                f"{where}: expected a whole number from {int(limits.low)} to {int(limits.high)}, got {shown(value)}"
            )
        return value
    limits = limits or NUMBER
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    inside = number and limits.low <= value <= limits.high and not (limits.above and value == limits.low)
    if not inside or not math.isfinite(value):
        start = f"above {limits.low:g} and at most" if limits.above else f"from {limits.low:g} to"
        raise ValueError(f"{where}: expected a number {start} {limits.high:g}, got {shown(value)}")
    return value


def checked_field(kind: type, name: str, value: Any, where: str) -> Any:
    """`checked` for the field `name` of the dataclass `kind`."""
    return checked(_hints(kind)[name], value, where)


def current_names(kind: Any, saved: Mapping[str, Any]) -> Mapping[str, Any]:
    """A saved object with the names that the fields of the dataclass `kind` have now.

    A dataclass whose fields were renamed has a class method `current(saved)`, the reader of its older files.
    """
    return kind.current(saved) if hasattr(kind, "current") else saved


def check_ranges(value: Any, where: str) -> None:
    """ValueError where a field of a config, however deep, is not of its type or not within its range."""
    for name, hint in _hints(type(value)).items():
        inner = getattr(value, name)
        path = f"{where}.{name}" if where else name
        if is_dataclass(inner):
            check_ranges(inner, path)
        elif not isinstance(inner, Mapping):
            checked(hint, inner, path)
        else:
            for key, item in inner.items():
                if is_dataclass(item):
                    check_ranges(item, f"{path}.{key}")


@functools.cache
def _parts_of(kind: Any) -> tuple[Range | None, Any, Any, tuple[Any, ...]]:
    """The range that an annotation carries, the plain type, and of that the origin and the arguments."""
    limits = None
    if typing.get_origin(kind) is Annotated:
        kind, *more = typing.get_args(kind)
        limits = next((each for each in more if isinstance(each, Range)), None)
    return limits, kind, typing.get_origin(kind), typing.get_args(kind)


@functools.cache
def _hints(kind: type) -> Mapping[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}  # pyright: ignore[reportArgumentType]


def _dataclass(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected an object, got {shown(value)}")
    value, hints = current_names(kind, value), _hints(kind)
    if extra := sorted(set(value) - set(hints)):
        raise ValueError(f"{where}: does not know {shown(extra[0])}")
    missing = [f.name for f in fields(kind) if f.init and f.default is MISSING and f.default_factory is MISSING]
    if lacks := [name for name in missing if name not in value]:
        raise ValueError(f"{where}: lacks {lacks[0]!r}")
    made = {name: checked(hints[name], item, f"{where}.{name}") for name, item in value.items()}
    try:
        return kind(**made)
    except ValueError as error:
        raise ValueError(f"{where}: {one_line(str(error))}") from None
    except (TypeError, ArithmeticError, LookupError) as error:
        raise ValueError(
            f"{where}: these values do not go together ({one_line(f'{type(error).__name__}: {error}')})"
        ) from None


def _tuple(parts: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_ENTRIES:
        got = f"{len(value)} entries" if isinstance(value, (list, tuple)) else shown(value)
        raise ValueError(f"{where}: expected a list of at most {MAX_ENTRIES}, got {got}")
    if not parts:
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    kinds = [parts[0]] * len(value) if parts[-1] is Ellipsis else list(parts)
    if len(kinds) != len(value):
        raise ValueError(f"{where}: expected {len(kinds)} values, got {len(value)}")
    return tuple(checked(k, item, f"{where}[{i}]") for i, (k, item) in enumerate(zip(kinds, value, strict=True)))


def _mapping(parts: tuple[Any, ...], value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) > MAX_ENTRIES:
        raise ValueError(f"{where}: expected an object of at most {MAX_ENTRIES} entries, got {shown(value)}")
    kind = parts[1] if len(parts) == 2 else Any
    return {
        in_range(str, key, None, where): checked(kind, item, f"{where}.{shown(key)[1:-1]}")
        for key, item in value.items()
    }
