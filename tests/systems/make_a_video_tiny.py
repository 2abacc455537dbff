"""Make-A-Video at toy size, and what its tests are made of."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import torch

from storyreel import recipes
from storyreel.clip import Clip
from storyreel.systems.base import Batch, Request, Tick
from storyreel.systems.make_a_video import MakeAVideo, MakeAVideoConfig
from storyreel.systems.make_a_video_networks import SpatialStage, SpatiotemporalStage
from storyreel.systems.make_a_video_prior import PriorStage
from storyreel.text import load_text_encoder

TEXT = load_text_encoder("hash:32")
NAMES = ["encoder", "prior", "decoder", "sr_l", "sr_h", "decoder_video", "interpolation", "sr_l_video"]
MAKES = ["decoder_video", "interpolation", "sr_l_video", "sr_h"]


def tiny() -> MakeAVideoConfig:
    config = recipes.get("make_a_video_tiny").system
    assert isinstance(config, MakeAVideoConfig)
    return config


def make(*, moved: bool = True, **more: Any) -> MakeAVideo:
    """The tiny system; `moved`: with weights large enough that everything matters."""
    torch.manual_seed(0)
    system = replace(tiny(), **more).build().eval()
    if moved:
        shake(system)
    return system


@torch.no_grad()
def shake(module: torch.nn.Module, by: float = 0.05) -> None:
    for p in module.parameters():
        p.add_(by * torch.randn_like(p))


def prior_of(model: MakeAVideo) -> PriorStage:
    return model.prior


def image_stage(model: MakeAVideo, name: str) -> SpatialStage:
    stage = model.stages[name]
    assert isinstance(stage, SpatialStage)
    return stage


def video_stage(model: MakeAVideo, name: str = "decoder_video") -> SpatiotemporalStage:
    stage = model.stages[name]
    assert isinstance(stage, SpatiotemporalStage)
    return stage


def clips(b: int = 4, frames: int = 6) -> Batch:
    rng = torch.Generator().manual_seed(1)
    return {"video": torch.rand(b, 3, frames, 16, 16, generator=rng) * 2 - 1}


def rngs(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def tick(step: int = 0, progress: float = 0.5) -> Tick:
    return Tick(step, "main", torch.Generator().manual_seed(step), progress)


def picture(seed: int = 0, frames: int = 1, size: tuple[int, int] = (16, 16)) -> Clip:
    pixels = np.random.default_rng(seed).integers(0, 255, (frames, *size, 3), dtype=np.uint8)
    return Clip(pixels, Fraction(6))


def generate(model: MakeAVideo, **wish: Any) -> Clip:
    return model.generate(Request.of(**({"steps": 2} | wish)), TEXT, lambda _: None)
