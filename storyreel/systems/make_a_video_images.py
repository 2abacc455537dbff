"""Make-A-Video's networks for pictures: the decoder D and the super-resolution SR_l and SR_h (Sections 3.1 and 3.2.2).

D makes a small picture from an image embedding. SR_l makes it larger, SR_h larger still; they are given a small picture
and are trained on crops. All learn from pictures alone. Their layers are the spatial layers of the video networks
(`make_a_video_time.py`); SR_h stays as it is and takes the frames of a video one by one, all with the same noise, so
that what it invents is invented alike in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from storyreel.diffusion.augment import augmentation_of, augmented, draw_augmentation
from storyreel.diffusion.parameterisation import Kind as Target
from storyreel.diffusion.parameterisation import Weight, convert, diffuse, diffusion_loss
from storyreel.diffusion.schedules import Cosine, draw_times, preserving
from storyreel.nn.video_resample import random_crop, resized
from storyreel.nn.video_unet import VideoUNet, VideoUNetConfig
from storyreel.nn.video_unet_tiles import Piece, Tiles, in_tiles
from storyreel.systems.base import Batch, Loss, Tick
from storyreel.systems.cascade import CascadeStage, Sampling, Shape, check_guidance
from storyreel.systems.make_a_video_encoder import ImageTextStage


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """One network. `unet` gives widths and depths; its inputs follow from the stage, and its `temporal` layers come
    with the training on videos.

    shape: of the video that it makes in the end. crop: trained on random squares of so many pixels; 0: on whole frames.
    shift: of the cosine schedule's log-SNR. drop: share of the embeddings that are dropped, for guidance. most_noise:
    the largest time of noise in what it is given in training. predict, weight: what it says, and how its error is
    weighed.
    """

    shape: Shape
    unet: VideoUNetConfig
    sampling: Sampling = field(default_factory=Sampling)
    crop: int = 0
    shift: float = 0.0
    drop: float = 0.1
    most_noise: float = 1.0
    predict: Target = "v"
    weight: Weight = "v"

    def __post_init__(self) -> None:
        multiple = self.unet.patch * 2 ** (len(self.unet.widths) - 1)
        for name, side in (("height", self.shape.height), ("width", self.shape.width), ("crop", self.crop)):
            if side % multiple:
                raise ValueError(f"shape.{name}: wanted a multiple of {multiple}, got {side}")
        if self.shape.height != self.shape.width:
            raise ValueError(f"shape.width: wanted the height, {self.shape.height}, got {self.shape.width}")
        if (self.sampling.tile or self.sampling.chunk) and not self.convolutional:
            raise ValueError("sampling.tile: wanted a network without attention, which sees the whole")

    @property
    def convolutional(self) -> bool:
        return not any(self.unet.attention) and set(self.unet.temporal) <= {"conv", "none"}


class DenoisingStage(CascadeStage):
    """A U-Net that takes noise from pictures or videos, told an image embedding or given a smaller video, not both."""

    unet: VideoUNet

    def __init__(
        self,
        name: str,
        config: NetConfig,
        shape: Shape,
        takes: Shape | None,
        channels: int,
        encoder: ImageTextStage | None,
        *,
        of: str,
    ):
        super().__init__(name, shape, takes, channels, config.sampling, of=of)
        self.config = config
        self.encoder = encoder

    @property
    def gradient_checkpointing(self) -> bool:
        return self.unet.gradient_checkpointing

    @gradient_checkpointing.setter
    def gradient_checkpointing(self, on: bool) -> None:
        self.unet.gradient_checkpointing = on

    @property
    def schedule(self) -> Cosine:
        return Cosine(shift=self.config.shift)

    # -- what it is told ---------------------------------------------------------------------------------------

    def asked(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """What is told no embedding has nothing to be guided by."""
        if self.encoder is None and guidance is not None:
            check_guidance(guidance)
            guidance = 1.0
        return super().asked(steps, guidance)

    def given(self, cond: Batch, shape: Shape, rng: Sequence[torch.Generator]) -> dict[str, Any]:
        """What the network is given beside the embedding: the smaller video, noised with `sampling.snr`."""
        if "low" not in cond:
            return {}
        low, level = resized(cond["low"], shape.height, shape.width), augmentation_of(Cosine(), self.sampling.snr)
        noised, logsnr = augmented(low, level, rng, same_noise=self.same_noise)
        return {"extra": noised, "augmentation": logsnr}

    def told(
        self, cond: Batch, shape: Shape, rng: Sequence[torch.Generator], *, both: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """`cond["embedding"]` (b, e), where the network is told one; zeros tell nothing."""
        rest = self.given(cond, shape, rng)
        if self.encoder is None:
            return rest, None
        embedding = cond["embedding"]
        untold = rest | {"vector": torch.zeros_like(embedding)} if both else None
        return rest | {"vector": embedding}, untold

    # -- the network -------------------------------------------------------------------------------------------

    def network(self, z: Tensor, logsnr: Tensor, cond: dict[str, Any]) -> Tensor:
        """v of a noisy video, in tiles where `sampling` says so."""
        pixels, neighbours = self.unet.reach
        tiles = Tiles(size=self.sampling.tile, frames=self.sampling.chunk, halo=pixels, halo_frames=neighbours)
        if not tiles.needed(z):
            return self._v_of(z, logsnr, cond)

        def piece(part: Tensor, seen: Piece) -> Tensor:
            extra = cond.get("extra")
            cut = {} if extra is None else {"extra": extra[(slice(None), slice(None), *seen)]}
            return self._v_of(part, logsnr, cond | cut)

        return in_tiles(piece, z, tiles, self.unet.multiple)

    def _v_of(self, z: Tensor, logsnr: Tensor, cond: dict[str, Any]) -> Tensor:
        output = self.unet(z, logsnr, **cond)
        if self.config.predict == "v":
            return output
        return convert(output.float(), z, preserving(logsnr), self.config.predict, "v")

    # -- training ----------------------------------------------------------------------------------------------

    def examples(self, video: Tensor, tick: Tick) -> tuple[Tensor, dict[str, Any]]:
        """(what it should make, what it is given): a picture or video and its smaller self, cropped alike, or the
        embedding of one of its frames."""
        if self.encoder is not None:
            return resized(video, self.shape.height, self.shape.width), self.embedded(video, tick.rng)
        assert self.takes is not None
        x = resized(video, self.shape.height, self.shape.width)
        if self.config.crop:
            x = random_crop(x, self.config.crop, tick.rng)
        h, w = x.shape[3:]
        small = max(1, h * self.takes.height // self.shape.height), max(1, w * self.takes.width // self.shape.width)
        level = draw_augmentation(Cosine(), len(x), tick.rng, most=self.config.most_noise)
        low = resized(resized(x, *small), h, w)
        return x, {"extra": diffuse(low, noise_like(low, tick.rng), level), "augmentation": level.each(x).logsnr}

    def embedded(self, video: Tensor, rng: torch.Generator) -> dict[str, Any]:
        """The embedding of one frame of each video, any of them; zeros where it is dropped."""
        assert self.encoder is not None
        b, t = len(video), video.shape[2]
        at = torch.randint(t, (b,), generator=rng, device=rng.device).to(video.device)
        frame = video[torch.arange(b, device=video.device), :, at][:, :, None]
        kept = torch.rand(b, generator=rng, device=rng.device) >= self.config.drop
        return {"vector": self.encoder.images(frame)[:, 0] * kept.to(video.device)[:, None]}

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """The weighted squared error of what the network says. A batch needs no captions, and none are looked at."""
        x, cond = self.examples(batch["video"], tick)
        return Loss(self.error(x, cond, tick.rng).mean(), {})

    def error(self, x: Tensor, cond: dict[str, Any], rng: torch.Generator, wanted: Tensor | None = None) -> Tensor:
        """Of each sample (b,). wanted: where the error counts, 0 or 1, broadcasting with x; None is everywhere."""
        c, level = self.config, self.schedule.level(draw_times(len(x), rng, spread=True))
        noise = noise_like(x, rng)
        z = diffuse(x, noise, level)
        output = self.unet(z, level.each(z).logsnr, **cond)
        if wanted is None:
            return diffusion_loss(output, x, noise, level, kind=c.predict, weight=c.weight)
        right = convert(x, z, level, "x", c.predict)
        share = wanted.expand_as(x).flatten(1).mean(1).clamp(min=1e-6)
        output = torch.where(wanted.expand_as(x) > 0, output.float(), right.float())
        return diffusion_loss(output, x, noise, level, kind=c.predict, weight=c.weight) / share

    def samples(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """A few that are made, and below them the real ones: for the trainer's contact sheet."""
        video = batch["video"][:4]
        x, cond = self.real(video)
        rngs = [torch.Generator().manual_seed(i) for i in range(len(x))]
        made = self.sample(cond, rng=rngs, steps=min(16, self.sampling.steps), shape=self.shape_of(x))
        return torch.cat([made, x])

    def real(self, video: Tensor) -> tuple[Tensor, Batch]:
        """Real clips as the stage would make them, and the condition under which it would."""
        x = resized(video, self.shape.height, self.shape.width)
        if self.encoder is not None:
            return x, {"embedding": self.encoder.together(self.encoder.images(video))}
        assert self.takes is not None
        return x, {"low": resized(x, self.takes.height, self.takes.width)}

    def shape_of(self, x: Tensor) -> Shape:
        return replace(self.shape, frames=x.shape[2], height=x.shape[3], width=x.shape[4])


class ImageStage(DenoisingStage):
    """A network for pictures; what of a video it is given, it takes frame by frame, with the same noise in each."""

    same_noise = True
    stands_alone = True

    def __init__(
        self,
        name: str,
        config: NetConfig,
        shape: Shape,
        takes: Shape | None,
        channels: int,
        encoder: ImageTextStage | None,
        *,
        of: str,
    ):
        super().__init__(name, config, shape, takes, channels, encoder, of=of)
        self.unet = replace(
            config.unet,
            channels=channels,
            extra=channels if takes else 0,
            augmented=takes is not None,
            vector_dim=encoder.dim if encoder else 0,
            text_dim=0,
            temporal=("none",),
        ).build()

    def parameters_for(self, turn: str) -> list[nn.Parameter]:
        return [p for p in self.unet.parameters() if p.requires_grad]


def noise_like(x: Tensor, rng: torch.Generator) -> Tensor:
    return torch.randn(x.shape, generator=rng, device=rng.device, dtype=torch.float32).to(x.device)
