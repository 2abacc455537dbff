"""The residual discriminator of StyleGAN2 (Karras et al. 2020, Section 4), https://arxiv.org/abs/1912.04958.

picture -> 1x1 -> residual blocks, each half as fine -> spread over the batch -> 3x3 -> linear -> linear -> score
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Discriminator(nn.Module):
    """Pictures (n, c, s, s) in [-1, 1] -> scores (n,), high for real ones.

    width: channels of the coarse layers; those at s pixels have 32 * width * multiplier / s, at most width. The paper
    has 512 and multiplier 1 (its 'small' networks) or 2.
    equalized: weights are drawn at size 1 and scaled where they are used. It goes with learning rates near 2e-3; at the
    1e-4 of a transformer it learns a hundred times too slowly, so that it is off unless asked for.
    """

    def __init__(
        self,
        size: int,
        channels: int = 3,
        width: int = 512,
        multiplier: int = 1,
        equalized: bool = False,
        group: int = 4,
    ):
        super().__init__()
        self.group = group
        wide = _width(size, width, multiplier)
        self.from_pixels = Conv(channels, wide, 1, equalized=equalized)
        blocks: list[nn.Module] = []
        while size >= 8:
            size //= 2
            wider = _width(size, width, multiplier)
            blocks.append(DownBlock(wide, wider, equalized))
            wide = wider
        self.blocks = nn.Sequential(*blocks)
        self.mix = Conv(wide + 1, wide, 3, equalized=equalized)
        self.hidden = Linear(wide * size**2, wide, equalized)
        self.score = Linear(wide, 1, equalized)

    def forward(self, picture: Tensor) -> Tensor:
        x = self.blocks(bent(self.from_pixels(picture)))
        x = bent(self.mix(with_spread(x, self.group)))
        return self.score(bent(self.hidden(x.flatten(1))))[:, 0]


class DownBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1; both ways halve the picture, blurred first."""

    def __init__(self, channels: int, width: int, equalized: bool):
        super().__init__()
        self.conv1 = Conv(channels, channels, 3, equalized=equalized)
        self.conv2 = Conv(channels, width, 3, stride=2, equalized=equalized)
        self.skip = Conv(channels, width, 1, stride=2, bias=False, equalized=equalized)

    def forward(self, x: Tensor) -> Tensor:
        straight = bent(self.conv2(bent(self.conv1(x))))
        return (straight + self.skip(x)) / math.sqrt(2)


class Conv(nn.Module):
    """Convolution that keeps the size, or halves it (rounding down) after a blur with [1, 3, 3, 1]."""

    def __init__(
        self, channels: int, width: int, kernel: int, *, stride: int = 1, bias: bool = True, equalized: bool = False
    ):
        super().__init__()
        self.stride, self.pad = stride, kernel // 2
        self.weight = nn.Parameter(torch.randn(width, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None
        self.scale = _equalize(self.weight, channels * kernel**2, equalized)

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.pad)
        return F.conv2d(blur(x, self.pad + 1), self.weight * self.scale, self.bias, stride=self.stride)


class Linear(nn.Module):
    """A linear layer. rate: the share of the learning rate that one with equalised weights learns at."""

    def __init__(self, channels: int, width: int, equalized: bool, rate: float = 1.0):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(width, channels) / rate), nn.Parameter(torch.zeros(width))
        self.scale = _equalize(self.weight, channels, equalized) * rate
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        bias = self.bias if self.rate == 1 else self.bias * self.rate
        return F.linear(x, self.weight * self.scale, bias)


def bent(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def blur(x: Tensor, pad: int) -> Tensor:
    """(n, c, h, w) with [1, 3, 3, 1] / 8 along both axes, after `pad` zeros on every side: h + 2 pad - 3 rows."""
    line = x.new_full((4,), 3 / 8)
    line[::3] = 1 / 8
    channels = x.shape[1]
    x = F.conv2d(x, line.view(1, 1, 4, 1).expand(channels, 1, 4, 1), padding=(pad, 0), groups=channels)
    return F.conv2d(x, line.view(1, 1, 1, 4).expand(channels, 1, 1, 4), padding=(0, pad), groups=channels)


def with_spread(x: Tensor, group: int) -> Tensor:
    """One channel more: how much the items of a group differ, which shows a generator that makes but one thing.

    Groups are the largest of at most `group` items that divide the batch. A batch of one has no spread.
    """
    n, c, h, w = x.shape
    size = next(g for g in range(min(group, n), 0, -1) if n % g == 0)
    parts = x.float().view(size, n // size, c, h, w)
    spread = (parts.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # (n / size,)
    return torch.cat([x, spread.to(x.dtype).repeat(size).view(n, 1, 1, 1).expand(n, 1, h, w)], 1)


def _width(size: int, width: int, multiplier: int) -> int:
    return max(1, min(width, 32 * width * multiplier // size))


def _equalize(weight: nn.Parameter, fan_in: int, equalized: bool) -> float:
    """The scale to use a weight with; a weight that is not equalised carries it itself."""
    scale = 1 / math.sqrt(fan_in)
    if equalized:
        return scale
    with torch.no_grad():
        weight.mul_(scale)
    return 1.0
