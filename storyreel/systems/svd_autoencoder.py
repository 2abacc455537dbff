"""The autoencoder of Stable Video Diffusion: frames to latents one by one, and latents to frames that move smoothly.

Blattmann et al., "Stable Video Diffusion: Scaling Latent Video Diffusion Models to Large Datasets", 2023,
https://arxiv.org/abs/2311.15127, Section 3 and Appendix D.1; the layers in time are those of "Align your Latents"
(https://arxiv.org/abs/2304.08818).

    video --encoder, each frame alone--> mean, log-variance --mode or a draw--> latents --decoder, in time--> video
    paper: (3, t, 576, 1024)                                                    (4, t, 72, 128)

The encoder is that of Stable Diffusion 2.1, frozen. In the decoder each residual block of a frame is followed by one in
time, and a learned share of the second is mixed in: out = a x_t + (1 - a) x_s, a = sigmoid(mix), which begins at 1/2. A
last convolution goes over time. Without them (`in_time=False`) it is the decoder for pictures.

Axes: b batch, c channels, t frames, h rows, w columns, n frames of all videos (b t). Videos are float (b, c, t, h, w)
in [-1, 1]; latents (b, latent_channels, t, h / 8, w / 8), to be multiplied by `scale` for deviation one.

Names of weights are those of diffusers' `AutoencoderKLTemporalDecoder`, so that a folder in its layout loads as it is.

Differs from the paper: a matte may be a fourth channel (`channels`), and widths and norms may be small ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from storyreel.diffusion.samplers import draw_noise
from storyreel.field_ranges import Count, Depth, Pixels, Width
from storyreel.nn.spatiotemporal import LearnedMix, SpatialBlock, TemporalBlock, Upsample, VideoBlock

SPATIAL_EPS, TEMPORAL_EPS = 1e-6, 1e-5  # of group normalisation
MIN_LOGVAR, MAX_LOGVAR = -30.0, 20.0


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """The defaults are the paper's. widths: of the levels, finest first, each half as large as the one before. blocks:
    residual blocks of a level of the encoder; the decoder has one more. groups: of the normalisation. scale: what
    brings latents to deviation one; 0: measured in training, mean and deviation of each channel. cell: pixels a side
    that enter as one place."""

    channels: Width = 3  # 4: the fourth is the matte
    latent_channels: Width = 4
    widths: tuple[Width, ...] = (128, 256, 512, 512)
    blocks: Depth = 2
    groups: Count = 32
    scale: float = 0.18215
    cell: Pixels = 1

    def __post_init__(self) -> None:
        if not self.widths or self.blocks < 1:
            raise ValueError(f"widths: expected at least one level and one block, got {self.widths} and {self.blocks}")
        if odd := [width for width in self.widths if width % self.groups]:
            raise ValueError(f"widths: expected multiples of {self.groups} groups, got {odd[0]}")
        if not self.scale >= 0:
            raise ValueError(f"scale: expected 0 or more, got {self.scale:g}")

    @property
    def patch(self) -> int:
        """Pixels a side that a latent stands for."""
        return self.cell * 2 ** (len(self.widths) - 1)

    def build(self) -> Autoencoder:
        return Autoencoder(self)


class Latents(NamedTuple):
    """A Gaussian for each latent: mean and log-variance (b, latent_channels, t, h, w)."""

    mean: Tensor
    logvar: Tensor

    @property
    def mode(self) -> Tensor:
        return self.mean

    def draw(self, rng: Sequence[torch.Generator]) -> Tensor:
        """One draw, with a generator a video."""
        return self.mean + (self.logvar / 2).exp() * draw_noise(self.mean.shape, rng).to(self.mean)

    def divergence(self) -> Tensor:
        """From a standard Gaussian, the mean over all but the batch: (b,)."""
        return (self.mean.square() + self.logvar.exp() - 1 - self.logvar).flatten(1).mean(1) / 2


class Autoencoder(nn.Module):
    """Video to latents and back."""

    def __init__(self, config: AutoencoderConfig):
        super().__init__()
        self.config = c = config
        self.encoder, self.decoder = Encoder(c), Decoder(c)
        self.quant_conv = nn.Conv2d(2 * c.latent_channels, 2 * c.latent_channels, 1)

    def encode(self, video: Tensor) -> Latents:
        """(b, c, t, h, w) in [-1, 1] -> latents, not scaled. ValueError for a size that does not divide."""
        c = self.config
        if video.ndim != 5 or video.shape[1] != c.channels or any(side % c.patch for side in video.shape[3:]):
            raise ValueError(
                f"video: expected (b, {c.channels}, t, h, w) with sides that {c.patch} divides, "
                f"got {tuple(video.shape)}"
            )
        frames = F.pixel_unshuffle(rearrange(video, "b c t h w -> (b t) c h w"), c.cell)
        moments = self.quant_conv(self.encoder(frames))
        mean, logvar = rearrange(moments, "(b t) c h w -> b c t h w", b=len(video)).chunk(2, 1)
        return Latents(mean, logvar.clamp(MIN_LOGVAR, MAX_LOGVAR))

    def decode(self, latents: Tensor, *, chunk: int = 0, in_time: bool = True) -> Tensor:
        """Latents (b, latent_channels, t, h, w), not scaled -> (b, c, t, h', w'), about [-1, 1].

        chunk: frames at once; 0: all. Chunks do not see one another, so that frames at their edges differ a little from
        those of the whole. ValueError for another shape.
        """
        if latents.ndim != 5 or latents.shape[1] != self.config.latent_channels:
            raise ValueError(
                f"latents: expected (b, {self.config.latent_channels}, t, h, w), got {tuple(latents.shape)}"
            )
        if chunk < 0:
            raise ValueError(f"chunk: expected 0 or more, got {chunk}")
        parts = latents.split(chunk or latents.shape[2], 2)
        return torch.cat([self.decoder(part, in_time) for part in parts], 2)


class Encoder(nn.Module):
    """Frames (n, c, h, w) -> moments (n, 2 latent_channels, h', w')."""

    def __init__(self, c: AutoencoderConfig):
        super().__init__()
        self.conv_in = nn.Conv2d(c.channels * c.cell**2, c.widths[0], 3, padding=1)
        before = (c.widths[0], *c.widths)
        self.down_blocks = nn.ModuleList(
            Level([frame_block(before[i] if j == 0 else width, width, c.groups) for j in range(c.blocks)],
                  downsampler=PaddedDownsample(width) if i < len(c.widths) - 1 else None)
            for i, width in enumerate(c.widths)
        )  # fmt: skip
        last = c.widths[-1]
        self.mid_block = AutoencoderMiddle(frame_block, last, c.groups)
        self.conv_norm_out = nn.GroupNorm(c.groups, last, SPATIAL_EPS)
        self.conv_out = nn.Conv2d(last, 2 * c.latent_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down_blocks:
            x = level(x)
        return self.conv_out(F.silu(self.conv_norm_out(self.mid_block(x))))


class Decoder(nn.Module):
    """Latents (b, latent_channels, t, h, w) -> video (b, c, t, h', w')."""

    def __init__(self, c: AutoencoderConfig):
        super().__init__()
        widths = c.widths[::-1]
        self.conv_in = nn.Conv2d(c.latent_channels, widths[0], 3, padding=1)
        self.mid_block = AutoencoderMiddle(video_block, widths[0], c.groups)
        before = (widths[0], *widths)
        self.up_blocks = nn.ModuleList(
            Level([video_block(before[i] if j == 0 else width, width, c.groups) for j in range(c.blocks + 1)],
                  upsampler=Upsample(width) if i < len(widths) - 1 else None)
            for i, width in enumerate(widths)
        )  # fmt: skip
        self.conv_norm_out = nn.GroupNorm(c.groups, widths[-1], SPATIAL_EPS)
        self.cell = c.cell
        self.conv_out = nn.Conv2d(widths[-1], c.channels * c.cell**2, 3, padding=1)
        self.time_conv_out = nn.Conv3d(c.channels, c.channels, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, latents: Tensor, in_time: bool = True) -> Tensor:
        b, frames = len(latents), latents.shape[2] if in_time else 0
        x = self.conv_in(rearrange(latents, "b c t h w -> (b t) c h w"))
        x = self.mid_block(x, frames)
        for level in self.up_blocks:
            x = level(x, frames)
        x = F.pixel_shuffle(self.conv_out(F.silu(self.conv_norm_out(x))), self.cell)
        video = rearrange(x, "(b t) c h w -> b c t h w", b=b)
        return self.time_conv_out(video) if in_time else video

    def begin_in_time(self) -> None:
        """The layers in time add nothing yet, so that the decoder is that for pictures."""
        for module in self.modules():
            if isinstance(module, TemporalBlock):
                nn.init.zeros_(module.conv2.weight)
                nn.init.zeros_(module.conv2.bias)  # pyright: ignore[reportArgumentType]
        nn.init.dirac_(self.time_conv_out.weight)
        nn.init.zeros_(self.time_conv_out.bias)  # pyright: ignore[reportArgumentType]

    def learnt_in_time(self) -> bool:
        """Whether a layer in time adds something."""
        return any(bool(module.conv2.weight.any()) for module in self.modules() if isinstance(module, TemporalBlock))

    def temporal_parameters(self) -> list[nn.Parameter]:
        """What a decoder for pictures has not: the layers in time, their shares and the last convolution."""
        blocks = [block for block in self.modules() if isinstance(block, VideoBlock)]
        added = [*(module for block in blocks for module in (block.temporal_res_block, block.time_mixer))]
        return [p for module in (*added, self.time_conv_out) for p in module.parameters()]


def frame_block(before: int, width: int, groups: int) -> SpatialBlock:
    return SpatialBlock(before, width, groups, SPATIAL_EPS)


def video_block(before: int, width: int, groups: int) -> VideoBlock:
    temporal = TemporalBlock(width, groups, TEMPORAL_EPS)
    return VideoBlock(frame_block(before, width, groups), temporal, LearnedMix(0.0, of_time=True))


class Level(nn.Module):
    """Residual blocks at one size, and the way to the next."""

    def __init__(
        self, blocks: Sequence[nn.Module], *, downsampler: nn.Module | None = None, upsampler: nn.Module | None = None
    ):
        super().__init__()
        self.resnets = nn.ModuleList(blocks)
        self.downsamplers = nn.ModuleList([downsampler] if downsampler else [])
        self.upsamplers = nn.ModuleList([upsampler] if upsampler else [])

    def forward(self, x: Tensor, frames: int = 0) -> Tensor:
        for block in self.resnets:
            x = block(x, frames)
        for resample in (*self.downsamplers, *self.upsamplers):
            x = resample(x)
        return x


class AutoencoderMiddle(nn.Module):
    """Two residual blocks, and attention within the frame between them."""

    def __init__(self, block: Callable[[int, int, int], nn.Module], width: int, groups: int):
        super().__init__()
        self.resnets = nn.ModuleList(block(width, width, groups) for _ in range(2))
        self.attentions = nn.ModuleList([FrameAttention(width, groups)])

    def forward(self, x: Tensor, frames: int = 0) -> Tensor:
        x = self.attentions[0](self.resnets[0](x, frames))
        return self.resnets[1](x, frames)


class FrameAttention(nn.Module):
    """Attention with one head between the places of a frame, added to it."""

    def __init__(self, width: int, groups: int):
        super().__init__()
        self.group_norm = nn.GroupNorm(groups, width, SPATIAL_EPS)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        tokens = rearrange(self.group_norm(x), "n c h w -> n 1 (h w) c")
        y = F.scaled_dot_product_attention(self.to_q(tokens), self.to_k(tokens), self.to_v(tokens))
        return x + rearrange(self.to_out[0](y), "n 1 (h w) c -> n c h w", h=x.shape[2])


class PaddedDownsample(nn.Module):
    """Half the size; the one row and column of padding are at the end."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))
