"""Blocks of networks for pictures with layers in time beside them, each with a learned share ("Align your Latents",
Blattmann et al. 2023, https://arxiv.org/abs/2304.08818; Stable Video Diffusion, https://arxiv.org/abs/2311.15127).

Frames are a batch (n, c, h, w) with n = (b t). Without a layer's share of time, or for pictures, a block is that of the
network for pictures. Names of weights are those of diffusers' `SpatioTemporalResBlock` and
`TransformerSpatioTemporalModel`.

Axes: b batch, c channels, t frames, h rows, w columns, n frames of all videos, s places of a frame, d width of a
context.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

NORM_EPS = 1e-6  # of group normalisation before attention
HIDDEN_CPU, HIDDEN_GPU = 2**22, 2**26  # numbers of a hidden layer at a time, where nothing is trained


class SpatialBlock(nn.Module):
    """A residual block of one frame, (n, before, h, w) -> (n, width, h, w), with an embedding (n, emb) or without."""

    def __init__(self, before: int, width: int, groups: int, eps: float, emb: int = 0):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, before, eps), nn.GroupNorm(groups, width, eps)
        self.conv1 = nn.Conv2d(before, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.time_emb_proj = nn.Linear(emb, width) if emb else None
        self.conv_shortcut = nn.Conv2d(before, width, 1) if before != width else None

    def forward(self, x: Tensor, frames: int = 0, emb: Tensor | None = None, pictures: Tensor | None = None) -> Tensor:
        """As for `VideoBlock`; here `frames` and `pictures` make no difference."""
        y = self.conv1(F.silu(self.norm1(x)))
        if self.time_emb_proj is not None and emb is not None:
            y = y + self.time_emb_proj(F.silu(emb))[:, :, None, None]
        y = self.conv2(F.silu(self.norm2(y)))
        return y + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class TemporalBlock(nn.Module):
    """A residual block over time, (b, c, t, h, w), with an embedding of each frame (b, t, emb) or without."""

    def __init__(self, width: int, groups: int, eps: float, emb: int = 0):
        super().__init__()
        self.norm1, self.norm2 = (nn.GroupNorm(groups, width, eps) for _ in range(2))
        self.conv1, self.conv2 = (nn.Conv3d(width, width, (3, 1, 1), padding=(1, 0, 0)) for _ in range(2))
        self.time_emb_proj = nn.Linear(emb, width) if emb else None

    def forward(self, x: Tensor, emb: Tensor | None = None) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        if self.time_emb_proj is not None and emb is not None:
            y = y + rearrange(self.time_emb_proj(F.silu(emb)), "b t c -> b c t 1 1")
        return x + self.conv2(F.silu(self.norm2(y)))


class LearnedMix(nn.Module):
    """A learned share a = sigmoid(mix_factor), one for the layer: of the frames alone, or, `of_time`, of the layer in
    time; the other gets 1 - a."""

    def __init__(self, start: float, of_time: bool = False):
        super().__init__()
        self.of_time = of_time
        self.mix_factor = nn.Parameter(torch.full((1,), start))

    def forward(self, spatial: Tensor, temporal: Tensor, pictures: Tensor | None = None) -> Tensor:
        """(b, ...) both. pictures: the samples (b,) that are no videos, whose layer in time has no share."""
        share = self.mix_factor.sigmoid().to(spatial.dtype)
        share = share if self.of_time else 1 - share
        if pictures is not None:
            share = torch.where(pictures, 0, share).view(-1, *[1] * (spatial.ndim - 1))
        return spatial + share * (temporal - spatial)


class VideoBlock(nn.Module):
    """A residual block of each frame, then one over time, mixed."""

    def __init__(self, spatial: SpatialBlock, temporal: TemporalBlock, mix: LearnedMix):
        super().__init__()
        self.spatial_res_block, self.temporal_res_block, self.time_mixer = spatial, temporal, mix

    def forward(self, x: Tensor, frames: int = 0, emb: Tensor | None = None, pictures: Tensor | None = None) -> Tensor:
        """(n, c, h, w), with embeddings (n, emb). frames: of a video; 0: all are pictures. pictures: the samples (b,)
        whose frames are pictures, where others are videos."""
        x = self.spatial_res_block(x, emb=emb)
        if not frames:
            return x
        video = rearrange(x, "(b t) c h w -> b c t h w", t=frames)
        emb = None if emb is None else rearrange(emb, "(b t) e -> b t e", t=frames)
        return rearrange(
            self.time_mixer(video, self.temporal_res_block(video, emb), pictures), "b c t h w -> (b t) c h w"
        )


class Attention(nn.Module):
    """Of tokens (n, s, width) to one another, or to a context of each sample (b, l, d), where n is a multiple of b and
    the tokens of a sample are neighbours: its keys and values are made once."""

    def __init__(self, width: int, head_dim: int, context: int = 0):
        super().__init__()
        self.head_dim = head_dim
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k, self.to_v = (nn.Linear(context or width, width, bias=False) for _ in range(2))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """mask: the tokens (b, l) of the context that count; None: all."""
        source, tokens = (x, x) if context is None else (context, x.reshape(len(context), -1, x.shape[-1]))
        q, k, v = (
            rearrange(part, "n s (a d) -> n a s d", d=self.head_dim)
            for part in (self.to_q(tokens), self.to_k(source), self.to_v(source))
        )
        seen = None if mask is None else mask[:, None, None]
        y = rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=seen), "n a s d -> n s (a d)")
        return self.to_out[0](y).view(x.shape)


class GatedGelu(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, -1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """Of tokens (n, s, width). Where nothing is trained, some of them at a time, since the hidden layer is the largest
    tensor of the network."""

    def __init__(self, width: int, expand: int = 4):
        super().__init__()
        self.hidden = expand * width
        self.net = nn.Sequential(GatedGelu(width, self.hidden), nn.Identity(), nn.Linear(self.hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return self.net(x)
        numbers = HIDDEN_CPU if x.device.type == "cpu" else HIDDEN_GPU
        tokens = x.reshape(-1, x.shape[-1]).split(max(1, numbers // (2 * self.hidden)))
        return torch.cat([self.net(part) for part in tokens]).view(x.shape)


class TransformerBlock(nn.Module):
    """Attention between tokens (n, s, width), to a context (b, l, d), and a feed-forward layer, all residual. `ff_in`:
    another feed-forward layer before them, which the layers in time have. expand: how much wider these layers are."""

    def __init__(self, width: int, head_dim: int, context: int, *, ff_in: bool = False, expand: int = 4):
        super().__init__()
        self.norm_in = nn.LayerNorm(width) if ff_in else None
        self.ff_in = FeedForward(width, expand) if ff_in else None
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.attn1, self.attn2 = Attention(width, head_dim), Attention(width, head_dim, context)
        self.ff = FeedForward(width, expand)

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.ff_in is not None and self.norm_in is not None:
            x = x + self.ff_in(self.norm_in(x))
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context, mask)
        return x + self.ff(self.norm3(x))


class Context(NamedTuple):
    """What transformers read of each sample: states (b, l, d), and which of them (b, l) count; None: all."""

    states: Tensor
    mask: Tensor | None = None


class VideoTransformer(nn.Module):
    """Attention within each frame, and, mixed, between the frames at each place, which read the same context and have
    an embedding of their number."""

    def __init__(self, width: int, head_dim: int, context: int, groups: int, expand: int = 4):
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, NORM_EPS)
        self.proj_in, self.proj_out = nn.Linear(width, width), nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(width, head_dim, context, expand=expand)])
        self.temporal_transformer_blocks = nn.ModuleList(
            [TransformerBlock(width, head_dim, context, ff_in=True, expand=expand)]
        )
        self.time_pos_embed = Embedding(width, 4 * width, width)
        self.time_mixer = LearnedMix(0.5)

    def forward(self, x: Tensor, context: Context, frames: int, pictures: Tensor | None = None) -> Tensor:
        """(n, c, h, w); `frames` and `pictures` as for `VideoBlock`."""
        tokens = self.proj_in(rearrange(self.norm(x), "n c h w -> n (h w) c"))
        tokens = self.transformer_blocks[0](tokens, context.states, context.mask)
        if frames:
            spatial = rearrange(tokens, "(b t) s c -> b t s c", t=frames)
            number = sinusoid(torch.arange(frames, device=x.device), x.shape[1]).to(tokens.dtype)
            entering = rearrange(spatial + self.time_pos_embed(number)[None, :, None], "b t s c -> (b s) t c")
            temporal = self.temporal_transformer_blocks[0](entering, context.states, context.mask)
            mixed = self.time_mixer(spatial, rearrange(temporal, "(b s) t c -> b t s c", b=len(spatial)), pictures)
            tokens = rearrange(mixed, "b t s c -> (b t) s c")
        return x + rearrange(self.proj_out(tokens), "n (h w) c -> n c h w", h=x.shape[2])


class Embedding(nn.Module):
    """Features of numbers (n, before) -> (n, width)."""

    def __init__(self, before: int, hidden: int, width: int):
        super().__init__()
        self.linear_1, self.linear_2 = nn.Linear(before, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class Upsample(nn.Module):
    """Twice the size, pixels repeated, then convolved."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def sinusoid(numbers: Tensor, width: int, period: float = 10_000.0) -> Tensor:
    """Cosines, then sines, of numbers (n,) -> (n, width) float32, at wavelengths from 2 pi to 2 pi `period`."""
    half = width // 2
    rates = torch.exp(-math.log(period) * torch.arange(half, device=numbers.device, dtype=torch.float32) / half)
    angles = numbers.float()[:, None] * rates
    return torch.cat([angles.cos(), angles.sin()], -1)
