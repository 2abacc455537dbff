"""Stable Video Diffusion that goes on from a trained model by factors in its attention in time: one way to be seen.

Blattmann et al., "Stable Video Diffusion: Scaling Latent Video Diffusion Models to Large Datasets", 2023,
https://arxiv.org/abs/2311.15127, Appendix D.4.2 (LoRA of rank 16 for the motion of the camera).

    text, or a picture (and a text) --unet with factors--> latents --decoder--> video

All networks of the trained model stay as they are; the factors (`svd_lora.py`) learn from clips that have one thing in
common, such as the side from which a figure is seen, and then bring it into every video.

Differs from the paper: what clips have in common is the facing of a sprite, where the paper has three motions of a
camera; the network for pictures serves texts as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.field_ranges import Count
from storyreel.systems.base import OnProgress, Request, Stage, TextEncoder
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.palette_refiner import refiner_of
from storyreel.systems.svd_diffusion import DiffusionConfig
from storyreel.systems.svd_factor_tables import FactorTables, Where, layers_of
from storyreel.systems.svd_lora import Factors
from storyreel.systems.svd_reconstruction import DecoderStage
from storyreel.systems.svd_request import BEYOND, clips_of_text_or_picture, makes_of
from storyreel.systems.svd_turnaround import LaterStage, LaterSvd
from storyreel.systems.svd_unet import SvdUNetConfig

if TYPE_CHECKING:
    from storyreel.systems.svd import SvdConfig

MAX_RANK = 1024


@dataclass(frozen=True, kw_only=True)
class FactorsConfig:
    """rank: of the factors. alpha: what they give is multiplied by alpha / rank. on: the layers that they are beside:
    the attention in time, as in the paper, or all linear layers and convolutions."""

    rank: Count = 16
    alpha: Count = 16
    on: Where = "time"

    def __post_init__(self) -> None:
        if not 1 <= self.rank <= MAX_RANK:
            raise ValueError(f"factors.rank: expected 1 to {MAX_RANK}, got {self.rank}")


class FactorsStage(LaterStage):
    """The network for pictures of the trained model, frozen, and its factors, which learn."""

    def __init__(
        self,
        factors: FactorsConfig,
        config: DiffusionConfig,
        unet: SvdUNetConfig,
        shape: VideoShape,
        decoder: DecoderStage,
    ):
        super().__init__("factors", config, unet, shape, decoder)
        self.requires_grad_(False)
        if factors.on == "time":
            self.factors = Factors(self.unet, factors.rank, factors.alpha)
        else:
            self.factors = FactorTables(layers_of(self.unet, factors.on), factors.rank, factors.alpha)

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        return list(self.factors.parameters())


class FactoredSvd(LaterSvd):
    """A text, or a picture with or without a text, to a video, by the network for pictures and its factors."""

    serves = frozenset({"no prompt", "motion", "reuse"})
    from_stages = ("image_to_video",)
    together = 4

    def __init__(self, config: SvdConfig):
        super().__init__(config)
        self.refiner = refiner_of(config.refiner, config.channels, self.text_dim)
        self.paints = self.refiner is not None
        if self.refiner is not None:
            self.refiner.frozen = True

    def build_stage(self) -> LaterStage:
        c = self.config
        assert c.factors is not None
        latents = c.autoencoder.latent_channels
        unet = replace(c.unet, in_channels=2 * latents, out_channels=latents)
        return FactorsStage(c.factors, c.image_to_video, unet, c.shape, self.decoder)

    @property
    def makes(self) -> Abilities:
        return makes_of(self, BEYOND * self.config.frames)

    @property
    def stages(self) -> dict[str, Stage]:
        return super().stages if self.refiner is None else {**super().stages, "refiner": self.refiner}

    @torch.no_grad()
    def generate_batch(self, attempts: Sequence[Request], text: TextEncoder, on_progress: OnProgress) -> list[Clip]:
        return clips_of_text_or_picture(self, self.stage, attempts, text, on_progress)
