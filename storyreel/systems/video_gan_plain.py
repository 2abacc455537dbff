"""Networks of frames that a video GAN may have instead of StyleGAN's: the style goes in at the bottom, once.

    style (n, w) --> 4x4 --layers, each twice as fine--> frames (n, c, size, size)

`dcgan` (Radford et al. 2016, https://arxiv.org/abs/1511.06434): transposed convolutions, batch normalisation, ReLU,
tanh; MoCoGAN's and, with maps that remember (`motion = lstm_maps`), IRC-GAN's.
`r3` (R3GAN, Huang et al. 2024, Section 3, https://arxiv.org/abs/2501.05441): a learned basis of 4x4 that the style
scales, residual blocks 1x1 - grouped 3x3 - 1x1 of twice the width inside, no normalisation, each beginning as nothing.

Weights are equalised (drawn at size 1 and scaled where they are used) as those of the other networks, so that any
switches train at one rate. R3GAN has them plain. IRC-GAN's maps remember at 2 to 32 pixels; here at 4 to 16.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.alias_free import in_float32
from storyreel.nn.discriminator import Conv, Linear, bent
from storyreel.systems.video_gan_motion import Memory
from storyreel.systems.video_gan_recurrent import MapMemory

if TYPE_CHECKING:
    from storyreel.systems.video_gan_config import VideoGanConfig

REMEMBERED = 16  # pixels a side: the finest maps that remember
INNER = 2  # times the width of a residual block, inside it
GROUP = 16  # channels of a group of its 3x3 convolution


def _sizes(c: VideoGanConfig) -> list[tuple[int, int]]:
    """(pixels a side, channels) from 4 pixels to those of the picture."""
    sides = [4 * 2**i for i in range(int(math.log2(c.size // 4)) + 1)]
    return [(side, max(1, min(c.channel_max, c.channel_base // side))) for side in sides]


class Dcgan(nn.Module):
    """(n, w) -> (n, c, size, size) in [-1, 1]. With memories: `remembering`."""

    def __init__(self, c: VideoGanConfig, width: int):
        super().__init__()
        *sizes, _ = _sizes(c)
        self.reader = Linear(width, sizes[0][1] * 16, True)
        self.norms = nn.ModuleList([nn.BatchNorm2d(channels) for _, channels in sizes])
        sides = [side for side, _ in sizes if side <= REMEMBERED] if c.motion == "lstm_maps" else []
        self.memories = nn.ModuleList([MapMemory(side, level) for level, side in enumerate(sides)])
        widths = [channels for _, channels in sizes] + [c.channels]
        joined = [1 + (i < len(sides)) for i in range(len(sizes))]
        self.doublings = nn.ModuleList(
            [Doubling(n * a, b) for n, a, b in zip(joined, widths, widths[1:], strict=False)]
        )

    def motion_parts(self) -> list[nn.Module]:
        return []

    def forward(self, style: Tensor, motion: Tensor | None = None) -> Tensor:
        return self.finer(self.coarsest(style), 0)

    def remembering(self, style: Tensor, memory: Memory | None, times: Tensor) -> Tensor:
        """Styles of frames in a row (b, f, w) -> maps (b, f, d, s, s), those of the finest memory."""
        b = len(style)
        x = self.coarsest(style.flatten(0, 1))
        for level, remember in enumerate(self.memories):
            x = x if level == 0 else self.layer(x, level - 1)
            x = remember(x.unflatten(0, (b, -1)), memory, times).flatten(0, 1)
        return x.unflatten(0, (b, -1))

    def coarsest(self, style: Tensor) -> Tensor:
        return F.relu(self.norms[0](self.reader(style).unflatten(1, (-1, 4, 4))))

    def layer(self, x: Tensor, i: int) -> Tensor:
        return F.relu(self.norms[i + 1](self.doublings[i](x)))

    def finer(self, x: Tensor, start: int) -> Tensor:
        """Maps that go into layer `start` -> frames."""
        for i in range(start, len(self.doublings) - 1):
            x = self.layer(x, i)
        return torch.tanh(self.doublings[-1](x).float())


class Doubling(nn.Module):
    """A transposed convolution of 4x4 that doubles the size."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(channels, width, 4, 4)), nn.Parameter(torch.zeros(width))
        self.scale = 1 / math.sqrt(4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, self.weight * self.scale, self.bias, stride=2, padding=1)


class R3(nn.Module):
    """(n, w) -> (n, c, size, size) in about [-1, 1]."""

    def __init__(self, c: VideoGanConfig, width: int, blocks: int = 2):
        super().__init__()
        sizes = _sizes(c)
        wide = sizes[0][1]
        self.basis, self.reader = nn.Parameter(torch.randn(wide, 4, 4)), Linear(width, wide, True)
        layers: list[nn.Module] = []
        for i, (_, channels) in enumerate(sizes):
            if i:
                layers.append(Finer(wide, channels))
            layers += [InvertedBottleneck(channels, blocks * len(sizes)) for _ in range(blocks)]
            wide = channels
        self.layers = nn.Sequential(*layers)
        self.to_pixels = Conv(wide, c.channels, 1, equalized=True)

    def motion_parts(self) -> list[nn.Module]:
        return []

    def forward(self, style: Tensor, motion: Tensor | None = None) -> Tensor:
        x = self.layers(self.basis * self.reader(style)[..., None, None])
        with in_float32(x):
            return self.to_pixels(x.float())


class Finer(nn.Module):
    """Twice the size, bilinearly, and another width where it changes."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.conv = Conv(channels, width, 1, bias=False, equalized=True) if channels != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.conv(x), scale_factor=2, mode="bilinear")


class InvertedBottleneck(nn.Module):
    """x + 1x1(grouped 3x3(1x1(x))), the last of them zero at first; the others shrink with the number of blocks."""

    def __init__(self, channels: int, depth: int):
        super().__init__()
        inner = INNER * channels
        groups = max(1, inner // GROUP) if inner % GROUP == 0 else 1
        self.widen, self.groups = Conv(channels, inner, 1, equalized=True), groups
        self.weight = nn.Parameter(torch.randn(inner, inner // groups, 3, 3))
        self.bias = nn.Parameter(torch.zeros(inner))
        self.narrow = Conv(inner, channels, 1, bias=False, equalized=True)
        with torch.no_grad():
            self.narrow.weight.zero_()
            self.widen.weight.mul_(depth**-0.25)
            self.weight.mul_(depth**-0.25)
        self.scale = 1 / math.sqrt(9 * inner / groups)

    def forward(self, x: Tensor) -> Tensor:
        y = bent(self.widen(x))
        y = bent(F.conv2d(y, self.weight * self.scale, self.bias, padding=1, groups=self.groups))
        return x + self.narrow(y)
