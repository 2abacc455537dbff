"""The network of Stable Video Diffusion: that of Stable Diffusion 2.1 with layers in time in every block.

Blattmann et al., "Stable Video Diffusion: Scaling Latent Video Diffusion Models to Large Datasets", 2023,
https://arxiv.org/abs/2311.15127, Appendix D; the layers in time are those of "Align your Latents" (2304.08818).

    noisy latents, and beside them those of a picture --down, middle, up--> v
    noise level, frame rate, motion, noise of the picture --> an embedding that every residual block adds
    embedding of the picture, or states of a text --> what every transformer reads

Axes: b batch, c channels, t frames, h rows, w columns, l tokens and d width of the context, n frames of all videos.
Latents are float (b, c, t, h, w), at deviation one.

Names of weights are those of diffusers' `UNetSpatioTemporalConditionModel`, so that a folder in its layout loads as it
is. Group normalisation has the 1e-5 of the published checkpoint, where diffusers has 1e-6 in some blocks.

Differs from the paper: widths, groups and conditions may be others; the defaults are the published ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from storyreel.diffusion.parameterisation import noise_condition
from storyreel.field_ranges import Count, Depth, Pixels, Width
from storyreel.nn.spatiotemporal import (
    Context,
    Embedding,
    LearnedMix,
    SpatialBlock,
    TemporalBlock,
    Upsample,
    VideoBlock,
    VideoTransformer,
    sinusoid,
)

EPS = 1e-5


@dataclass(frozen=True, kw_only=True)
class SvdUNetConfig:
    """in_channels: of the noisy latents and of what lies beside them. heads: of each level's attention; 0: none, and
    the middle has as many as the last level that has any. conditions: numbers that the network reads beside the noise
    level (frame rate - 1, motion bucket, noise of the picture), each in `condition_features` features. expand: how much
    wider the feed-forward layers are. patch: latents a side that enter as one place."""

    in_channels: Width = 8
    out_channels: Width = 4
    widths: tuple[Width, ...] = (320, 640, 1280, 1280)
    heads: tuple[Depth, ...] = (5, 10, 20, 0)
    blocks: Depth = 2
    context: Width = 1024
    conditions: Count = 3
    condition_features: Width = 256
    groups: Count = 32
    expand: Width = 4
    patch: Pixels = 1

    def __post_init__(self) -> None:
        if len(self.heads) != len(self.widths):
            raise ValueError(f"heads: expected one entry for each of {len(self.widths)} widths, got {len(self.heads)}")
        if not any(self.heads) or self.blocks < 1:
            raise ValueError("heads: expected attention at one level at least, and a block at each")
        for width, heads in zip(self.widths, self.heads, strict=True):
            if width % self.groups or (heads and width % heads):
                raise ValueError(
                    f"widths: expected multiples of {self.groups} groups and of {heads} heads, got {width}"
                )
        if self.widths[-1] % self.middle_heads:
            raise ValueError(f"widths: expected the last to be a multiple of {self.middle_heads} heads")

    @property
    def middle_heads(self) -> int:
        return self.heads[-1] or next(heads for heads in reversed(self.heads) if heads)

    @property
    def multiple(self) -> int:
        """What sides of latents are multiples of."""
        return self.patch * 2 ** (len(self.widths) - 1)

    def build(self) -> SvdUNet:
        return SvdUNet(self)


class SvdUNet(nn.Module):
    """See the module."""

    def __init__(self, config: SvdUNetConfig):
        super().__init__()
        self.config = c = config
        first, emb = c.widths[0], 4 * c.widths[0]
        self.conv_in = nn.Conv2d(c.in_channels * c.patch**2, first, 3, padding=1)
        self.time_embedding = Embedding(first, emb, emb)
        self.add_embedding = Embedding(c.conditions * c.condition_features, emb, emb)
        before, last = (first, *c.widths), len(c.widths) - 1
        self.down_blocks = nn.ModuleList(
            Down([before[i]] + [width] * (c.blocks - 1), width, c, heads, more=i < last)
            for i, (width, heads) in enumerate(zip(c.widths, c.heads, strict=True))
        )
        self.mid_block = UNetMiddle(c)
        skips = [first] + [w for i, w in enumerate(c.widths) for w in [w] * (c.blocks + (i < last))]
        x, ups = c.widths[-1], []
        for i, (width, heads) in enumerate(zip(c.widths[::-1], c.heads[::-1], strict=True)):
            enters = [(x if j == 0 else width) + skips.pop() for j in range(c.blocks + 1)]
            ups.append(UpBlock(enters, width, c, heads, more=i < last))
            x = width
        self.up_blocks = nn.ModuleList(ups)
        self.conv_norm_out = nn.GroupNorm(c.groups, first, EPS)
        self.conv_out = nn.Conv2d(first, c.out_channels * c.patch**2, 3, padding=1)
        self.gradient_checkpointing = False

    def begin_at_zero(self) -> None:
        """Every residual layer adds nothing, and v is 0: how a network that is trained from scratch begins."""
        for module in self.modules():
            if isinstance(module, (SpatialBlock, TemporalBlock)):
                zero(module.conv2)
            elif isinstance(module, VideoTransformer):
                zero(module.proj_out)
                for block in (*module.transformer_blocks, *module.temporal_transformer_blocks):
                    zero(block.attn1.to_out[0], block.attn2.to_out[0], block.ff.net[2])  # pyright: ignore
        zero(self.conv_out)

    def temporal_parameters(self) -> list[nn.Parameter]:
        """What a network for pictures has not: the layers in time and their shares."""
        names = ("temporal_", "time_mixer", "time_pos_embed")
        return [p for name, p in self.named_parameters() if any(part.startswith(names) for part in name.split("."))]

    def forward(
        self,
        x: Tensor,
        logsnr: Tensor,
        context: Tensor,
        conditions: Tensor,
        pictures: Tensor | None = None,
        *,
        context_mask: Tensor | None = None,
        in_time: bool = True,
        reuse: Reuse | None = None,
    ) -> Tensor:
        """(b, in_channels, t, h, w), log-SNR (b,), context (b, l, d), conditions (b, `conditions`) -> v (b,
        out_channels, t, h, w).

        pictures: the samples (b,) whose frames are pictures and do not see one another. context_mask: the tokens (b, l)
        that count; None: all. in_time: False where all samples are pictures. reuse: of the steps of one sample.
        ValueError for other shapes.
        """
        c, (b, t) = self.config, (len(x), x.shape[2])
        if x.shape[1] != c.in_channels or any(side % c.multiple for side in x.shape[3:]):
            raise ValueError(
                f"latents: expected (b, {c.in_channels}, t, h, w) with sides that {c.multiple} divides, "
                f"got {tuple(x.shape)}"
            )
        if conditions.shape != (b, c.conditions) or context.shape[::2] != (b, c.context):
            raise ValueError(
                f"context: expected ({b}, l, {c.context}) and conditions ({b}, {c.conditions}), "
                f"got {tuple(context.shape)} and {tuple(conditions.shape)}"
            )
        emb = self.time_embedding(sinusoid(noise_condition(logsnr), c.widths[0]).to(x.dtype))
        features = sinusoid(conditions.flatten(), c.condition_features).to(x.dtype)
        emb = emb + self.add_embedding(features.view(b, -1))
        read = Read(t if in_time else 0, emb.repeat_interleave(t, 0), Context(context, context_mask), pictures)
        x = self.conv_in(F.pixel_unshuffle(rearrange(x, "b c t h w -> (b t) c h w"), c.patch))
        x = self._blocks(x, read) if reuse is None or len(self.down_blocks) < 2 else self._reusing(x, read, reuse)
        v = F.pixel_shuffle(self.conv_out(F.silu(self.conv_norm_out(x))), c.patch)
        return rearrange(v, "(b t) c h w -> b c t h w", b=b)

    def _blocks(self, x: Tensor, read: Read, reuse: Reuse | None = None) -> Tensor:
        skips = [x]
        for down in self.down_blocks:
            x, more = self._through(down, x, read)
            skips += more
        x = self._through(self.mid_block, x, read)
        for i, up in enumerate(self.up_blocks):
            if reuse is not None and i == len(self.up_blocks) - 1:
                reuse.deep = x
            count = len(up.resnets)  # pyright: ignore[reportArgumentType]
            x, skips = self._through(up, x, skips[-count:], read), skips[:-count]
        return x

    def _reusing(self, x: Tensor, read: Read, reuse: Reuse) -> Tensor:
        """The whole network at every `reuse.every`-th step; else its finest level alone, around what lay below it."""
        if reuse.is_whole(len(x)):
            return self._blocks(x, read, reuse)
        assert reuse.deep is not None
        down, up = self.down_blocks[0], self.up_blocks[-1]
        assert isinstance(down, Down)
        skips = [x, *down.at_its_size(x, read)]
        return self._through(up, reuse.deep, skips, read)

    def _through(self, blocks: nn.Module, *inputs: Any) -> Any:
        if self.gradient_checkpointing and self.training:
            return checkpoint(blocks, *inputs, use_reentrant=False)
        return blocks(*inputs)


@dataclass
class Reuse:
    """Between the steps of one sample, what lies below the finest level is made at every `every`-th step alone, since
    it changes little from one to the next (Ma et al. 2023, "DeepCache", https://arxiv.org/abs/2312.00858)."""

    every: int
    calls: int = 0
    deep: Tensor | None = None

    def is_whole(self, frames: int) -> bool:
        """Whether this step is made by the whole network, as one is that has other frames than the last: guidance that
        comes and goes takes twice as many. Counts the steps."""
        self.calls += 1
        return (self.calls - 1) % self.every == 0 or self.deep is None or len(self.deep) != frames


@dataclass(frozen=True)
class Read:
    """What the blocks read: the number of frames, or 0 where all are pictures, embeddings (n, emb) of each, the context
    of the samples, and the samples (b,) that are pictures."""

    frames: int
    emb: Tensor
    context: Context
    pictures: Tensor | None


class Blocks(nn.Module):
    """Residual blocks of one size and, where there are heads, transformers."""

    def __init__(self, enters: list[int], width: int, c: SvdUNetConfig, heads: int, attentions: int | None = None):
        super().__init__()
        emb = 4 * c.widths[0]
        self.resnets = nn.ModuleList(
            VideoBlock(
                SpatialBlock(enter, width, c.groups, EPS, emb),
                TemporalBlock(width, c.groups, EPS, emb),
                LearnedMix(0.5),
            )
            for enter in enters
        )
        count = len(enters) if attentions is None else attentions
        self.attentions = nn.ModuleList(
            VideoTransformer(width, width // heads, c.context, c.groups, c.expand) for _ in range(count if heads else 0)
        )

    def block(self, i: int, x: Tensor, read: Read) -> Tensor:
        return self.resnets[i](x, read.frames, read.emb, read.pictures)

    def attend(self, i: int, x: Tensor, read: Read) -> Tensor:
        return self.attentions[i](x, read.context, read.frames, read.pictures) if self.attentions else x


class Down(Blocks):
    def __init__(self, enters: list[int], width: int, c: SvdUNetConfig, heads: int, *, more: bool):
        super().__init__(enters, width, c, heads)
        self.downsamplers = nn.ModuleList([Downsample(width)] if more else [])

    def forward(self, x: Tensor, read: Read) -> tuple[Tensor, list[Tensor]]:
        """x, and what the way up is given."""
        skips = self.at_its_size(x, read)
        x = skips[-1]
        for downsample in self.downsamplers:
            x = downsample(x)
            skips.append(x)
        return x, skips

    def at_its_size(self, x: Tensor, read: Read) -> list[Tensor]:
        """What each block gives, before the way to half the size."""
        found = []
        for i in range(len(self.resnets)):
            x = self.attend(i, self.block(i, x, read), read)
            found.append(x)
        return found


class UNetMiddle(Blocks):
    def __init__(self, c: SvdUNetConfig):
        super().__init__([c.widths[-1]] * 2, c.widths[-1], c, c.middle_heads, attentions=1)

    def forward(self, x: Tensor, read: Read) -> Tensor:
        return self.block(1, self.attend(0, self.block(0, x, read), read), read)


class UpBlock(Blocks):
    def __init__(self, enters: list[int], width: int, c: SvdUNetConfig, heads: int, *, more: bool):
        super().__init__(enters, width, c, heads)
        self.upsamplers = nn.ModuleList([Upsample(width)] if more else [])

    def forward(self, x: Tensor, skips: list[Tensor], read: Read) -> Tensor:
        """skips: one a block, the last for the first."""
        for i in range(len(self.resnets)):
            x = self.attend(i, self.block(i, torch.cat([x, skips[-1 - i]], 1), read), read)
        for upsample in self.upsamplers:
            x = upsample(x)
        return x


class Downsample(nn.Module):
    """Half the size."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def zero(*layers: nn.Module) -> None:
    """Weights and biases of layers become 0."""
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
