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
from torch import Tensor

from storyreel.diffusion.parameterisation import Kind as Target
from storyreel.diffusion.parameterisation import Weight
from storyreel.diffusion.sampling import Sampling, check_guidance
from storyreel.field_ranges import Share
from storyreel.nn.video_resample import random_crop, resized
from storyreel.nn.video_unet import VideoUNetConfig
from storyreel.systems.base import Batch, Loss, Tick
from storyreel.systems.cascade import Shape
from storyreel.systems.cascade_net import NetSettings, NetStage
from storyreel.systems.make_a_video_encoder import ImageTextStage


@dataclass(frozen=True, kw_only=True)
class NetConfig(NetSettings):
    """One network; `NetSettings` says what is not said here.

    shape: of the video that it makes in the end. unet: its `temporal` layers come with the training on videos. drop:
    share of the embeddings that are dropped, for guidance.
    """

    shape: Shape
    unet: VideoUNetConfig
    sampling: Sampling = field(default_factory=Sampling)
    crop: int = 0
    shift: float = 0.0
    drop: Share = 0.1
    most_noise: Share = 1.0
    predict: Target = "v"
    weight: Weight = "v"
    chroma: float = 0.0

    called = "network"

    def check_shape(self) -> None:
        super().check_shape()
        if self.shape.height != self.shape.width:
            raise ValueError(f"shape.width: wanted the height, {self.shape.height}, got {self.shape.width}")


class DenoisingStage(NetStage[NetConfig]):
    """A U-Net that takes noise from pictures or videos, told an image embedding or given a smaller video, not both."""

    encoder: ImageTextStage | None

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
        return self.low_to_sample(resized(cond["low"], shape.height, shape.width), rng)

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

    # -- training ----------------------------------------------------------------------------------------------

    def examples(self, video: Tensor, tick: Tick) -> tuple[Tensor, dict[str, Any]]:
        """(what it should make, what it is given): a picture or video and its smaller self, cropped alike, or the
        embedding of one of its frames."""
        if self.encoder is not None:
            return resized(video, self.shape.height, self.shape.width), self.embedded(video, tick.rng)
        x = resized(video, self.shape.height, self.shape.width)
        if self.config.crop:
            x = random_crop(x, self.config.crop, tick.rng)
        return x, self.low_to_learn(self.coarse(x), tick.rng)

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
    capturable = True
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
        super().__init__(name, shape, takes, channels, config, of=of)
        self.encoder = encoder
        self.unet = replace(
            config.unet,
            channels=channels,
            extra=channels if takes else 0,
            augmented=takes is not None,
            vector_dim=encoder.dim if encoder else 0,
            text_dim=0,
            temporal=("none",),
        ).build()
