"""All stages of a system, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch

from storyreel.model import own_tensors
from storyreel.recipe import StageRecipe
from storyreel.run import Run
from storyreel.systems.base import Batch, Stage, System
from storyreel.tensor_file import copy_into
from storyreel.train.loop import BatchSource, OnStep, train_stage
from storyreel.train.parallel import Kind

Prepare: TypeAlias = Callable[[Batch], Batch]
MakeLoader: TypeAlias = Callable[[str, StageRecipe, Stage, Prepare | None, str], BatchSource]
"""(stage name, its recipe, the stage, its `prepare` or None, the key of what `prepare` depends on) -> batches."""


def train_system(
    system: System,
    run: Run,
    make_loader: MakeLoader,
    *,
    only: str | None = None,
    on_step: OnStep | None = None,
    tell: Callable[[str], None] = lambda line: None,
    kind: Kind = "none",
) -> bool:
    """Train the stages in order, each from where it stands; True when every stage of the system is finished.

    only: train this stage alone; the earlier ones must be finished. Weights that the system already has are the start
    of a stage that has no checkpoint yet.
    """
    recipe = run.recipe
    wanted = list(recipe.stages)
    order = [name for name in system.stages if name in wanted]
    if unknown := [n for n in wanted if n not in system.stages]:
        raise ValueError(f"stages.{unknown[0]}: system {system.name!r} has {', '.join(system.stages)}")
    if only is not None and only not in order:
        raise ValueError(f"--stage {only}: this recipe has {', '.join(order)}")
    frozen: dict[str, str] = {}
    for name in order:
        stage, part, settings = system.stages[name], run.stage(name), recipe.stages[name]
        if only in (None, name):
            prepare, key = _prepare_of(stage, name, frozen)
            loader = make_loader(name, settings, stage, prepare, key)
            train_stage(stage, loader, settings, part, on_step=on_step, tell=tell, kind=kind, frozen=frozen)
        elif only is None or order.index(name) < order.index(only) or part.final():
            tensors = part.final_tensors()
            copy_into(own_tensors(stage), tensors, f"{part.path}/final.safetensors")
        told = part.final()
        if told:
            frozen = {**frozen, name: told["sha256"]}
        stage.requires_grad_(False)
        stage.eval()
    return all((run.stage(n).final() or {}).get("step") == recipe.stages[n].steps for n in order)


def _prepare_of(stage: Stage, name: str, frozen: dict[str, str]) -> tuple[Prepare | None, str]:
    """`stage.prepare` as a loader wants it: CPU in, CPU out, no gradients; and what its result depends on."""
    if type(stage).prepare is Stage.prepare:
        return None, ""
    device = next(stage.parameters()).device

    @torch.no_grad()
    def prepare(batch: Batch) -> Batch:
        return {k: v.cpu() for k, v in stage.prepare({k: v.to(device) for k, v in batch.items()}).items()}

    return prepare, "/".join([name, type(stage).__qualname__, *(f"{n}={d}" for n, d in frozen.items())])
