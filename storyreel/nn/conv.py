"""Small convolutional blocks. Channels lie last in memory, where a CPU and a GPU are twice as fast."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """RMS norm over the channels of every pixel: no statistic crosses a pixel, a frame or a clip."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, h, w) -> the same."""
        x = channels_last(x)
        return channels_first(F.rms_norm(x, x.shape[-1:], self.weight.to(x.dtype)))


class ResidualBlock(nn.Module):
    """SiLU, 3x3 convolution, twice; the second begins at zero, which is what keeps it tame.

    Without a norm: in networks as shallow as these it took half of the time on a CPU and gave nothing back.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.silu(self.conv1(F.silu(x))))


class Downsampler(nn.Module):
    """Residual blocks and halvings: a grid of widths[0] channels to one of widths[-1], half as fine a step."""

    def __init__(self, widths: tuple[int, ...], blocks: int):
        super().__init__()
        layers: list[nn.Module] = []
        for width, wider in pairwise(widths):
            layers += [ResidualBlock(width) for _ in range(blocks)]
            layers.append(nn.Conv2d(width, wider, 2, stride=2))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(b, h, w, widths[0]) -> (b, h', w', widths[-1])."""
        return channels_last(self.layers(channels_first(x)))


class Upsampler(nn.Module):
    """The way back: blocks at each width, doublings between; one more block and a wider layer at the finest scale."""

    def __init__(self, widths: tuple[int, ...], blocks: int):
        super().__init__()
        steps = list(pairwise(reversed(widths)))
        layers: list[nn.Module] = [ResidualBlock(widths[-1]) for _ in range(blocks)] if steps else []
        for wider, width in steps:
            layers += [nn.Conv2d(wider, 4 * width, 1), nn.PixelShuffle(2)]
            layers += [ResidualBlock(width) for _ in range(blocks + (width == widths[0]))]
        if layers:
            layers += [nn.SiLU(), nn.Conv2d(widths[0], 2 * widths[0], 3, padding=1), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.width = 2 * widths[0] if layers else widths[0]

    def forward(self, x: Tensor) -> Tensor:
        """(b, h', w', widths[-1]) -> (b, h, w, `width`)."""
        return channels_last(self.layers(channels_first(x)))


def channels_first(x: Tensor) -> Tensor:
    """(b, h, w, c) -> (b, c, h, w), without moving memory."""
    return x.permute(0, 3, 1, 2)


def channels_last(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, h, w, c)."""
    return x.permute(0, 2, 3, 1)
