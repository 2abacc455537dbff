"""The loop: one for every stage of every system, adversarial ones too.

    for each step: batch(step) -> for each turn: micro-batches -> gradients -> clip -> AdamW (or Muon) -> average -> log

A step is a pure function of the weights, the optimizers' moments and (seed, step): the loader makes batch(step) from
them, and the random numbers of a loss come from a generator seeded with (seed, step, turn, part). So a checkpoint needs
no random state, and a run that was killed and resumed equals one that was not.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from storyreel.model import own_tensors
from storyreel.precision import settled
from storyreel.recipe import StageRecipe
from storyreel.run import StageRun
from storyreel.systems.base import Batch, Stage, Tick
from storyreel.train import parallel
from storyreel.train.graphs import Graphs
from storyreel.train.interrupts import Interrupts
from storyreel.train.optim import (
    Average,
    begin_optimizers,
    learning_rate,
    make_optimizers,
    optimizer_state,
    parameters_of,
    set_rates,
)
from storyreel.train.randomness import seed_dropout, seed_of
from storyreel.train.stage_setup import prepare_stage, train_mode


class BatchSource(Protocol):
    """What the loop needs of a loader: batch(step) of this rank, a pure function of the step."""

    def prefetch(self, start: int) -> Iterator[Batch]: ...

    def entries(self, name: str) -> Tensor:
        """What `prepare` gave under this name for all clips (n, ...)."""
        ...


OnStep = Callable[[dict[str, Any], dict[str, Any]], None]
"""Called after each step with the log record and with what is not logged: `clips`, `seconds`, `steps`, `stage`."""


def train_stage(
    stage: Stage,
    loader: BatchSource,
    recipe: StageRecipe,
    run: StageRun,
    *,
    on_step: OnStep | None = None,
    tell: Callable[[str], None] = warnings.warn,
    kind: parallel.Kind = "none",
    frozen: dict[str, str] | None = None,
    pace: StepBudget | None = None,
) -> Path:
    """Train one stage up to `recipe.steps`, from its newest checkpoint if there is one.

    Returns the path of final.safetensors, the averaged weights; the stage itself holds them too when this returns.
    frozen: name -> digest of the earlier stages that this one was built on; a checkpoint made on others is refused.
    pace: says when to save besides, and when the time is up; final.json then has fewer steps than the recipe.

    Raises ValueError for a setting that cannot be followed and for a loss or gradient that is not finite (naming the
    step and the tensor; the last checkpoint stays), OSError when the disk fails, KeyboardInterrupt after SIGINT or
    SIGTERM, when a checkpoint has been written.
    """
    for note in stage.notes():
        tell(f"{run.name}: {note}")
    stage.begin()
    trainer = Trainer(stage, recipe, run, kind, frozen or {}, tell=tell)
    trainer.pace = pace
    if trainer.parallel.rank == 0:
        run.open()
    try:
        start = trainer.resume(tell)
        if start < recipe.steps or run.final() is None:
            trainer.train(loader, start, on_step)
        return trainer.finish()
    finally:
        run.close()


class StepBudget(Protocol):
    """What the loop needs of a budget of time."""

    def due(self) -> bool: ...

    def over(self) -> bool: ...


class Trainer:
    """The state of one stage's training: parameters by turn, their optimizers and their average."""

    pace: StepBudget | None = None

    def __init__(
        self,
        stage: Stage,
        recipe: StageRecipe,
        run: StageRun,
        kind: parallel.Kind,
        frozen: dict[str, str],
        *,
        tell: Callable[[str], None] = warnings.warn,
    ):
        self.stage, self.recipe, self.run, self.frozen, self.tell = stage, recipe, run, frozen, tell
        prepare_stage(stage, recipe, run.name)
        self.device = next(stage.parameters()).device
        self.bf16 = settled(recipe.precision, self.device) == "bf16"
        self.parallel = parallel.make(kind, stage)
        parts = self.parallel.world * recipe.accumulate
        if recipe.data.batch % parts or recipe.accumulate < 1:
            raise ValueError(
                f"stages.{run.name}.data.batch: {recipe.data.batch} clips cannot be split evenly over "
                f"{self.parallel.world} processes x {recipe.accumulate} accumulated micro-batches"
            )
        self.turns = parameters_of(stage, f"stage {run.name!r}")
        self.losses = {turn: self.parallel.loss_of(stage, turn) for turn in self.turns}
        self.optimizers = {}
        for turn, params in self.turns.items():
            self.optimizers[turn] = make_optimizers(stage, params, recipe, fused=kind != "fsdp", bf16=self.bf16)
            begin_optimizers(self.optimizers[turn])
        self.average = Average({n: p for params in self.turns.values() for n, p in params.items()}, recipe.ema)
        self.graphs = Graphs.open(self) if recipe.cuda_graphs else None

    # -- checkpoints ---------------------------------------------------------------------------------------

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """file -> name -> the live tensors that a checkpoint holds."""
        state = {f"optimizer-{t}": optimizer_state(o, self.turns[t]) for t, o in self.optimizers.items()}
        return {"weights": own_tensors(self.stage), "ema": self.average.tensors, **state}

    def save(self, step: int) -> None:
        whole = {f: {n: self.parallel.whole(t) for n, t in each.items()} for f, each in self.tensors().items()}
        if self.parallel.rank == 0:
            self.run.save(step, whole, frozen=self.frozen, torch=torch.__version__)
        self.parallel.wait()

    def resume(self, tell: Callable[[str], None]) -> int:
        """Fill in the newest whole checkpoint; the step to go on from."""
        found = self.run.load(tell)
        self.parallel.wait()  # nobody writes before all have looked
        if found is None:
            self.save(0)
            self.run.cut_log(0)
            return 0
        if not self.stage.stands_alone and found.state.get("frozen", {}) != self.frozen:
            raise ValueError(
                f"{found.path}: stage {self.run.name!r} was begun on another "
                f"{' or '.join(sorted({**found.state.get('frozen', {}), **self.frozen}))}; "
                f"remove {self.run.path} to train it anew"
            )
        for file, tensors in self.tensors().items():
            _fill(tensors, found.tensors.get(file, {}), f"{found.path}/{file}.safetensors", self.parallel)
        if found.step > self.recipe.steps:
            raise ValueError(
                f"stages.{self.run.name}.steps: {self.recipe.steps} is fewer than the {found.step} already trained"
            )
        if self.parallel.rank == 0:
            self.run.cut_log(int(found.state["log_bytes"]))
        return found.step

    # -- the loop ------------------------------------------------------------------------------------------

    def train(self, loader: BatchSource, start: int, on_step: OnStep | None) -> None:
        steps, recipe = self.recipe.steps, self.recipe
        with Interrupts() as interrupts:
            batches = loader.prefetch(start) if start < steps else iter(())
            for step in range(start, steps):
                began = time.perf_counter()
                try:
                    batch = self.moved(next(batches))
                except RuntimeError:  # a signal to the whole group has ended the processes that read
                    if not interrupts.requested:
                        raise
                    self.save(step)
                    raise KeyboardInterrupt from None
                try:
                    record = self.step(batch, step)
                except torch.OutOfMemoryError:
                    raise ValueError(self._out_of_memory(step)) from None
                done = step + 1
                if self.parallel.rank == 0:
                    self.run.log(record)
                if recipe.sample_every and (done % recipe.sample_every == 0 or done == steps):
                    self.samples(batch, done)
                stop = self.parallel.any(interrupts.requested)
                cut = self.pace is not None and done < steps and self.pace.over()
                due = self.pace is not None and self.pace.due()
                if stop or cut or due or done % recipe.checkpoint_every == 0 or done == steps:
                    self.save(done)
                if on_step:
                    seconds = time.perf_counter() - began
                    on_step(record, dict(clips=recipe.data.batch, seconds=seconds, steps=steps, stage=self.run.name))
                if stop:
                    raise KeyboardInterrupt
                if cut:
                    self.recipe = replace(recipe, steps=done)
                    return

    def _out_of_memory(self, step: int) -> str:
        here, recipe = f"stages.{self.run.name}", self.recipe
        return (
            f"stage {self.run.name!r}, step {step + 1}: out of memory on {self.device} with {recipe.data.batch} clips "
            f"in {recipe.accumulate} part(s); set {here}.accumulate={2 * recipe.accumulate}, fewer clips with "
            f"{here}.data.batch, or {here}.gradient_checkpointing=true where the stage can do that"
        )

    def moved(self, batch: Batch) -> Batch:
        """The batch on the device. Without `length` where no item is an image, so that no stage has to ask for it."""
        length = batch.get("length")
        if length is not None and not bool((length == 1).any()):
            batch = {k: v for k, v in batch.items() if k != "length"}
        return {k: v.to(self.device, non_blocking=True) for k, v in batch.items()}

    def step(self, batch: Batch, step: int) -> dict[str, Any]:
        """One optimizer step of every turn on the same batch; the line of the log."""
        lr = learning_rate(self.recipe.optim, step, self.recipe.steps)
        record: dict[str, Any] = {"step": step + 1, "lr": lr}
        for turn, params in self.turns.items():
            if len(self.turns) > 1:
                for other, theirs in self.turns.items():
                    for p in theirs.values():
                        p.requires_grad_(other == turn)
            set_rates(self.optimizers[turn], lr)
            values, update = self.computed(batch, step, turn)
            numbers = dict(zip(values, _numbers(values.values()), strict=True))
            self.refuse_failure(numbers, params, step, turn)
            update()
            prefix = f"{turn}/" if len(self.turns) > 1 else ""
            record |= {prefix + n: v if math.isfinite(v) else None for n, v in numbers.items()}
        for params in self.turns.values():
            for p in params.values():
                p.requires_grad_(True)
        self.average.update(step)
        return record

    def computed(self, batch: Batch, step: int, turn: str) -> tuple[dict[str, Tensor], Callable[[], None]]:
        """The loss, its parts and the norm of the gradients, which are there now; and what takes the step."""
        if self.graphs and (found := self.graphs.run(batch, seed_of(self.run.seed, self.run.name, step, turn, 0))):
            return found
        for optimizer in self.optimizers[turn]:
            optimizer.zero_grad(set_to_none=True)
        values = self.backward(batch, step, turn)
        values["norm"], clip = self.parallel.clip(list(self.turns[turn].values()), self.recipe.optim.clip_norm)

        def update() -> None:
            clip()
            for optimizer in self.optimizers[turn]:
                optimizer.step()

        return values, update

    def backward(self, batch: Batch, step: int, turn: str) -> dict[str, Tensor]:
        """Gradients of the mean over the micro-batches; the loss and its parts, meaned likewise.

        With n = processes x micro-batches, part p of the global batch is its items p, p + n, p + 2n, ... and has random
        numbers of its own. So 2 processes, or 2 accumulated micro-batches in one, descend the same loss.
        """
        count = self.recipe.accumulate
        sums: dict[str, Tensor] = {}
        for micro in range(count):
            part = micro * self.parallel.world + self.parallel.rank
            seed = seed_of(self.run.seed, self.run.name, step, turn, part)
            seed_dropout(seed)
            rng = torch.Generator(self.device).manual_seed(seed)
            piece = {k: v[micro::count] for k, v in batch.items()}
            with self.parallel.together(turn, micro == count - 1):
                parts = self.gradients(piece, step, turn, rng)
            for name, value in parts.items():
                sums[name] = sums[name] + value if name in sums else value
        mean = self.parallel.mean(torch.stack([sums[n].reshape(()).to(self.device) for n in sums]))
        return dict(zip(sums, mean, strict=True))

    def gradients(self, piece: Batch, step: int, turn: str, rng: torch.Generator) -> dict[str, Tensor]:
        """Adds the gradients of one of the micro-batches; its share of the loss and of its parts."""
        count, tick = self.recipe.accumulate, Tick(step, turn, rng, step / self.recipe.steps)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            loss = self.losses[turn](piece, tick)
        (loss.total.float() / count).backward()
        return {n: value.detach().float() / count for n, value in {"loss": loss.total, **loss.parts}.items()}

    def refuse_failure(self, numbers: dict[str, float], params: dict[str, nn.Parameter], step: int, turn: str) -> None:
        where = f"stage {self.run.name!r}, step {step + 1}" + (f", turn {turn!r}" if len(self.turns) > 1 else "")
        if math.isfinite(numbers["loss"]) and math.isfinite(numbers["norm"]):
            if failure := self.stage.failure(numbers):
                raise ValueError(f"{where}: {failure}; the last checkpoint stays")
            return
        if not math.isfinite(numbers["loss"]):
            parts = [n for n, v in numbers.items() if n not in ("loss", "norm") and not math.isfinite(v)]
            what = f"the loss is {numbers['loss']}" + (f" (from {', '.join(parts)})" if parts else "")
        else:
            what = "the gradient is not finite"
        weights = [n for n, p in params.items() if not bool(p.detach().isfinite().all())]
        grads = [n for n, p in params.items() if p.grad is not None and not bool(p.grad.isfinite().all())]
        first = f"; first bad weight: {weights[0]}" if weights else f"; first bad gradient: {grads[0]}" if grads else ""
        raise ValueError(f"{where}: {what}{first}; the last checkpoint stays")

    # -- the average ---------------------------------------------------------------------------------------

    def samples(self, batch: Batch, step: int) -> None:
        """A contact sheet of what the averaged weights make of this batch, if the stage can show that."""
        make: Callable[[Batch, torch.Generator], Tensor] | None = getattr(self.stage, "samples", None)
        if make is None:
            return
        from storyreel.train.contact_sheet import write_contact_sheet

        seed = seed_of(self.run.seed, self.run.name, 0, "samples", 0)
        self.average.swap()
        self.stage.eval()
        try:
            with torch.no_grad():
                video = make({k: v[:8] for k, v in batch.items()}, torch.Generator().manual_seed(seed))
            if self.parallel.rank == 0:
                write_contact_sheet(self.run.path / "samples" / f"{step:07d}.png", video)
        finally:
            self.parallel.settle(self.stage)
            self.average.swap()
            train_mode(self.stage)

    def finish(self) -> Path:
        """Leave the averaged weights in the stage, and in final.safetensors."""
        self.average.swap()
        self.stage.eval()
        whole = {n: self.parallel.whole(t) for n, t in own_tensors(self.stage).items()}
        path = self.run.path / "final.safetensors"
        if self.parallel.rank == 0 and (self.run.final() or {}).get("step") != self.recipe.steps:
            self.run.finish(self.recipe.steps, whole, frozen=self.frozen)
        self.parallel.wait()
        return path


def _fill(target: dict[str, Tensor], source: dict[str, Tensor], where: str, ranks: parallel.Single) -> None:
    for name in [*target, *source]:
        if name not in source or name not in target:
            raise ValueError(f"{where}: {'lacks' if name not in source else 'has unknown'} {name!r}")
        if source[name].shape != target[name].shape:
            raise ValueError(f"{where}: {name} is {list(source[name].shape)}, expected {list(target[name].shape)}")
    for name, tensor in target.items():
        ranks.fill(tensor, source[name])


def _numbers(values: Any) -> list[float]:
    """One wait for the device, however many scalars."""
    return torch.stack([v.detach().float().reshape(()) for v in values]).tolist()
