"""Stable Video Diffusion that goes on from a trained model, and its turnaround: a figure seen from one side, turning.

Blattmann et al., "Stable Video Diffusion: Scaling Latent Video Diffusion Models to Large Datasets", 2023,
https://arxiv.org/abs/2311.15127, Section 4.4 and Appendix D.6 (multi-view generation).

    picture of a figure --turnaround--> the same figure and pose, a quarter turn further in each frame

The network for pictures goes on with clips whose frames are views of one figure, in the order of a turn, which begins
with any of them. The autoencoder is that of the trained model.

Differs from the paper: views are the facings of a sprite (four, where the paper has 21 of an orbit), so that no
elevation is read; a text may say who it is, and a refiner then paints the views, each by a text of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from storyreel.abilities import Abilities
from storyreel.clip import Clip
from storyreel.nn.video_resample import resized
from storyreel.systems.base import OnProgress, Request, Stage, System, TextEncoder
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.palette_refiner import PaletteRefiner, refiner_of
from storyreel.systems.pixels import beginning
from storyreel.systems.svd_diffusion import DiffusionConfig, DiffusionStage, LatentStage
from storyreel.systems.svd_factor_tables import FactorTables, layers_of
from storyreel.systems.svd_lora import digest
from storyreel.systems.svd_reconstruction import AutoencoderStage, DecoderStage
from storyreel.systems.svd_request import Decode, check_request, makes_of, painted, request_conditions, sampled_clips
from storyreel.systems.svd_unet import SvdUNet, SvdUNetConfig

if TYPE_CHECKING:
    from storyreel.systems.svd import SvdConfig
    from storyreel.systems.svd_factors import FactorsConfig


class LaterStage(DiffusionStage):
    """A diffusion stage that goes on from a trained model, with the autoencoder of that model."""

    prepared_by = ()

    def __init__(
        self, name: str, config: DiffusionConfig, unet: SvdUNetConfig, shape: VideoShape, decoder: DecoderStage
    ):
        super().__init__(name, config, unet, shape, decoder, None, image=True)

    @property
    def prepared_from(self) -> str:
        return digest(self.autoencoder.state_dict())

    def notes(self) -> list[str]:
        layers = self.decoder.decoder
        if not next(layers.parameters()).is_meta and not layers.learnt_in_time():
            raise ValueError("this recipe goes on from a trained model: give its folder with --init")
        return super().notes()


class BesideStage(LaterStage):
    """Factors beside a network for pictures, which is a stage of its own (`network_stage`) and stays as it is."""

    def __init__(
        self, name: str, config: DiffusionConfig, shape: VideoShape, beside: DiffusionStage, factors: FactorsConfig
    ):
        LatentStage.__init__(self, config, shape)
        self.name, self.pictures, self.image = name, False, True
        self._frozen = (beside.decoder, None)
        self.network_stage = beside
        self.factors = FactorTables(layers_of(beside.unet, factors.on), factors.rank, factors.alpha)
        self.set_fingerprint(f"{name}: {shape}, {beside.unet.config}, {factors}", f"({name} at {shape})")

    @property
    def unet(self) -> SvdUNet:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.network_stage.unet

    @property
    def null_text(self) -> nn.Parameter:
        return self.network_stage.null_text

    @property
    def image_tokens(self) -> nn.Linear | None:
        return self.network_stage.image_tokens

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        return list(self.factors.parameters())

    def begin(self) -> None:
        """As they are: they have no stage before."""


class LaterSvd(System):
    """The autoencoder of a trained model, and one diffusion stage that goes on from one of its own."""

    name = "svd"
    from_stages: ClassVar[tuple[str, ...]]
    """The stages of the trained model that this one begins as: the first that it has."""

    def __init__(self, config: SvdConfig):
        super().__init__()
        self.config = c = config
        self.text_dim = c.unet.context
        self.autoencoder = AutoencoderStage(c.autoencoder, c.reconstruction, (c.shape.height, c.shape.width))
        self.decoder = DecoderStage(c.autoencoder, c.reconstruction, self.autoencoder)
        self.autoencoder.frozen = self.decoder.frozen = True
        self.stage = self.build_stage()

    def build_stage(self) -> LaterStage:
        raise NotImplementedError

    @property
    def stages(self) -> dict[str, Stage]:
        return {"autoencoder": self.autoencoder, "decoder": self.decoder, self.stage.name: self.stage}

    def adopt(self, found: Mapping[str, Mapping[str, Tensor]]) -> Mapping[str, Mapping[str, Tensor]]:
        if self.stage.name in found:
            return found
        before = next((found[name] for name in self.from_stages if name in found), None)
        if before is None:
            raise ValueError(f"--init: has {', '.join(found)}; {self.stage.name} goes on from {self.from_stages[0]}")
        self.stage.begin_as(before)
        return found


def _each_painted(decode: Decode, refiner: PaletteRefiner, views: tuple[Tensor, Tensor], image: Tensor) -> Decode:
    """`decode`, and what the refiner makes of each frame by a text of its own. views: states (f, l, d), mask (f, l)."""

    def paint(latents: Tensor) -> Tensor:
        video = decode(latents)
        states, mask = (each.to(video.device).repeat(len(video), *[1] * (each.ndim - 1)) for each in views)
        frames = rearrange(video, "b c f h w -> (b f) c 1 h w")
        made = refiner.refined(frames, states, mask, picture=image.to(video))
        return rearrange(made, "(b f) c 1 h w -> b c f h w", b=len(video))

    return paint


def _begun(decode: Decode, image: Tensor) -> Decode:
    """`decode`, with the picture (1, c, 1, h, w) that was given in place of the first view."""

    def begun(latents: Tensor) -> Tensor:
        video = decode(latents)
        first = resized(image.to(video), *video.shape[3:]).expand(len(video), -1, -1, -1, -1)
        return torch.cat([first, video[:, :, 1:]], 2)

    return begun


class TurningSvd(LaterSvd):
    """A picture of a figure to its views, a quarter turn apart."""

    turns = True

    serves = frozenset({"no prompt", "reuse"})
    from_stages = ("image_to_video",)
    together = 4

    @property
    def makes(self) -> Abilities:
        return makes_of(self, self.config.frames, needs="image")

    def __init__(self, config: SvdConfig):
        super().__init__(config)
        self.refiner = refiner_of(config.refiner, config.channels, self.text_dim)
        if self.refiner is not None:
            self.paints = self.refiner.frozen = True

    @property
    def stages(self) -> dict[str, Stage]:
        stages = super().stages
        if isinstance(self.stage, BesideStage):
            before = {name: stage for name, stage in stages.items() if stage is not self.stage}
            stages = {**before, "image_to_video": self.stage.network_stage, self.stage.name: self.stage}
        return stages if self.refiner is None else {**stages, "refiner": self.refiner}

    def build_stage(self) -> LaterStage:
        c = self.config
        assert c.turnaround is not None
        latents = c.autoencoder.latent_channels
        unet = replace(c.unet, in_channels=2 * latents, out_channels=latents)
        if c.factors is None:
            return LaterStage("turnaround", c.turnaround, unet, c.shape, self.decoder)
        network = LaterStage("image_to_video", c.image_to_video, unet, c.shape, self.decoder)
        network.frozen = True
        return BesideStage("turnaround", c.turnaround, c.shape, network.requires_grad_(False), c.factors)

    def adopt(self, found: Mapping[str, Mapping[str, Tensor]]) -> Mapping[str, Mapping[str, Tensor]]:
        if isinstance(self.stage, BesideStage) and "image_to_video" in found:
            return found
        return super().adopt(found)

    @torch.no_grad()
    def generate_batch(self, attempts: Sequence[Request], text: TextEncoder, on_progress: OnProgress) -> list[Clip]:
        options, config = attempts[0].options, self.config
        check_request(options, config, "this model turns the figure of a picture around")
        if options.image is None:
            raise ValueError("image: this model turns the figure of a picture around; expected one")
        if options.frames not in (None, config.frames):
            raise ValueError(f"frames: a turnaround has {config.frames}, one a view, got {options.frames}")
        self.stage.check_fingerprint()
        image = beginning(options, config.shape.height, config.channels)
        appearance = attempts[0].appearance
        cond = request_conditions(options, text, len(attempts), image=image, appearance=appearance)
        refiner, views = self.refiner if appearance else None, attempts[0].views
        if refiner is not None and len(views) == config.frames:
            decode = _each_painted(self.decoder.decode, refiner, text(views), image)
        else:
            decode = painted(self.decoder.decode, refiner, cond, image)
        made = _begun(decode, image)
        return sampled_clips(self.stage, made, cond, attempts, config.fps, on_progress, self.stage.name)
