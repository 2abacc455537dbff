"""What StyleSV is compared with: itself without a part, and other papers' video GANs, at equal compute.

Compute is FLOPs, counted (storyreel.train.cost; penalties are not). With another recipe than `stylesv` (`stylesv_small`
is 32 pixels) the other papers have that recipe's sizes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch

from reproductions.pace import seconds_of, steps_in
from reproductions.settings import Settings
from storyreel import recipes
from storyreel.recipe import Recipe
from storyreel.systems.video_gan_config import VideoGanConfig
from storyreel.train.cost import costs

RECIPE = "stylesv"
FULL = "full"
WITHOUT: dict[str, dict[str, Any]] = {
    "aliased": {"frames": "stylegan2"},
    "no_images": {"image_pretraining": False},
    "no_tsm": {"critic": "mean"},
    "linear": {"motion": "linear"},
    "no_low_rank": {"low_rank": 0},
}
PRESETS = ("stylegan_v", "mocogan", "tfgan", "ircgan")
TEXT, TEXT_DIM = "minilm", 384  # of those that are told what to make
WRONG = "wrong_texts"  # StyleSV with StyleGAN2's frames, and with wrong texts as negatives beside the right ones
TEXT_ARMS = (FULL, WRONG, "stylegan_v", "tfgan", "ircgan")


@dataclass(frozen=True)
class Arm:
    """One of those that are compared: its recipe, with the steps that its share of compute allows."""

    recipe: Recipe
    flops: float


@lru_cache(maxsize=32)
def arm(base: str, steps: int, name: str, quick: bool = False) -> Arm:
    """StyleSV trains `steps` on images and half as many on videos, the others for as many FLOPs.

    quick: presets have the sizes of `base`, as with any `base` but `stylesv`. ValueError where that is no video GAN.
    """
    whole = recipes.get(base)
    config = whole.system
    if not isinstance(config, VideoGanConfig):
        raise ValueError(f"--recipe {base}: expected a recipe of a video GAN")
    whole = _with(whole, config, {"images": steps, "videos": max(1, steps // 2)})
    if name == FULL:
        return Arm(whole, _flops(whole, _step_costs(whole)))
    total = arm(base, steps, FULL, quick).flops
    if name in WITHOUT:
        return _as_long(_with(whole, replace(config, **WITHOUT[name])), total)
    theirs = recipes.get(name)
    if quick or base != RECIPE:
        theirs = _with(whole, _small(theirs.system, config))
    return _as_long(replace(theirs, name=name), total)


@lru_cache(maxsize=8)
def text_arm(base: str, steps: int, name: str, frames: int) -> Arm:
    """The same of those that read a text, all by one encoder, of clips of `frames` at most: StyleSV and StyleGAN-V with
    `text = projection`, which is ours, and the papers whose own text it is."""
    one = arm(base, steps, "aliased" if name == WRONG else name, quick=True)
    system = one.recipe.system
    assert isinstance(system, VideoGanConfig)
    frames = min(frames, system.clip_frames)
    switches = replace(
        system, text="projection" if system.text == "none" else system.text, text_dim=TEXT_DIM, clip_frames=frames,
        seen_frames=min(frames, system.seen_frames), max_distance=min(2 * frames, system.max_distance),
    )  # fmt: skip
    if name == WRONG:
        switches = replace(switches, negatives="wrong_text", low_rank=0)
    stages = {
        stage: replace(its, data=replace(its.data, frames=min(frames, its.data.frames)))
        for stage, its in one.recipe.stages.items()
    }
    made = replace(one.recipe, system=switches, stages=stages, text=TEXT)
    if name == FULL:
        return Arm(made, _flops(made, _step_costs(made)))
    return _as_long(made, text_arm(base, steps, FULL, frames).flops)


def _small(system: Any, config: VideoGanConfig) -> VideoGanConfig:
    """The switches of a preset at the sizes of another model."""
    names = ("motion", "frames", "critic", "text", "negatives", "loss", "image_pretraining", "r1")
    switches = {name: getattr(system, name) for name in names}
    seen = config.clip_frames if system.critic == "image+3d" else config.seen_frames
    return replace(config, **switches, low_rank=0, seen_frames=seen)


def _with(recipe: Recipe, system: VideoGanConfig, steps: dict[str, int] | None = None) -> Recipe:
    names = [name for name in recipe.stages if name == "videos" or system.image_pretraining]
    counts = steps or {name: recipe.stages[name].steps for name in names}
    return replace(
        recipe, system=system, stages={name: replace(recipe.stages[name], steps=counts[name]) for name in names}
    )


def _as_long(recipe: Recipe, total: float) -> Arm:
    """With all its steps multiplied so that they cost `total` FLOPs."""
    each = _step_costs(recipe)
    share = total / _flops(recipe, each)
    stages = {name: replace(one, steps=max(1, round(one.steps * share))) for name, one in recipe.stages.items()}
    made = replace(recipe, stages=stages)
    return Arm(made, _flops(made, each))


def _step_costs(recipe: Recipe) -> dict[str, float]:
    """FLOPs of a step of each stage."""
    return {name: cost.step for name, cost in costs(recipe).items()}


def _flops(recipe: Recipe, each: dict[str, float]) -> float:
    return sum(each[name] * one.steps for name, one in recipe.stages.items())


def steps_of(settings: Settings) -> int:
    """Steps on images, such that all that are compared take the minutes that were given; measured once, kept."""
    base = settings.recipe or RECIPE

    def seconds() -> float:
        recipe = recipes.get(base)
        stages = recipe.system.build().stages
        total = 0.0
        for name, share in (("images", 1.0), ("videos", 0.5)):
            d = recipe.stages[name].data
            batch = {"video": torch.rand(d.batch, d.channels, d.frames, d.size, d.size) * 2 - 1}
            total += 2 * share * seconds_of(stages[name].train(), batch, recipe.stages[name].precision)
        return total * (1 + len(WITHOUT) + len(PRESETS))

    return settings.steps or steps_in(
        settings.minutes, settings.out / f"steps-{base}-{settings.minutes:g}.txt", seconds
    )
