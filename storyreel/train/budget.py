"""Training in so many minutes: the first steps are timed, and every stage gets its share of the time.

A stage's share is that of its recipe, steps x seconds a step, so all steps of a recipe are scaled by one factor. They
are written into the run's recipe before a stage begins, and from then on a step is a function of (seed, step) as ever:
the same command resumes. Should steps take longer than timed, the stage in training is cut when the time is up; its
average so far is then the stage, and the recipe says at how many steps.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from storyreel.recipe import Recipe, StageRecipe
from storyreel.run import Run, StageRun
from storyreel.storage import read_json
from storyreel.systems.base import Stage, System
from storyreel.train.loop import BatchSource, Trainer
from storyreel.train.random_batch import random_batch
from storyreel.train.stages import freeze_others, order_of

SAVE_EVERY = 60.0  # seconds between two checkpoints, at most a tenth of the budget
RESERVE = 0.04  # share of the time for checkpoints and the export
MARGIN = 0.95  # steps are planned for so much of a stage's time
TIMED, PATIENCE = 5, 4.0  # steps that are timed, and seconds after which fewer will do


@dataclass
class TimeBudget:
    """When a stage saves, and when its time is up. Seconds of `clock`."""

    deadline: float
    every: float = SAVE_EVERY
    clock: Callable[[], float] = time.monotonic
    saved: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.saved = self.clock()

    def due(self) -> bool:
        """Whether it is time for a checkpoint; true once an interval."""
        if self.clock() - self.saved < self.every:
            return False
        self.saved = self.clock()
        return True

    def over(self) -> bool:
        return self.clock() >= self.deadline


@dataclass(frozen=True)
class Timing:
    """Seconds of an optimizer step; of what frozen stages prepare of one clip."""

    step: float
    prepared: float = 0.0


@dataclass
class Budget:
    """The minutes of one call of a run, from the moment that this is made. Begun stages keep their steps."""

    minutes: float
    clock: Callable[[], float] = time.monotonic
    began: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.minutes < 60 * 24 * 365:
            raise ValueError(f"--minutes: expected more than 0, got {self.minutes:g}")
        self.began = self.clock()

    @property
    def deadline(self) -> float:
        """When the last step must have been taken."""
        return self.began + self.minutes * 60 * (1 - RESERVE)

    @property
    def left(self) -> float:
        return self.deadline - self.clock()

    def pace(self, seconds: float) -> TimeBudget:
        """Of a stage that may take so many seconds from now on."""
        return TimeBudget(min(self.deadline, self.clock() + seconds), min(SAVE_EVERY, self.minutes * 6), self.clock)

    def plan(
        self,
        recipe: Recipe,
        run: Path,
        times: Mapping[str, Timing],
        *,
        clips: int = 0,
        at_once: bool = False,
        strict: bool = True,
    ) -> Recipe:
        """The recipe with the steps that the time allows.

        times: of the stages that are to be trained. clips: that later stages prepare before they begin. at_once: the
        stages train side by side, so that each has all of the time and takes as many times longer.
        ValueError when there is no time for one step of each stage, which they have all the same unless `strict`.
        """
        saved = saved_steps(run)
        finished = {name: steps for name, steps in saved.items() if name in recipe.stages and steps_done(run, name)}
        recipe = with_steps(recipe, finished)
        todo = [name for name in times if name not in finished]
        crowd = len(times) if at_once else 1
        going_on = {n: max(0, finished[n] - steps_done(run, n)) * times[n].step for n in times if n in finished}
        prepared = sum(times[name].prepared for name in todo) * clips
        usable = self.left - prepared - (0 if at_once else sum(going_on.values()))
        need = sum(times[name].step for name in todo)
        if at_once:
            per_stage = {name: usable * MARGIN / crowd / times[name].step for name in todo}
        else:
            whole = sum(recipe.stages[name].steps * times[name].step for name in todo)
            scale = usable * MARGIN / whole if todo else 0.0
            per_stage = {name: recipe.stages[name].steps * scale for name in todo}
        short = [name for name, steps in per_stage.items() if steps < 1]
        if short and strict:
            each = ", ".join(f"{name} {times[name].step:.3g} s" for name in todo)
            needed = (self.minutes * 60 - self.left + prepared + need * crowd / MARGIN) / 60 / (1 - RESERVE)
            raise ValueError(
                f"--minutes {self.minutes:g}: too short for one step of each stage (a step takes: {each}); "
                f"expected at least {1.2 * needed:.2g}, or fewer clips a step (--set stages.{short[0]}.data.batch=...)"
            )
        return with_steps(recipe, {name: max(1, int(steps)) for name, steps in per_stage.items()})


@dataclass
class Shares:
    """What is left of a budget, shared out anew before each stage, when its data are there."""

    budget: Budget
    times: dict[str, Timing]
    clips: int = 0

    def begin(self, run: Run, name: str, loader: BatchSource, tell: Callable[[str], None]) -> TimeBudget:
        """Give `name` and the stages after it their steps; how long it may take. Begun stages keep theirs."""
        order = list(self.times)
        later = {n: self.times[n] for n in order[order.index(name) :]}
        done = steps_done(run.path, name)
        if not done:
            later[name] = Timing(max(later[name].step, seconds_a_batch(loader)))
            planned = self.budget.plan(run.recipe, run.path, later, clips=self.clips, strict=False)
            run.set_steps({n: planned.stages[n].steps for n in later})
        steps, each = run.recipe.stages[name].steps, later[name].step
        tell(f"{name}: {steps} steps of {each * 1e3:.3g} ms in the time that is left")
        return self.budget.pace((steps - done) * each / MARGIN)


def seconds_a_batch(loader: BatchSource, count: int = 3) -> float:
    """How long the loader makes the loop wait for a batch, once it runs."""
    batches = loader.prefetch(0)
    for _ in range(count):
        next(batches)
    began = time.perf_counter()
    for _ in range(count):
        next(batches)
    seconds = (time.perf_counter() - began) / count
    del batches  # which ends the processes that read
    return seconds


def with_steps(recipe: Recipe, steps: Mapping[str, int]) -> Recipe:
    stages = {n: replace(s, steps=steps[n]) if n in steps else s for n, s in recipe.stages.items()}
    return replace(recipe, stages=stages)


def saved_steps(run: Path) -> dict[str, int]:
    """Stage -> the steps that a run was begun with; {} where there is no run."""
    if not (run / "recipe.json").is_file():
        return {}
    stages = read_json(run / "recipe.json").get("stages")
    if not isinstance(stages, dict):
        return {}
    return {n: s["steps"] for n, s in stages.items() if isinstance(s, dict) and isinstance(s.get("steps"), int)}


def steps_done(run: Path, name: str) -> int:
    """Optimizer steps that the newest checkpoint of a stage has behind it; 0 where there is none."""
    return next((step for step, _ in StageRun(run / name, name).checkpoints()), 0)


def time_stages(system: System, recipe: Recipe, names: Sequence[str]) -> dict[str, Timing]:
    """Seconds of some steps on random data, the first of which does not count. The system is not to be used afterwards.

    ValueError for a stage that cannot be trained as its recipe says.
    """
    found = {}
    for name in order_of(system, recipe):
        if name in names:
            found[name] = _timing(system, name, recipe.stages[name])
    return found


def _timing(system: System, name: str, settings: StageRecipe) -> Timing:
    stage = system.stages[name]
    freeze_others(system, stage)
    with tempfile.TemporaryDirectory() as folder:
        stage.begin()
        trainer = Trainer(stage, settings, StageRun(Path(folder) / name, name), "none", {})
        batch = trainer.moved(random_batch(stage, settings.data, system.text_dim))
        prepared = 0.0
        if type(stage).prepare is not Stage.prepare:
            with torch.no_grad():
                began = _now(trainer.device)
                made = stage.prepare(batch)
                prepared = (_now(trainer.device) - began) / settings.data.batch
            batch = {k: v for k, v in batch.items() if k != "video"} | made if made else batch
        trainer.step(batch, 0)
        began, count = _now(trainer.device), 0
        while count < TIMED and (not count or _now(trainer.device) - began < PATIENCE):
            count += 1
            trainer.step(batch, count)
        return Timing((_now(trainer.device) - began) / count, prepared)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
