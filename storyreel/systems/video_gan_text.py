"""How a critic of a video GAN judges by the text: three ways, and what each adds to a score.

`projection` (Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637): the features of a clip times those of its text.
`filter` (TFGAN, Balaji et al., IJCAI 2019): the text makes convolution kernels that its clip's features go
through at two sizes; with `projection` for the last, flat features.
`info` (IRC-GAN, Deng et al., IJCAI 2019): with `projection`, the text is read back from the features: a
bound of the mutual information, which the critic learns on real clips and the generator must make easy.

Differs from the papers: the text is the mean of an encoder's token states, read by one layer that learns with the
critic (TFGAN: convolutions over words; IRC-GAN: an LSTM). TFGAN's filters are 5x5 of 32 channels; here 3x3 of 8. What
`info` reads back are the token states' means, not learned codes, which could all become one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.discriminator import Linear, bent

FILTERED = 8  # channels that a text's kernels read and write
KERNEL = 3  # along every axis


class TextFilter(nn.Module):
    """Maps (b, c, ..., h, w) and text codes (b, d) -> scores (b,). axes: 2 of pictures, 3 of videos."""

    def __init__(self, channels: int, text: int, axes: int):
        super().__init__()
        self.axes = axes
        self.narrow = Linear(channels, FILTERED, True)
        self.kernels = Linear(text, FILTERED**2 * KERNEL**axes, True)
        self.score = Linear(FILTERED, 1, True)

    def forward(self, x: Tensor, text: Tensor) -> Tensor:
        b = len(x)
        x = bent(self.narrow(x.movedim(1, -1)).movedim(-1, 1))
        kernels = self.kernels(text).view(b * FILTERED, FILTERED, *[KERNEL] * self.axes)
        kernels = kernels / math.sqrt(FILTERED * KERNEL**self.axes)
        conv = F.conv2d if self.axes == 2 else F.conv3d
        y = conv(x.flatten(0, 1)[None], kernels.to(x.dtype), padding=KERNEL // 2, groups=b)[0]
        return self.score(bent(y).unflatten(0, (b, FILTERED)).flatten(2).mean(2))[:, 0]


class TextFilters(nn.Module):
    """A filter for each of some maps; their scores are added up. widths: channels of the maps."""

    def __init__(self, widths: Sequence[int], text: int, axes: int):
        super().__init__()
        self.each = nn.ModuleList([TextFilter(width, text, axes) for width in widths])

    def forward(self, maps: Sequence[Tensor], text: Tensor) -> Tensor:
        parts = [one(x, text) for one, x in zip(self.each, maps, strict=True)]
        return torch.stack(parts).sum(0) / math.sqrt(len(parts))


def projection(features: Tensor, direction: Tensor) -> Tensor:
    """(b, width) twice -> (b,)."""
    return (direction * features).sum(1) / math.sqrt(features.shape[1])
