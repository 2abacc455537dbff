"""Does everything run here, and how fast? A few training steps of every stage, and a clip of every model, on a device.

Batches are random, of the shapes of their recipes: nothing is downloaded, decoded or written. Layers that are born as
zeros get small numbers, so that no path is left out because it begins silent.
"""

from __future__ import annotations

import contextlib
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from storyreel import recipes
from storyreel.clip import Clip
from storyreel.generate import registry
from storyreel.generate.model import Model, load
from storyreel.recipe import Recipe, StageRecipe
from storyreel.run import Run
from storyreel.systems.base import Stage, System
from storyreel.train.loop import Trainer
from storyreel.train.random_batch import random_batch
from storyreel.train.stages import freeze_others, order_of

QUICK = 2  # clips a batch, training steps and sampling steps
PROMPT = "a person walks to the left"  # where the model's words are not known


@dataclass(frozen=True, kw_only=True)
class DeviceCheckRow:
    """What was found out about a stage or a model; `error` is empty where it passed."""

    name: str
    kind: str  # "stage" or "model"
    batch: int = 0
    precision: str = ""
    ms: float = 0.0  # a step, or a clip
    peak: int = 0  # bytes
    error: str = ""

    @property
    def clips_per_second(self) -> float:
        return self.batch / self.ms * 1e3 if self.ms else 0.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """What to try: recipes and models by name, `steps` training steps each, `batch` clips (None: as recipes say)."""

    device: torch.device
    recipes: tuple[str, ...]
    models: tuple[str, ...]
    steps: int = 5
    batch: int | None = None
    quick: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"--train-steps: expected at least 1, got {self.steps}")
        if self.batch is not None and self.batch < 1:
            raise ValueError(f"--batch: expected at least 1, got {self.batch}")
        for name in self.recipes:
            recipes.get(name)
        for name in self.models:
            registry.find(name)

    def rows(self, before: Callable[[str], None] = lambda name: None) -> Iterator[DeviceCheckRow]:
        """One after the other; a failure is a row and does not end the check. before: told what comes."""
        for name in self.recipes:
            yield from self._stages(recipes.get(name), before)
        for name in self.models:
            before(name)
            yield self._tried(name, "model", lambda name=name: self._clip(name))

    def _tried(self, name: str, kind: str, work: Callable[[], DeviceCheckRow]) -> DeviceCheckRow:
        try:
            return work()
        except torch.OutOfMemoryError:
            return DeviceCheckRow(
                name=name, kind=kind, error="out of memory; a smaller --batch shows whether the rest runs"
            )
        except Exception as error:  # what breaks one stage is told, and the others are tried
            message = " ".join(str(error).split())
            return DeviceCheckRow(name=name, kind=kind, error=f"{type(error).__name__}: {message[:300]}")
        finally:
            gc.collect()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    # -- training ----------------------------------------------------------------------------------------------

    def _stages(self, recipe: Recipe, before: Callable[[str], None]) -> Iterator[DeviceCheckRow]:
        torch.manual_seed(0)
        system: System = recipe.system.build()
        draw_zeros(system)
        system.to(self.device)
        with tempfile.TemporaryDirectory() as folder:
            run = Run.open(Path(folder) / "run", recipe, device=self.device)
            for which in order_of(system, run.recipe):
                name = f"{recipe.name}/{which}"
                before(name)
                settings = self._settings(run.recipe.stages[which])
                yield self._tried(
                    name, "stage", lambda s=settings, w=which, n=name: self._steps_of(system, w, s, run, n)
                )

    def _settings(self, settings: StageRecipe) -> StageRecipe:
        batch = self.batch or (QUICK if self.quick else settings.data.batch)
        accumulate = settings.accumulate if batch % settings.accumulate == 0 else 1
        return replace(settings, data=replace(settings.data, batch=batch), accumulate=accumulate)

    def _steps_of(self, system: System, which: str, settings: StageRecipe, run: Run, name: str) -> DeviceCheckRow:
        stage = system.stages[which]
        for parameter in stage.parameters():
            parameter.requires_grad_(True)
        freeze_others(system, stage)
        stage.begin()
        trainer = Trainer(stage, settings, run.stage(which), "none", {})
        batch = trainer.moved(random_batch(stage, settings.data, system.text_dim))
        if type(stage).prepare is not Stage.prepare:
            with torch.no_grad():
                made = stage.prepare(batch)
            batch = {k: v for k, v in batch.items() if k != "video"} | made if made else batch
        peak = Peak(self.device)
        trainer.step(batch, 0)
        wait(self.device)
        began, steps = time.perf_counter(), QUICK if self.quick else self.steps
        for step in range(1, steps):
            trainer.step(batch, step)
        wait(self.device)
        seconds = (time.perf_counter() - began) / max(1, steps - 1)
        return DeviceCheckRow(
            name=name, kind="stage", batch=settings.data.batch, precision="bf16" if trainer.bf16 else "fp32",
            ms=seconds * 1e3, peak=peak.bytes(),
        )  # fmt: skip

    # -- sampling ----------------------------------------------------------------------------------------------

    def _clip(self, name: str) -> DeviceCheckRow:
        model = load(name, device=self.device)
        peak, request = Peak(self.device), request_for(model)
        steps = QUICK if self.quick and takes_steps(model) else None
        model(**request, seed=0, steps=steps)  # which makes what is kept
        wait(self.device)
        began = time.perf_counter()
        [clip] = model(**request, seed=1, steps=steps)
        wait(self.device)
        seconds = time.perf_counter() - began
        if clip.frames.min() == clip.frames.max():
            raise ValueError(f"the clip is one flat colour, {int(clip.frames.min())}")
        return DeviceCheckRow(name=name, kind="model", batch=1, ms=seconds * 1e3, peak=peak.bytes())


def shipped_recipes() -> tuple[str, ...]:
    """The recipes that are trained in hours: all but those of the papers' sizes and those of tests."""
    return tuple(n for n in recipes.names() if n.rpartition("_")[2] not in ("paper", "small", "24gb", "tiny"))


def shipped_models() -> tuple[str, ...]:
    """The models that are here and make videos."""
    return tuple(registry.names())


@torch.no_grad()
def draw_zeros(system: System) -> None:
    """Small random numbers in all weights that begin as zeros."""
    for parameter in system.parameters():
        if parameter.ndim > 1 and not bool(parameter.any()):
            parameter.normal_(std=0.01)


def request_for(model: Model) -> dict[str, Any]:
    """A prompt, or a picture where it makes videos of one alone."""
    makes = model.system.makes
    if makes is not None and makes.needs == "image":
        rows = np.arange(0, 256, 4, dtype=np.uint8)[None, :, None, None]
        return {"image": Clip(rows.repeat(64, 2).repeat(3, 3), Fraction(1))}
    words = model.words
    return {"prompt": PROMPT if words is None or set(PROMPT.split()) <= set(words) else " ".join(words[:6])}


def takes_steps(model: Model) -> bool:
    """Whether it samples in steps that can be chosen; what draws token after token does not, nor what was distilled."""
    return model.system.name != "godiva" and not getattr(model.system, "distilled", False)


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Peak:
    """The most memory in use since it was made: of the GPU's allocator, or of this process."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the peak so far

    def bytes(self) -> int:
        """0 where the system does not tell."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return 0
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def table(rows: list[DeviceCheckRow], device: torch.device) -> str:
    """What was found, as text."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    wide = max([len(row.name) for row in rows] + [20])
    lines = [f"{name}, PyTorch {torch.__version__}"]
    head = f"{'':<5}{'':<{wide}}{'batch':>7}{'':>6}{'ms':>10}{'clips/s':>10}{'peak GB':>9}"
    lines.append(head.rstrip())
    for row in rows:
        if row.error:
            lines.append(f"FAIL {row.name:<{wide}}  {row.error}")
            continue
        numbers = f"{row.batch:>7}{row.precision:>6}{row.ms:>10.1f}{row.clips_per_second:>10.4g}{row.peak / 1e9:>9.2f}"
        lines.append(f"ok   {row.name:<{wide}}{numbers}")
    failed = sum(bool(row.error) for row in rows)
    lines.append(f"{len(rows) - failed} of {len(rows)} passed" + (f", {failed} failed" if failed else ""))
    return "\n".join(lines)
