"""A stage of a cascade whose network is a Video U-Net: its settings, its error in training, its tiles in sampling.

    noisy video, log-SNR, what it is told, and, after the first stage, the video to refine --U-Net--> v

Axes: b batch, c channels, t frames, h rows, w columns. Videos are float (b, c, t, h, w) in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from storyreel.diffusion.augment import augmentation_of, augmented, draw_augmentation
from storyreel.diffusion.parameterisation import Kind as Target
from storyreel.diffusion.parameterisation import Weight, convert, diffuse, diffusion_loss
from storyreel.diffusion.sampling import Sampling
from storyreel.diffusion.schedules import Cosine, draw_times, preserving
from storyreel.nn.chroma import colour_difference
from storyreel.nn.video_resample import resized
from storyreel.nn.video_unet import VideoUNet, VideoUNetConfig
from storyreel.nn.video_unet_tiles import Piece, Tiles, in_tiles
from storyreel.systems.cascade import CascadeStage, Shape

BESIDE = ("extra", "known")  # of the conditioning: videos of the same frames and pixels


class NetSettings:
    """What dataclasses of settings have in common. Each lists its fields itself, in the order in which they are saved.

    `unet` gives widths and depths; its channels and inputs follow from the stage. crop: trained on random squares of so
    many pixels; 0: on whole frames. shift: of the cosine schedule's log-SNR, below zero for larger frames. most_noise:
    the largest time of noise in what the stage is given in training. predict, weight: what the network says and how its
    error is weighed. chroma: how much more the error of colour alone counts, which small things hardly show in others.
    """

    shape: Shape
    unet: VideoUNetConfig
    sampling: Sampling
    crop: int
    shift: float
    most_noise: float
    predict: Target
    weight: Weight
    chroma: float

    called = "stage"  # what errors call it

    def __post_init__(self) -> None:
        self.check_shape()
        if (self.sampling.tile or self.sampling.chunk) and not self.convolutional:
            raise ValueError(f"sampling.tile: wanted a {self.called} without attention, which sees the whole")

    def check_shape(self) -> None:
        """ValueError for sides that the network cannot halve."""
        multiple = self.unet.patch * 2 ** (len(self.unet.widths) - 1)
        for name, side in (("height", self.shape.height), ("width", self.shape.width), ("crop", self.crop)):
            if side % multiple:
                raise ValueError(f"shape.{name}: wanted a multiple of {multiple}, got {side}")

    @property
    def convolutional(self) -> bool:
        """Whether the network sees surroundings alone, and so can be run in tiles."""
        return not any(self.unet.attention) and set(self.unet.temporal) <= {"conv", "none"}


S = TypeVar("S", bound=NetSettings)


class NetStage(CascadeStage, Generic[S]):
    """A Video U-Net that takes noise from videos. What it is told is for its system to say."""

    config: S
    unet: VideoUNet

    def __init__(self, name: str, shape: Shape, takes: Shape | None, channels: int, config: S, *, of: str = ""):
        super().__init__(name, shape, takes, channels, config.sampling, of=of)
        self.config = config

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        return [p for p in self.unet.parameters() if p.requires_grad]

    @property
    def gradient_checkpointing(self) -> bool:
        return self.unet.gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, on: bool) -> None:
        self.unet.gradient_checkpointing = on

    @property
    def schedule(self) -> Cosine:
        return Cosine(shift=self.config.shift)

    # -- sampling ----------------------------------------------------------------------------------------------

    def tiles(self, z: Tensor) -> Tiles:
        """The pieces in which a noisy video is made: those of `sampling`."""
        pixels, neighbours = self.unet.reach
        return Tiles(size=self.sampling.tile, frames=self.sampling.chunk, halo=pixels, halo_frames=neighbours)

    def network(self, z: Tensor, logsnr: Tensor, cond: dict[str, Any]) -> Tensor:
        """v of a noisy video, piece by piece where `tiles` says so."""
        tiles = self.tiles(z)
        if not tiles.needed(z):
            return self.v_of(self.unet, z, logsnr, cond)

        def piece(part: Tensor, seen: Piece) -> Tensor:
            cut = {name: cond[name][(slice(None), slice(None), *seen)] for name in BESIDE if name in cond}
            return self.v_of(self.unet, part, logsnr, cond | cut)

        return in_tiles(piece, z, tiles, self.unet.multiple)

    def v_of(self, net: VideoUNet, z: Tensor, logsnr: Tensor, cond: dict[str, Any]) -> Tensor:
        """v as `net` sees it, which says what `predict` says."""
        output = net(z, logsnr, **cond)
        if self.config.predict == "v":
            return output
        return convert(output.float(), z, preserving(logsnr), self.config.predict, "v")

    def low_to_sample(self, low: Tensor, rng: Sequence[torch.Generator]) -> dict[str, Any]:
        """What the network is given of the video to refine, at this stage's size: noised with `sampling.snr`."""
        level = augmentation_of(Cosine(), self.sampling.snr)
        noised, logsnr = augmented(low, level, rng, same_noise=self.same_noise)
        return {"extra": noised, "augmentation": logsnr}

    # -- training ----------------------------------------------------------------------------------------------

    def low_to_learn(self, low: Tensor, rng: torch.Generator) -> dict[str, Any]:
        """The same in training, with as much noise as chance says, up to `most_noise`."""
        level = draw_augmentation(Cosine(), len(low), rng, most=self.config.most_noise)
        return {"extra": diffuse(low, noise_like(low, rng), level), "augmentation": level.each(low).logsnr}

    def coarse(self, x: Tensor) -> Tensor:
        """Real videos of this stage's size, or squares of them, with the detail of the stage before alone."""
        assert self.takes is not None
        h, w = x.shape[3:]
        small = max(1, h * self.takes.height // self.shape.height), max(1, w * self.takes.width // self.shape.width)
        return resized(resized(x, *small), h, w)

    def error(self, x: Tensor, cond: dict[str, Any], rng: torch.Generator, wanted: Tensor | None = None) -> Tensor:
        """The weighted squared error of what the network says of each sample (b,).

        wanted: where the error counts, 0 or 1, broadcasting with x; None is everywhere.
        """
        c, level = self.config, self.schedule.level(draw_times(len(x), rng, spread=True))
        noise = noise_like(x, rng)
        z = diffuse(x, noise, level)
        output = self.unet(z, level.each(z).logsnr, **cond)
        share: Tensor | float = 1.0
        if wanted is not None:
            right = convert(x, z, level, "x", c.predict)
            share = wanted.expand_as(x).flatten(1).mean(1).clamp(min=1e-6)
            output = torch.where(wanted.expand_as(x) > 0, output.float(), right.float())
        squares = diffusion_loss(output, x, noise, level, kind=c.predict, weight=c.weight)
        if c.chroma:  # every form of output is linear in the video and the noise, and so is the difference of colours
            said, clean, drawn = (colour_difference(part) for part in (output, x, noise))
            squares = squares + c.chroma * diffusion_loss(said, clean, drawn, level, kind=c.predict, weight=c.weight)
        return squares / share


def noise_like(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=rng, device=rng.device, dtype=torch.float32).to(x.device)
