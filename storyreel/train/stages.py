"""All stages of a system, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

import torch
from torch import nn

from storyreel.model import own_tensors
from storyreel.recipe import Recipe, StageRecipe
from storyreel.run import Run
from storyreel.systems.base import Batch, Stage, System
from storyreel.tensor_file import copy_into
from storyreel.train.loop import BatchSource, OnStep, StepBudget, train_stage
from storyreel.train.parallel import Kind

Prepare: TypeAlias = Callable[[Batch], Batch]
MakeLoader: TypeAlias = Callable[[str, StageRecipe, Stage, Prepare | None, str], BatchSource]
"""(stage name, its recipe, the stage, its `prepare` or None, the key of what `prepare` depends on) -> batches."""


Begin: TypeAlias = Callable[[str, BatchSource], StepBudget]
"""(stage name, its batches): called before a stage begins; may give it other steps (`Run.set_steps`), and its pace."""


def train_system(
    build: Callable[[], System],
    run: Run,
    make_loader: MakeLoader,
    *,
    only: str | None = None,
    on_step: OnStep | None = None,
    tell: Callable[[str], None] = lambda line: None,
    kind: Kind = "none",
    begin: Begin | None = None,
) -> System | None:
    """Train the stages in order, each from where it stands; the system when all of them are finished, else None.

    build: makes the system with the weights that it starts from, on the device to train on.
    only: train this stage alone. The earlier ones must be finished, unless it stands alone: then it may be trained
    before or beside them, by another process into the same run.
    A stage whose pace ended it early is finished with the steps that it had, which the run's recipe then says.
    """
    recipe, system = run.recipe, build()
    order = order_of(system, recipe)
    if only is not None and only not in order:
        raise ValueError(f"--stage {only}: this recipe has {', '.join(order)}")
    requested = order if only is None else [only]
    frozen: dict[str, str] = {}
    alone = only is not None and system.stages[only].stands_alone
    for name in requested if alone else order[: order.index(requested[-1]) + 1]:
        stage, part, settings = system.stages[name], run.stage(name), recipe.stages[name]
        final, built_on = part.final() or {}, {} if stage.stands_alone else frozen
        finished = final.get("step") == settings.steps and (stage.stands_alone or final.get("frozen") == built_on)
        if name in requested and not finished:
            freeze_others(system, stage)
            prepare, key = _prepare_of(stage, name, built_on)
            loader = make_loader(name, settings, stage, prepare, key)
            if stage.surveyed:
                stage.survey({entry: loader.entries(entry) for entry in stage.surveyed})
            pace = begin(name, loader) if begin else None
            settings = run.recipe.stages[name]
            train_stage(
                stage, loader, settings, part, on_step=on_step, tell=tell, kind=kind, frozen=built_on, pace=pace
            )
            if (done := int((part.final() or {})["step"])) < settings.steps:
                tell(f"{name}: the time was up after {done} of {settings.steps} steps; its average so far is kept")
                run.set_steps({name: done})
            if kind == "fsdp":  # its parameters are shards now, which a later stage cannot use
                system = build()
                load_finals(system, run, [*frozen, name])
        else:
            load_finals(system, run, [name])
        frozen = {**frozen, name: (part.final() or {})["sha256"]}
    if not all((run.stage(n).final() or {}).get("step") == run.recipe.stages[n].steps for n in order):
        return None
    load_finals(system, run, order)
    return system.requires_grad_(False).eval()


def order_of(system: System, recipe: Recipe) -> list[str]:
    """The stages to train, in the system's order. ValueError for one that the system does not have."""
    for name in recipe.stages:
        if name not in system.stages:
            raise ValueError(f"stages.{name}: system {system.name!r} has {', '.join(system.stages)}")
    return [name for name in system.stages if name in recipe.stages]


def freeze_others(system: System, stage: Stage) -> None:
    """Everything but the stage that is to be trained neither learns nor drops out."""
    for other in system.stages.values():
        if other is not stage:
            other.eval()
            for tensor in own_tensors(other).values():
                if isinstance(tensor, nn.Parameter):
                    tensor.requires_grad_(False)


def load_finals(system: System, run: Run, names: Iterable[str]) -> None:
    """Give the stages their averaged weights. ValueError when one is not finished, or its file was changed."""
    for name in names:
        part = run.stage(name)
        copy_into(own_tensors(system.stages[name]), part.final_tensors(), f"{part.path}/final.safetensors")


def _prepare_of(stage: Stage, name: str, frozen: dict[str, str]) -> tuple[Prepare | None, str]:
    """`stage.prepare` as a loader wants it: CPU in, CPU out, no gradients; and what its result depends on."""
    if type(stage).prepare is Stage.prepare:
        return None, ""
    device = next(stage.parameters()).device

    @torch.no_grad()
    def prepare(batch: Batch) -> Batch:
        return {k: v.cpu() for k, v in stage.prepare({k: v.to(device) for k, v in batch.items()}).items()}

    shared = stage.prepared_by
    final = frozen if shared is None else {n: frozen[n] for n in shared}
    kind = [type(stage).__qualname__] if shared is not None else [name, type(stage).__qualname__]
    more = [stage.prepared_from] if stage.prepared_from else []
    return prepare, "/".join([*kind, *more, *(f"{n}={d}" for n, d in final.items())])
