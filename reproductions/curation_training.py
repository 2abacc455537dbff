"""One small model on each training set, for the same steps and batch, and what each then makes.

Phenaki's prior is trained from nothing; the tokenizer is the shipped one, frozen and the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import storyreel
from reproductions.cached_clips import make_once
from reproductions.curation_jumps import JumpDetector
from reproductions.pace import seconds_of, steps_in
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder
from storyreel.encoder import TextVideoEncoder, as_frames
from storyreel.evaluate.benchmarks.moving_digits import share_json
from storyreel.evaluate.frechet import frechet_distance
from storyreel.evaluate.judges import AnyJudge
from storyreel.evaluate.score import Share
from storyreel.evaluate.uncertainty import frechet_influence, interval_of_influence
from storyreel.generate.model import Model, load
from storyreel.model import load_tensors
from storyreel.options.generation import GenerateOptions
from storyreel.recipe import Data, Optim, Recipe, StageRecipe
from storyreel.run import StageRun
from storyreel.systems.phenaki import Phenaki, PhenakiConfig
from storyreel.systems.pixels import for_model
from storyreel.worlds.digits import Digits

TEXT = "hash:64"
BATCH = 32
PROMPTS = 210_000_000  # first seed of the clips whose captions are asked; training has none of them


@dataclass(frozen=True)
class Case:
    """A prompt for the models: a caption, what it means, and a real clip of it."""

    caption: str
    expected: dict[str, Any]
    real: Clip


def draw_cases(count: int, seed: int, frames: int, size: int) -> list[Case]:
    """New clips of the clean world, at the model's size; the same for all models."""
    from storyreel.data.pack import fit

    world, found = Digits(size=64, frames=max(8, frames), digits="1", captions=1), []
    for index in range(count):
        clip, row = world.make(PROMPTS + seed, index, "train")
        clip = clip.resample(frames)
        expected = {name: row["attributes"][name] for name in ("digits", "motions")}
        found.append(Case(row["caption"], expected, clip.replace(frames=fit(clip, size, 3))))
    return found


def recipe_for(base: PhenakiConfig, steps: int) -> Recipe:
    """The small prior beside the tokenizer of `base`."""
    prior = replace(
        base.prior, dim=96, depth=4, heads=4, mlp=384, text_dim=64, steps=min(12, base.prior.steps), guidance=3.0
    )
    data = Data(frames=base.frames, size=base.tokenizer.size, channels=base.tokenizer.channels, batch=BATCH)
    optim = Optim(lr=2e-3, muon=0.02, warmup=max(1, min(50, steps // 10)), weight_decay=0.01)
    often = max(1, steps)  # no contact sheets on the way
    stage = StageRecipe(data=data, optim=optim, steps=steps, ema=min(0.99, 1 - 10 / (steps + 10)))
    stage = replace(stage, sample_every=often)
    return Recipe(name="curation", system=replace(base, prior=prior), text=TEXT, stages={"prior": stage})


def base_model(name: str) -> tuple[PhenakiConfig, Path]:
    """(config, folder) of the model whose tokenizer all use. ValueError where it is not here, or no Phenaki."""
    from storyreel.generate import registry
    from storyreel.model import load_model

    folder = registry.find(name)
    config = load_model(folder)[1].system
    if not isinstance(config, PhenakiConfig):
        raise ValueError(f"--model digits={name}: expected a model of Phenaki")
    return config, folder


def start_from(folder: Path, out: Path) -> Path:
    """A folder that `storyreel train --init` takes: the tokenizer of the model in `folder` alone."""
    part = StageRun(out / "tokenizer", "tokenizer")
    if part.final() is None:
        part.path.mkdir(parents=True, exist_ok=True)
        part.finish(0, load_tensors(folder)["tokenizer"])
    return out


def train(recipe: Recipe, data: DatasetFolder, run: Path, start: Path) -> Model:
    """What `storyreel train` does, from where it stands."""
    if not (run / "model" / "model.json").exists():
        storyreel.train(recipe, data.path, run, init=start, cache=run.parent / "cache", quiet=False)
    return load(run / "model")


def steps_for(recipe: Recipe, minutes: float, arms: int, file: Path) -> int:
    """Steps such that all arms take so many minutes here; measured once, kept in `file`."""

    def seconds() -> float:
        system: Any = recipe.system.build()
        codes = torch.zeros(BATCH, *system.prior._begin({"text": torch.zeros(1, 1, 64)}).shape[1:], dtype=torch.long)
        batch = {"codes": codes, "text": torch.rand(BATCH, 16, 64)}
        batch |= {"text_mask": torch.ones(BATCH, 16, dtype=torch.bool)}
        return arms * 1.5 * seconds_of(system.prior.train(), batch)

    return steps_in(minutes, file, seconds)


def through_tokenizer(system: Phenaki, clips: Sequence[Clip]) -> list[Clip]:
    """What a perfect prior could make of them."""
    c, found = system.config.tokenizer, []
    with torch.inference_mode():
        for clip in clips:
            video = system.tokenizer.decode(system.tokenizer.encode(for_model(clip, c.size, c.channels)))
            found.append(Clip.from_tensor(video[0, :3], clip.fps, clip.caption))
    return found


def make(model: Model, cases: Sequence[Case], seed: int, folder: Path) -> list[Clip]:
    """A video of each caption; those that are there are not made again."""
    made = []
    for number, case in enumerate(cases):
        made.append(
            make_once(model, GenerateOptions(prompt=case.caption, as_written=True), seed, folder / f"{number:04d}.mkv")
        )
    return made


def measure_clips(
    clips: Sequence[Clip], cases: Sequence[Case], judge: AnyJudge, encoder: TextVideoEncoder | None, jumps: JumpDetector
) -> dict[str, Any]:
    """Attribute accuracy, the share of clips with a cut in them, and the Frechet distance from the real clips."""
    report = judge.accuracy(clips, [case.expected for case in cases]).as_json()
    doc: dict[str, Any] = {"judged": report["attributes"], "mean": report["mean"] | {"n": len(clips)}}
    cut = [jumps.has_cut(clip) for clip in clips]
    doc["cut"] = share_json(Share(sum(cut), len(cut)))
    if encoder is not None:
        doc["frechet"] = frechet(encoder, clips, [case.real for case in cases])
    return doc


def frechet(encoder: TextVideoEncoder, clips: Sequence[Clip], real: Sequence[Clip]) -> dict[str, Any]:
    """The distance in the encoder's features, with an interval from what each clip does to it."""
    x, y = (torch.cat([encoder.features(as_frames(clip)[None]) for clip in some]) for some in (clips, real))
    value = frechet_distance(x, y)
    within = interval_of_influence(value, frechet_influence(x, y), frechet_influence(y, x)) if len(x) > 2 else None
    rounded = [round(max(0.0, edge), 4) for edge in within] if within else None
    return {"value": round(value, 4), "interval": rounded, "n": len(clips)}


def spliced(clips: Sequence[Clip]) -> list[Clip]:
    """Each clip's first half and the next one's second half: clips that do have a cut in them."""
    found = []
    for one, other in zip(clips, [*clips[1:], clips[0]], strict=True):
        half = len(one) // 2
        found.append(one.replace(frames=np.concatenate([one.frames[:half], other.frames[half:]])))
    return found
