"""The small networks that Stable Video Diffusion's claims compare: rows of its table of stages, on moving digits.

Arms that are compared share an autoencoder, see batches of the same size and seeds, and are trained by the project's
trainer; each stage of an arm is trained once, and kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import storyreel
from reproductions.curation_training import Case, draw_cases
from reproductions.pace import seconds_of, steps_in
from reproductions.settings import Settings
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder, write_world
from storyreel.evaluate.interval import Measured, resampled
from storyreel.evaluate.judges import AnyJudge
from storyreel.recipe import Recipe, StageRecipe
from storyreel.run import Run
from storyreel.systems.base import Request
from storyreel.systems.pixels import shown
from storyreel.systems.svd import Svd, SvdConfig
from storyreel.systems.svd_diffusion import DiffusionStage
from storyreel.text import load_text_encoder
from storyreel.train.command import resolve
from storyreel.train.random_batch import random_batch
from storyreel.train.stages import load_finals
from storyreel.worlds.digits import Digits

RECIPE = "svd_small"
BASE = ("autoencoder", "decoder")
AT_ONCE = 16  # videos that are sampled at once
TIMED = "videos"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One training. stages: diffusion stages, with their steps and the set that each sees. shift: of log-SNRs."""

    name: str
    stages: tuple[tuple[str, int, str], ...]
    side: int  # pixels
    shift: float = 0.0


@dataclass(frozen=True)
class Nets:
    """Where arms are trained. recipe: what they are rows of. steps: of a stage of an arm. sets: by name, per side."""

    settings: Settings
    recipe: Recipe
    steps: int
    folder: Path
    _sets: dict[tuple[str, int], DatasetFolder] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, arms: int) -> Nets:
        """arms: how many stages take the minutes together. ValueError for a recipe that does not train all stages."""
        recipe = digits_recipe(settings.recipe or RECIPE)
        folder = settings.out / "nets"
        folder.mkdir(exist_ok=True)
        file = folder / f"steps-{recipe.name}-{arms}-{settings.minutes:g}.txt"
        return cls(settings, recipe, settings.steps or steps_in(settings.minutes, file, lambda: _seconds(recipe, arms)),
                   folder)  # fmt: skip

    @property
    def config(self) -> SvdConfig:
        return config_of(self.recipe)

    def put(self, name: str, side: int, data: DatasetFolder) -> None:
        """Let arms of this side see a set by this name."""
        self._sets[name, side] = data

    def set_of(self, name: str, side: int) -> DatasetFolder:
        """ "world" is made where it is not there."""
        if (name, side) not in self._sets:
            count, frames = 40 if self.settings.quick else 4_000, max(8, self.config.frames)
            world = Digits(size=side, frames=frames, digits="1", captions=1)
            plan = {"world": "Digits", "made_for": "reproduce"}
            self._sets[name, side] = write_world(
                self.folder / f"{name}-{side}-{count}", world, count, self.settings.seed, plan=plan
            )
        return self._sets[name, side]

    def train(self, arm: Arm) -> Svd:
        """The arm's networks, trained from where they stand."""
        base = self._recipe(arm, dict.fromkeys(BASE, self.steps))
        shared = self.folder / f"base-{arm.side}-{self.steps}-{self.recipe.name}"
        for stage in BASE:
            self._train(base, shared, stage, self.set_of("world", arm.side))
        recipe = self._recipe(arm, {**dict.fromkeys(BASE, self.steps), **{n: steps for n, steps, _ in arm.stages}})
        run = self.folder / f"{arm.name}-{self.steps}-{self.recipe.name}"
        for stage in BASE:
            for file in shared.glob(f"{stage}/final.*"):
                (run / stage).mkdir(parents=True, exist_ok=True)
                if not (run / stage / file.name).exists():
                    shutil.copyfile(file, run / stage / file.name)
        for stage, _, data in arm.stages:
            self._train(recipe, run, stage, self.set_of(data, arm.side))
        system: Any = recipe.system.build()
        load_finals(system, Run.open(run, recipe), list(recipe.stages))
        return system.requires_grad_(False).eval()

    def _train(self, recipe: Recipe, run: Path, stage: str, data: DatasetFolder) -> None:
        if (run / stage / "final.json").exists():
            return
        self.settings.tell(f"training {run.name}: {stage}, {recipe.stages[stage].steps} steps")
        storyreel.train(recipe, data.path, run, stage=stage, cache=self.folder / "cache", quiet=self.settings.quick)

    def _recipe(self, arm: Arm, steps: Mapping[str, int]) -> Recipe:
        """The recipe with these stages alone, at the arm's size."""
        c, stages = self.config, {}
        for name, count in steps.items():
            stage: StageRecipe = self.recipe.stages[name]
            optim = replace(stage.optim, warmup=min(stage.optim.warmup, max(1, count // 10)))
            stages[name] = replace(
                stage, data=replace(stage.data, size=arm.side), optim=optim, steps=count, sample_every=count + 1,
                ema=min(stage.ema, 1 - 10 / (count + 10)),
            )  # fmt: skip
        rows = {name: replace(getattr(c, name), shift=arm.shift) for name in ("images", "videos", "text_to_video")}
        system = replace(c, shape=replace(c.shape, height=arm.side, width=arm.side), **rows)
        return replace(self.recipe, system=system, stages=stages)

    def cases(self, side: int, count: int) -> list[Case]:
        return draw_cases(count, self.settings.seed, self.config.frames, side)

    def make(self, system: Svd, stage: str, cases: Sequence[Case]) -> list[Clip]:
        """A video of each caption, by a stage of these networks; the noise of each depends on its number alone."""
        text, made = load_text_encoder(self.recipe.text), []
        network: Any = system.stages[stage]
        assert isinstance(network, DiffusionStage)
        for first in range(0, len(cases), AT_ONCE):
            some = cases[first : first + AT_ONCE]
            states, mask = text([case.caption for case in some])
            rng = [Request.of(seed=self.settings.seed, index=first + i).rng() for i in range(len(some))]
            video = system.decoder.decode(network.sample({"text": states, "text_mask": mask}, rng=rng))
            seen = shown(video.float().clamp(-1, 1), transparent=False)
            made += [Clip.from_tensor(v, self.config.fps, w.caption) for v, w in zip(seen, some, strict=True)]
        return made


def config_of(recipe: Recipe) -> SvdConfig:
    assert isinstance(recipe.system, SvdConfig)
    return recipe.system


def digits_recipe(name: str) -> Recipe:
    """A recipe for clips without a matte. ValueError for one of another system, or that has not all stages."""
    recipe = resolve(name, ())
    if not isinstance(recipe.system, SvdConfig) or not {*BASE, "images", "videos", "text_to_video"} <= {*recipe.stages}:
        raise ValueError(f"--recipe {name}: expected one of Stable Video Diffusion with all its stages")
    system = replace(recipe.system, autoencoder=replace(recipe.system.autoencoder, channels=3))
    stages = {n: replace(s, data=replace(s.data, channels=3)) for n, s in recipe.stages.items()}
    return replace(recipe, system=system, stages=stages)


def _seconds(recipe: Recipe, arms: int) -> float:
    """Of a step of all of so many stages, about."""
    system: Any = recipe.system.build()
    batch = random_batch(system.stages[TIMED], recipe.stages[TIMED].data, config_of(recipe).unet.context)
    return arms * seconds_of(system.stages[TIMED].train(), batch)


def accuracies(judge: AnyJudge, clips: Sequence[Clip], cases: Sequence[Case]) -> list[float]:
    """The share of its attributes that the judge finds in each clip."""
    return [judge.accuracy([clip], [case.expected]).mean for clip, case in zip(clips, cases, strict=True)]


def gap(ours: Sequence[float], theirs: Sequence[float]) -> Measured:
    """The mean of `ours` less that of `theirs`, of the same prompts; resampled by prompts."""
    off = np.asarray(ours) - np.asarray(theirs)
    return resampled(len(off), lambda pick: off[pick].mean(-1))


def beats(found: Measured) -> bool:
    """Whether the whole interval lies above 0."""
    return found.low is not None and found.low > 0
