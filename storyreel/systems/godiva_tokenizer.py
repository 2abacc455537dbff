"""The frame VQ-VAE of GODIVA (Wu et al. 2021, Section 3.1), https://arxiv.org/abs/2104.14806.

    frame (c, h, w) --two convolutions of stride 2--> vectors --nearest code--> codes --two convolutions--> frame

Axes: b batch, c channels, t frames, h and w pixels, p tokens a frame, g parts a code (a codebook has one), d width.
Videos are float (b, c, t, h, w) in [-1, 1]; codes are int64 (b, t, p, g). Every frame is coded alone.

Differs from the paper where a recipe says so: more or fewer convolutions (`patch`), a trunk of residual blocks
(`widths`), codes as moving averages (`average`), finite scalar quantisation whose digits are joined to parts
(`levels`, `joined`), an L1 term (`l1`), more weight on colour (`chroma`). Dead codes are revived in all of them; the
paper does not say what it does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from storyreel.field_ranges import Count, Depth, Pixels, Share, Width
from storyreel.nn.chroma import chroma_loss
from storyreel.nn.codebook import Codebook, CodeUsage
from storyreel.nn.conv import Downsampler, ResidualBlock, Upsampler, channels_first, channels_last
from storyreel.nn.quantize import FiniteScalarQuantizer
from storyreel.nn.video_resample import random_frames
from storyreel.systems.base import Batch, Loss, Tick, VideoTokenizer


@dataclass(frozen=True, kw_only=True)
class FrameVQVAEConfig:
    """Section 3.1. The defaults are the paper's."""

    size: Pixels = 64  # pixels, square
    channels: Width = 3  # 4: the fourth is the matte
    patch: Pixels = 4  # pixels a side of a token; a power of two
    dim: Width = 128  # of a code
    num_codes: Count = 10_000
    beta: float = 0.25  # of the commitment term; the paper does not print it
    average: Share = 0.0  # above 0: codes are moving averages, this much kept a step
    levels: tuple[Count, ...] = ()  # finite scalar quantisation instead, so many levels a digit
    joined: Width = 2  # digits that make a part of a code
    widths: tuple[Width, ...] = ()  # channels of the residual trunk, finest first, the last is dim; empty: the paper's
    blocks: Depth = 1
    window: Count = 100  # steps without use after which a code is dead
    l2: float = 1.0
    l1: float = 0.0
    chroma: float = 0.0  # of what is colour and not brightness, which squared errors hardly feel on small things
    frames: int = 0  # random frames of each clip that a step sees; 0: all

    def __post_init__(self) -> None:
        if self.patch < 2 or self.patch & (self.patch - 1) or self.size % self.patch:
            raise ValueError(f"patch: expected a power of two that divides size {self.size}, got {self.patch}")
        if self.widths and self.widths[-1] != self.dim:
            raise ValueError(f"widths: the last must be dim {self.dim}, got {self.widths}")
        if self.patch % 2 ** max(len(self.widths) - 1, 0):
            raise ValueError(f"widths: {len(self.widths) - 1} halvings do not fit into patches of {self.patch}")
        if self.frames < 0 or self.joined < 1:
            raise ValueError("frames: expected at least 0, joined at least 1")

    @property
    def grid(self) -> int:
        """Tokens a side."""
        return self.size // self.patch

    def build(self) -> FrameVQVAE:
        return FrameVQVAE(self)


class FrameVQVAE(VideoTokenizer):
    """Frames to codes and back, each frame by itself."""

    training_only = ("usage",)
    capturable = True

    def __init__(self, config: FrameVQVAEConfig):
        super().__init__()
        self.config = c = config
        self.down, self.up = _trunk(c) if c.widths else _convolutions(c)
        if c.levels:
            self.quantize = FiniteScalarQuantizer(c.dim, c.levels)
        else:
            self.quantize = Codebook(c.num_codes, c.dim, beta=c.beta, average=c.average)
        starts = range(0, len(c.levels), c.joined)
        self.parts = tuple(c.levels[i : i + c.joined] for i in starts) or (
            (c.num_codes,),
        )  # levels of each part's digits
        self.sizes = tuple(math.prod(part) for part in self.parts)
        for i, part in enumerate(self.parts if c.levels else ()):
            self.register_buffer(f"digits{i}", _one_hot(part), persistent=False)
        self.usage = CodeUsage(math.prod(self.sizes), c.window)

    def encode(self, video: Tensor) -> Tensor:
        """(b, c, t, h, w) in [-1, 1] -> codes (b, t, p, g)."""
        c = self.config
        if video.ndim != 5 or video.shape[1] != c.channels or video.shape[-2:] != (c.size, c.size):
            raise ValueError(f"video: expected {c.channels} channels of {c.size}x{c.size}, got {tuple(video.shape)}")
        codes = self.quantize(self._vectors(rearrange(video, "b c t h w -> (b t) c h w")))[1]
        return self._join(codes).unflatten(0, (len(video), -1))

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (b, t, p, g) -> (b, c, t, h, w) in [-1, 1] or a little beyond."""
        self.check(codes)
        frames = self._frames(self.quantize.lookup(self._split(codes).flatten(0, 1)))
        return rearrange(frames, "(b t) c h w -> b c t h w", b=len(codes))

    def reconstruct(self, video: Tensor) -> Tensor:
        return self.decode(self.encode(video))

    def check(self, codes: Tensor) -> None:
        """ValueError unless these are codes (b, t, p, g) of this tokenizer, every part in its range."""
        expected = (self.config.grid**2, len(self.sizes))
        if codes.ndim != 4 or tuple(codes.shape[2:]) != expected or 0 in codes.shape:
            raise ValueError(f"codes: expected (b, t, {expected[0]}, {expected[1]}), got {tuple(codes.shape)}")
        for part, size in enumerate(self.sizes):
            low, high = (int(v) for v in codes[..., part].aminmax())
            if low < 0 or high >= size:
                raise ValueError(f"codes: token ids must be in [0, {size}), got {low if low < 0 else high}")

    def tables(self) -> list[Tensor]:
        """For each part of a code, the vector of each of its values (size, k): codebook vectors, or one-hot digits."""
        if isinstance(self.quantize, Codebook):
            return [self.quantize.vectors.detach()]
        return [self.get_buffer(f"digits{i}") for i in range(len(self.parts))]

    @property
    def vector_dim(self) -> int:
        """Width of the vectors in `tables`, all parts together."""
        return sum(self.config.levels) if self.config.levels else self.config.dim

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """Section 3.1: reconstruction, codebook term and commitment, always; colour, where asked for."""
        c = self.config
        (frames,) = random_frames([batch["video"]], c.frames, tick.rng)
        x = self._vectors(frames)
        if self.training and isinstance(self.quantize, Codebook) and not x.is_meta:
            self._revive(x.detach().flatten(0, 1), tick.rng)
        z, codes, vq = self.quantize(x)
        made = self._frames(z)
        l2, l1 = F.mse_loss(made.float(), frames), F.l1_loss(made.float(), frames)
        total = c.l2 * l2 + c.l1 * l1 + vq
        parts = {"l2": l2, "l1": l1, "vq": vq, "psnr": 10 * torch.log10(4 / l2)}
        if c.chroma:
            parts["chroma"] = chroma_loss(made[:, :, None], frames[:, :, None])
            total = total + c.chroma * parts["chroma"]
        if self.training:
            flat = codes.flatten(0, -2)
            seen = self.usage.update(_number(self._join(flat), self.sizes))
            if isinstance(self.quantize, Codebook):
                self.quantize.follow(x.detach().flatten(0, 1), flat[:, 0], seen)
        parts |= self.usage.report()
        return Loss(total, {k: v.detach() for k, v in parts.items()})

    @torch.no_grad()
    def _revive(self, x: Tensor, rng: torch.Generator) -> None:
        """Dead codes go where vectors are; at the very first step all codes are dead."""
        assert isinstance(self.quantize, Codebook)
        dead = self.usage.dead
        self.quantize.revive(dead, x, rng)
        self.usage.spare(dead)

    def _vectors(self, frames: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, p, d)."""
        return self.down(frames).flatten(2).transpose(1, 2)

    def _frames(self, vectors: Tensor) -> Tensor:
        """(n, p, d) -> (n, c, h, w)."""
        return self.up(vectors.transpose(1, 2).unflatten(2, (self.config.grid, -1)))

    def _join(self, digits: Tensor) -> Tensor:
        """Digits of the quantiser (..., digits) -> parts (..., g)."""
        groups = digits.split([len(part) for part in self.parts], -1)
        return torch.stack([_number(d, part) for d, part in zip(groups, self.parts, strict=True)], -1)

    def _split(self, codes: Tensor) -> Tensor:
        """Parts (..., g) -> digits of the quantiser."""
        digits = []
        for value, part in zip(codes.unbind(-1), self.parts, strict=True):
            for i, size in enumerate(part):
                digits.append(value // math.prod(part[i + 1 :]) % size)
        return torch.stack(digits, -1)


def _number(digits: Tensor, sizes: Sequence[int]) -> Tensor:
    """Digits (..., k) -> one number (...), the first digit the most significant."""
    number = digits[..., 0]
    for i, size in enumerate(sizes[1:], 1):
        number = number * size + digits[..., i]
    return number


def _one_hot(part: tuple[int, ...]) -> Tensor:
    """(values of the part, sum of its levels)."""
    grid = torch.cartesian_prod(*[torch.arange(n) for n in part]).view(-1, len(part))
    return torch.cat([F.one_hot(grid[:, i], n) for i, n in enumerate(part)], -1).float()


def _convolutions(c: FrameVQVAEConfig) -> tuple[nn.Module, nn.Module]:
    """The paper's: convolutions of kernel 4 and stride 2, so many as halve the frame to its grid."""
    down: list[nn.Module] = []
    up: list[nn.Module] = []
    for i in range(c.patch.bit_length() - 1):
        last = i == c.patch.bit_length() - 2
        down += [nn.Conv2d(c.dim if i else c.channels, c.dim, 4, 2, 1), *([] if last else [nn.ReLU()])]
        up += [nn.ConvTranspose2d(c.dim, c.channels if last else c.dim, 4, 2, 1), *([] if last else [nn.ReLU()])]
    return nn.Sequential(*down), nn.Sequential(*up)


class _Trunk(nn.Module):
    """Pixels in small squares, residual blocks and halvings; or the way back."""

    def __init__(self, c: FrameVQVAEConfig, *, back: bool):
        super().__init__()
        self.back, self.channels, self.cell = back, c.channels, c.patch // 2 ** (len(c.widths) - 1)
        pixels = c.channels * self.cell**2
        coarse = [ResidualBlock(c.dim) for _ in range(c.blocks)]
        if back:
            self.coarse, self.trunk = nn.Sequential(*coarse), Upsampler(c.widths, c.blocks)
            self.linear = nn.Linear(self.trunk.width, pixels)
        else:
            self.linear, self.trunk = nn.Linear(pixels, c.widths[0]), Downsampler(c.widths, c.blocks)
            self.coarse = nn.Sequential(*coarse)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, d, h', w'), or back."""
        if self.back:
            x = self.linear(self.trunk(channels_last(self.coarse(x))))
            return rearrange(x, "n h w (c p q) -> n c (h p) (w q)", p=self.cell, q=self.cell)
        x = rearrange(x, "n c (h p) (w q) -> n h w (c p q)", p=self.cell, q=self.cell)
        return self.coarse(channels_first(self.trunk(self.linear(x))))


def _trunk(c: FrameVQVAEConfig) -> tuple[nn.Module, nn.Module]:
    return _Trunk(c, back=False), _Trunk(c, back=True)
