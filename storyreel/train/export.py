"""A model folder from a run, finished or not: of each stage the newest average."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from storyreel.model import config_class, exported, own_tensors, pack_model, save_model
from storyreel.ownership import check_apart, check_owner
from storyreel.recipe import Recipe, StageRecipe, from_json
from storyreel.run import StageRun
from storyreel.storage import read_json
from storyreel.systems.base import System
from storyreel.tensor_file import copy_into
from storyreel.train.card import card
from storyreel.train.command import begin_from
from storyreel.train.frozen_encoders import take_encoders

MAX_MB = 15.0


@dataclass(frozen=True)
class Exported:
    """The folder; stage -> (steps that its average has seen, steps of the recipe); megabytes of the largest file."""

    path: Path
    steps: dict[str, tuple[int, int]]
    largest: float
    packed: bool


def export_run(
    run: str | Path,
    out: str | Path,
    *,
    packed: bool | None = None,
    max_mb: float = MAX_MB,
    init: str | Path | None = None,
) -> Exported:
    """Write the newest average of each stage as a model folder.

    packed: int8 with a scale a row in place of float16; None packs when a file would be larger than `max_mb` (10^6
    bytes). init: the model that training went on from, whose networks are those that did not learn. ValueError: no run,
    a stage without a checkpoint, networks that did not learn without `init`, or a file that is too large even so
    (nothing is kept).
    """
    run, out = Path(run), Path(out)
    recipe = recipe_of(run)
    check_apart(out, [run])
    check_owner(out, "model")
    system: System = recipe.system.build()
    take_encoders(system)
    frozen = [name for name, stage in system.stages.items() if stage.frozen]
    if frozen and init is None:
        raise ValueError(f"{run}: {', '.join(frozen)} did not learn; name the model that it goes on from with --init")
    if init is not None:
        begin_from(system, Path(init))
    steps: dict[str, tuple[int, int]] = {}
    for name, settings in recipe.stages.items():
        steps[name] = (_fill(system, run, name), settings.steps)
    unpacked_mb = max(_megabytes(system, name) for name in system.stages)
    packed = unpacked_mb > max_mb if packed is None else packed
    largest = unpacked_mb / 2 if packed else unpacked_mb  # at most: they are deflated too
    if largest > max_mb:
        hint = "raise it with --max-mb" if packed else "pack it with --packed, or raise it with --max-mb"
        raise ValueError(f"{run}: a file would be {largest:.1f} MB, more than the {max_mb:g} MB allowed; {hint}")
    training = {**_provenance(run), "steps": {n: done for n, (done, _) in steps.items()}, "torch": torch.__version__}
    unfinished = {n: f"{done} of {goal}" for n, (done, goal) in steps.items() if done != goal}
    if unfinished:
        training["unfinished"] = unfinished
    text = card(recipe, training, {name: goal for name, (_, goal) in steps.items()})
    if packed:
        with tempfile.TemporaryDirectory() as work:
            pack_model(save_model(Path(work) / "whole", system, recipe=recipe, card=text, training=training), out)
    else:
        save_model(out, system, recipe=recipe, card=text, training=training)
    size = max(file.stat().st_size for file in out.rglob("*.safetensors")) / 1e6
    return Exported(out, steps, size, packed)


def recipe_of(run: Path) -> Recipe:
    """The recipe of a run folder. ValueError when there is none, or no system has such settings."""
    from storyreel import recipes

    if not (run / "recipe.json").is_file():
        raise ValueError(f"{run}: is no run (there is no recipe.json in it)")
    saved = read_json(run / "recipe.json")
    try:
        name, stages, settings = str(saved["name"]), saved["stages"], saved["system"]
        found = {n: from_json(StageRecipe, s) for n, s in stages.items()}
        try:
            kinds = [type(recipes.get(name).system)]
        except ValueError:  # a recipe of one's own
            kinds = [config_class(each) for each in recipes.SYSTEMS]
        system = _first_that_fits(kinds, settings)
        text = "minilm" if str(saved["text"]).startswith("minilm-words:") else str(saved["text"])
        return Recipe(name=name, system=system, stages=found, text=text, seed=int(saved["seed"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{run / 'recipe.json'}: the recipe lacks {error}") from None


def _first_that_fits(kinds: list[Any], settings: Any) -> Any:
    reasons = []
    for kind in kinds:
        try:
            return from_json(kind, settings)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(f"recipe.json: fits no system that is known here ({reasons[0]})")


def _fill(system: System, run: Path, name: str) -> int:
    """Give a stage its final weights, or the average of its newest checkpoint; the steps that they have seen."""
    part = StageRun(run / name, name)
    target = own_tensors(system.stages[name])
    final = part.final()
    found = part.load()
    if final is not None and (found is None or int(final["step"]) >= found.step):
        copy_into(target, part.final_tensors(), f"{part.path}/final.safetensors")
        return int(final["step"])
    if found is None or not found.step:
        raise ValueError(f"{run}: stage {name!r} has no checkpoint with a step yet; train it first")
    tensors: dict[str, Tensor] = {**found.tensors["weights"], **found.tensors["ema"]}
    copy_into(target, tensors, str(found.path))
    return found.step


def _megabytes(system: System, name: str) -> float:
    return sum(t.numel() for t in exported(system.stages[name]).values()) * 2 / 1e6


def _provenance(run: Path) -> dict[str, Any]:
    """What the run noted of its data and its text encoder."""
    noted = read_json(run / "data.json") if (run / "data.json").is_file() else {}
    return {name: noted[name] for name in ("data", "words", "attributes", "text") if name in noted}
