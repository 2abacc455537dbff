"""Every field of a config that comes from a file has its type and its range, and says so in one line."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from storyreel import field_ranges, recipes
from storyreel.diffusion.sampling import Sampling
from storyreel.field_ranges import check_ranges, checked
from storyreel.nn.video_unet import VideoUNetConfig
from storyreel.recipe import Optim, StageRecipe, as_json, from_json, override
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.phenaki import MaskGitConfig, PhenakiConfig


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_of_ours_is_within_its_ranges_and_comes_back(name: str):
    recipe = recipes.get(name)
    check_ranges(recipe, name)
    again = json.loads(json.dumps(as_json(recipe)))
    assert from_json(type(recipe.system), again["system"]) == recipe.system
    assert {n: from_json(StageRecipe, s) for n, s in again["stages"].items()} == dict(recipe.stages)


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The path of every leaf, list and object of a JSON value."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(value: Any, path: tuple, new: Any) -> Any:
    """A copy of a JSON value in which the place at the end of `path` holds `new`; it shares what did not change."""
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


def said(kind: type, value: Any) -> str:
    """The line with which a value is refused, empty where it is taken; anything but a ValueError fails."""
    try:
        checked(kind, value, "system")
    except ValueError as error:
        return str(error)
    return ""


def once_each(original: Any) -> Callable:
    """`_dataclass`, which reads an object of `original` once: most of a config is not what a hostile value changes."""
    whole, ids = field_ranges._dataclass, {id(original)}
    for path in places(original):
        ids.add(id(functools.reduce(lambda inner, key: inner[key], path, original)))
    seen: dict[int, Any] = {}

    def read(kind: Any, value: Any, where: str) -> Any:
        if id(value) not in ids:
            return whole(kind, value, where)
        if id(value) not in seen:
            seen[id(value)] = whole(kind, value, where)
        return seen[id(value)]

    return read


HOSTILE = [
    None, True, "x", [], {}, -1, 0, 10**9, 10**12, 10**40, -(10**40), 1e308, -1e308, float("inf"), float("nan"), 0.5,
    "9" * 5_000, [10**9] * 3, [[[]]], {"a": 1}, ["x"] * 2_000,
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name in recipes.names() if name.endswith("_tiny")])
def test_any_value_in_any_place_is_taken_or_refused_in_one_line(name: str, monkeypatch: pytest.MonkeyPatch):
    recipe = recipes.get(name)
    kind, value = type(recipe.system), json.loads(json.dumps(as_json(recipe.system)))
    monkeypatch.setattr(field_ranges, "_dataclass", once_each(value))
    lines = [said(kind, changed(value, path, new)) for path in places(value) for new in HOSTILE]
    refused = [line for line in lines if line]
    assert all(line.startswith("system") and "\n" not in line and len(line) < 600 for line in refused)
    assert len(refused) > 300


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (MaskGitConfig, {"depth": 10**9}, "MaskGitConfig.depth: expected a whole number from 0 to 1000, got 10{9}$"),
        (MaskGitConfig, {"steps": 10**9}, "MaskGitConfig.steps: expected a whole number from 1 to 10000"),
        (MaskGitConfig, {"dim": 0}, "MaskGitConfig.dim: expected a whole number from 1"),
        (MaskGitConfig, {"dim": 64.5}, "MaskGitConfig.dim: expected a whole number"),
        (MaskGitConfig, {"dim": "64"}, "MaskGitConfig.dim: expected a whole number"),
        (MaskGitConfig, {"dim": True}, "MaskGitConfig.dim: expected a whole number"),
        (MaskGitConfig, {"guidance": float("nan")}, "MaskGitConfig.guidance: expected a number"),
        (MaskGitConfig, {"guidance": 10**400}, "got a number of about 398 digits"),
        (MaskGitConfig, {"heds": 2}, "MaskGitConfig: does not know 'heds'"),
        (PhenakiConfig, {"prior": {"depth": -1}}, "PhenakiConfig.prior.depth: expected"),
        (PhenakiConfig, {"tokenizer": []}, "PhenakiConfig.tokenizer: expected an object"),
        (VideoShape, {"frames": 1, "height": 8, "width": 8}, "Shape: lacks 'fps'"),
        (Sampling, {"sampler": "none"}, "Sampling: sampler: "),
        (VideoUNetConfig, {"widths": [8] * 2_000}, "expected a list of at most 1000, got 2000 entries"),
        (VideoUNetConfig, {"widths": [8, 0]}, "widths\\[1\\]: expected a whole number from 1"),
        (VideoUNetConfig, {"temporal": "conv"}, "temporal: expected a list"),
        (Optim, {"betas": [0.9]}, "betas: expected 2 values, got 1"),
        (StageRecipe, {"data": {"frames": 1, "size": 8}, "steps": 10**9}, "StageRecipe.steps: expected"),
        (StageRecipe, {"data": {"frames": 1, "size": 8}, "steps": 1, "precision": "int2"}, "expected one of"),
        (StageRecipe, {"data": {"frames": 1, "size": 8}, "steps": 1, "precision": []}, "precision: expected one of"),
    ],
)
def test_the_line_names_the_field_and_the_range(kind: type, value: Any, said: str):
    with pytest.raises(ValueError, match=said):
        from_json(kind, value)


def test_a_setting_on_the_command_line_has_the_same_ranges():
    recipe = recipes.get("phenaki_tiny")
    for setting, value in (("stages.prior.steps", "10**12"), ("system.prior.depth", "1000000000")):
        with pytest.raises(ValueError, match=rf"{setting}"):
            override(recipe, setting, value)
    with pytest.raises(ValueError, match=r"optim.lr: expected a number"):
        override(recipe, "stages.prior.optim.lr", "1e300")
    assert override(recipe, "stages.prior.steps", "7").stages["prior"].steps == 7


def test_what_a_config_itself_refuses_is_said_with_its_place():
    @dataclasses.dataclass(frozen=True)
    class Odd:
        x: int = 1

        def __post_init__(self) -> None:
            raise {1: ZeroDivisionError, 2: KeyError, 3: TypeError}[self.x]("deep inside")

    for x in (1, 2, 3):
        with pytest.raises(ValueError, match=r"odd: these values do not go together \(\w+Error: .*deep inside"):
            checked(Odd, {"x": x}, "odd")


def test_what_a_value_says_stays_in_one_line():
    """A name in a model's settings that clears the screen, and ends in a new line."""
    saved = as_json(VideoUNetConfig())
    with pytest.raises(ValueError, match="temporal: expected") as error:
        from_json(VideoUNetConfig, {**saved, "temporal": ["\x1b[2J\n"] * len(saved["temporal"])})
    assert str(error.value).isprintable()
