"""GODIVA's Table 1 at small scale: what each axis of attention gives, what depth gives, what ranking candidates gives.

Five generators are trained by the project's trainer on the same clips, tokenizer and text encoder, each for as many
FLOPs as the whole one (counted, see storyreel.train.cost): full; without row, temporal or column layers, whose places
the two other axes take; and half the layers, which takes more steps for the same. All attend as in the paper's Eq. 10
and 11 (`context` "sparse"). Then each is asked the prompts of the benchmark moving-digits.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch

import storyreel
from reproductions.pace import seconds_of, steps_in
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder, write_world
from storyreel.generate.model import Model
from storyreel.ownership import claim
from storyreel.storage import replacing
from storyreel.systems.base import Tick
from storyreel.systems.godiva import GodivaConfig
from storyreel.systems.pixels import for_model
from storyreel.train.command import resolve
from storyreel.train.cost import cost_of
from storyreel.worlds.digits import Digits

RECIPE = "godiva_digits"
NAMES = {
    "half": "half the layers",
    "no_row": "without row",
    "no_temporal": "without temporal",
    "no_column": "without column",
    "full": "full",
}
PAPER = {  # Table 1, MSR-VTT: SIM and RM, times 100
    "half": (21.45, 86.94),
    "no_row": (21.23, 85.95),
    "no_temporal": (21.52, 87.44),
    "no_column": (22.08, 89.20),
    "full": (22.82, 93.48),
    "ranked": (24.02, 98.34),
}
LETTERS = {"no_row": "R", "no_temporal": "T", "no_column": "C"}


@dataclass(frozen=True)
class Variant:
    """One of the five: its layers, the overrides of its recipe, steps, and FLOPs a step."""

    name: str
    layers: str
    settings: tuple[str, ...]
    steps: int
    flops: float

    def command(self, recipe: str, data: Path, run: Path) -> str:
        changes = " ".join(f"--set {s}" for s in self.settings)
        return f"storyreel train {recipe} --data {data} -o {run} {changes}"


def layers_of(name: str, layers: str) -> str:
    """The layers of a variant of a model with `layers`: as many, of two axes alone, or the first half of them.

    >>> layers_of("no_row", "TRCTRC"), layers_of("half", "TRCTRC")
    ('TCTCTC', 'TRC')
    """
    if name == "full":
        return layers
    if name == "half":
        return layers[: max(1, len(layers) // 2)]
    rest = [axis for axis in dict.fromkeys(layers) if axis != LETTERS[name]]
    if not rest:
        raise ValueError(f"layers: {layers!r} has nothing beside {LETTERS[name]}")
    return "".join(islice(cycle(rest), len(layers)))


def variants(recipe: str, steps: int, tokenizer_steps: int) -> dict[str, Variant]:
    """Name -> variant, the full one with `steps` steps and the others with as many FLOPs."""
    config = resolve(recipe, ()).system
    if not isinstance(config, GodivaConfig):
        raise ValueError(f"--recipe {recipe}: expected a recipe of GODIVA")
    made: dict[str, Variant] = {}
    for name in ("full", *(n for n in NAMES if n != "full")):
        layers = layers_of(name, config.generator.layers)
        base = ("system.generator.context=sparse", f"system.generator.layers={layers}")
        flops = _flops(recipe, base)
        own = round(steps * (made["full"].flops / flops)) if made else steps
        settings = (*base, *_length("tokenizer", tokenizer_steps), *_length("generator", own))
        made[name] = Variant(name, layers, settings, own, flops)
    return made


def make_data(settings: Settings, recipe: str, clips: int) -> DatasetFolder:
    """The world's clips to train on, at the size that the recipe takes, without the held-out combinations."""
    data = resolve(recipe, ()).stages["generator"].data
    world = Digits(size=data.size, frames=max(8, data.frames))
    path = settings.out / "ablation" / f"data-{clips}-{data.size}"
    return write_world(path, world, clips, settings.seed, plan={"world": "digits", "made_for": "reproduce"})


def steps_for(recipe: str, minutes: float, file: Path) -> int:
    """Steps of the full generator such that all five take so many minutes here; measured once, kept in `file`."""

    def seconds() -> float:
        resolved = resolve(recipe, ("system.generator.context=sparse",))
        system, stage = resolved.system.build(), resolved.stages["generator"]
        network, d = system.stages["generator"].train(), stage.data
        batch = {"video": torch.rand(d.batch, d.channels, d.frames, d.size, d.size) * 2 - 1}
        batch |= {"text": torch.rand(d.batch, 16, system.text_dim)}
        batch |= {"text_mask": torch.ones(d.batch, 16, dtype=torch.bool)}
        batch |= network.prepare(batch)
        return len(NAMES) * 1.2 * seconds_of(network, batch, stage.precision)

    return steps_in(minutes, file, seconds)


def train(recipe: str, one: Variant, data: DatasetFolder, run: Path, full: Path) -> Path:
    """What `storyreel train` does; the model folder. The tokenizer is that of the run `full`, which comes first."""
    if not (run / "model" / "model.json").exists():
        if run != full and not (run / "tokenizer" / "final.json").exists():
            with claim(run, "run", shared=True):
                for name in ("log.jsonl", "final.safetensors", "final.json"):  # the last says that it is finished
                    with replacing(run / "tokenizer" / name) as (made,):
                        shutil.copyfile(full / "tokenizer" / name, made)
        storyreel.train(recipe, data.path, run, sets=one.settings, cache=full.parent / "cache", quiet=False)
    return run / "model"


@torch.no_grad()
def losses(model: Model, clips: Sequence[Clip]) -> list[float]:
    """Cross-entropy of each clip's tokens under its caption, in nats: it needs no sampling and no judge."""
    stage: Any = model.system.stages["generator"]
    sizes, frames, found = stage.tokenizer.config, stage.config.frames, []
    config, stage.config = stage.config, replace(stage.config, drop_text=0.0)
    for clip in clips:
        states, mask = model.text([clip.caption])
        clip = clip if len(clip) == frames else clip.resample(frames)
        batch = {"video": for_model(clip, sizes.size, sizes.channels), "text": states, "text_mask": mask}
        batch = {name: tensor.to(stage.start.device) for name, tensor in batch.items()}
        found.append(float(stage.loss(batch, Tick(0, "main", torch.Generator(stage.start.device))).total))
    stage.config = config
    return found


@lru_cache(maxsize=64)
def _flops(recipe: str, settings: tuple[str, ...]) -> float:
    resolved = resolve(recipe, settings)
    with torch.device("meta"):
        system = resolved.system.build()
    return cost_of(system, "generator", resolved.stages["generator"]).step


def _length(stage: str, steps: int) -> tuple[str, ...]:
    return f"stages.{stage}.steps={steps}", f"stages.{stage}.optim.warmup={max(1, min(100, steps // 10))}"
