"""A recipe: everything needed to repeat a training run, as one frozen value."""

from __future__ import annotations

import ast
import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar

from storyreel.field_ranges import Count, Frames, Pixels, Seed, Share, Width, checked, checked_field
from storyreel.systems.base import SystemConfig
from storyreel.wording import nearest

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a stage is fed."""

    frames: Frames
    size: Pixels  # pixels, square
    channels: Width = 3  # 4 keeps alpha
    batch: Count = 8  # clips an optimizer step, over all devices and accumulation
    image_share: Share = 0.0  # share of the items of a batch that are single frames


@dataclass(frozen=True, kw_only=True)
class Optim:
    lr: float = 1e-4  # of AdamW, at its peak
    muon: float = 0.0  # peak learning rate of the weight matrices under Muon, such as 0.02; 0: AdamW for them too
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    warmup: int = 1_000  # optimizer steps
    final_lr: float = 0.05  # share of lr that cosine decay ends at
    clip_norm: float = 1.0


@dataclass(frozen=True, kw_only=True)
class StageRecipe:
    """How one stage is trained."""

    data: Data
    optim: Optim = Optim()
    steps: Count
    accumulate: Count = 1  # micro-batches an optimizer step
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 where the hardware has it and gains by it
    compile: bool = False
    cuda_graphs: bool = False  # steps of fixed shapes are captured, and launched by two calls
    gradient_checkpointing: bool = False
    ema: Share = 0.999
    checkpoint_every: int = 500
    sample_every: int = 500


def tiny_stage(data: Data, *, steps: int = 100, warmup: int = 10, checkpoint_every: int = 50) -> StageRecipe:
    """Of the recipes at toy size, whose numbers are the same everywhere."""
    return StageRecipe(
        data=data, optim=Optim(lr=3e-3, warmup=warmup), steps=steps, precision="fp32", ema=0.9,
        checkpoint_every=checkpoint_every, sample_every=steps,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A system, how its stages are trained, and the text encoder that it listens to."""

    name: str
    system: SystemConfig
    stages: Mapping[str, StageRecipe] = field(default_factory=dict)
    text: str = "minilm"
    seed: Seed = 0


def override(value: T, path: str, text: str) -> T:
    """A copy of `value` with the field at dotted `path` set from `text`.

    Raises ValueError naming the field, and what is expected, for an unknown field or a wrong type.

    >>> override(Optim(), "lr", "3e-4").lr
    0.0003
    """
    return override_all(value, [(path, text)])


def override_all(value: T, settings: Sequence[tuple[str, str]]) -> T:
    """`override` with several settings at once, in any order: fields that have to agree may change together."""
    return _override(value, [(path, path, text) for path, text in settings])


def _override(value: Any, settings: Sequence[tuple[str, str, str]]) -> Any:
    """settings: (the whole path, what is left of it below `value`, text)."""
    below: dict[str, list[tuple[str, str, str]]] = {}
    for whole, path, text in settings:
        head, _, rest = path.partition(".")
        below.setdefault(_known(value, whole, path, head), []).append((whole, rest, text))
    old = value if isinstance(value, Mapping) else {name: getattr(value, name) for name in below}
    new = {name: _overridden(value, name, old[name], each) for name, each in below.items()}
    return {**value, **new} if isinstance(value, Mapping) else replace(typing.cast(Any, value), **new)


def _known(value: Any, whole: str, path: str, head: str) -> str:
    """The field of this name. ValueError names the nearest."""
    if isinstance(value, Mapping):
        names = list(value)
    elif is_dataclass(value):
        names = [f.name for f in fields(value)]
    else:
        raise ValueError(f"{whole}: {path!r} goes into a {type(value).__name__}, which has no fields")
    if head not in names:
        near = nearest(head, names)
        hint = f"did you mean {near!r}?" if near else f"it has {', '.join(map(str, names))}"
        raise ValueError(f"{whole}: no field {head!r}; {hint}")
    return head


def _overridden(value: Any, name: str, old: Any, settings: Sequence[tuple[str, str, str]]) -> Any:
    """What the field of this name becomes; of two settings of the same field the last counts."""
    if all(rest for _, rest, _ in settings):
        return _override(old, settings)
    whole, _, text = next(each for each in reversed(settings) if not each[1])
    if is_dataclass(old) or isinstance(old, Mapping):
        raise ValueError(f"{whole} has fields of its own; set one of them, such as {whole}.{_first_field(old)}")
    if deeper := next((whole for whole, rest, _ in settings if rest), None):
        raise ValueError(f"{deeper}: goes into a {type(old).__name__}, which has no fields")
    hints = typing.get_type_hints(type(value)) if is_dataclass(value) else {}
    new = _parse(whole, hints.get(name, type(old)), text)
    return checked_field(type(value), name, new, whole) if is_dataclass(value) else new


def _first_field(value: Any) -> str:
    return next(iter(value)) if isinstance(value, Mapping) else fields(value)[0].name


def _parse(path: str, kind: Any, text: str) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is Literal:
        if text not in args:
            raise ValueError(f"{path}: expected one of {', '.join(map(str, args))}, got {text!r}")
        return text
    if origin in (typing.Union, types.UnionType):
        if type(None) in args and text.lower() == "none":
            return None
        return _parse(path, next(a for a in args if a is not type(None)), text)
    if kind is str:
        return text
    if kind is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    expected = origin or kind
    try:
        new = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise ValueError(f"{path}: expected {_named(expected)}, got {text!r}") from None
    if expected is float and isinstance(new, int) and not isinstance(new, bool):
        new = float(new)
    if expected is int and isinstance(new, float) and new.is_integer():
        new = int(new)
    if expected is tuple and isinstance(new, list):
        new = tuple(new)
    if type(new) is not expected:
        raise ValueError(f"{path}: expected {_named(expected)}, got {text!r}")
    return _parse_each(path, args, new, text) if isinstance(new, tuple) and args else new


def _parse_each(path: str, kinds: tuple[Any, ...], values: tuple[Any, ...], text: str) -> tuple[Any, ...]:
    expected = [kinds[0]] * len(values) if kinds[-1] is Ellipsis else list(kinds)
    if len(expected) != len(values):
        raise ValueError(f"{path}: expected {len(expected)} values, got {text!r}")
    return tuple(_parse(path, kind, repr(value)) for kind, value in zip(expected, values, strict=True))


def _named(kind: type) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", tuple: "a list such as (1, 2)"}
    return words.get(kind, f"a {kind.__name__}")


def as_json(recipe: Any) -> Any:
    """The recipe as plain JSON values, the form in which a run folder keeps it."""
    if is_dataclass(recipe) and not isinstance(recipe, type):
        return {f.name: as_json(getattr(recipe, f.name)) for f in dataclasses.fields(recipe)}
    if isinstance(recipe, Mapping):
        return {k: as_json(v) for k, v in recipe.items()}
    if isinstance(recipe, (list, tuple)):
        return [as_json(v) for v in recipe]
    return recipe


def from_json(kind: type[T], value: Any) -> T:
    """The frozen dataclass `kind` from what `as_json` gave.

    ValueError names a field that is unknown, missing, of another type or out of its range.
    """
    return checked(kind, value, kind.__name__)
