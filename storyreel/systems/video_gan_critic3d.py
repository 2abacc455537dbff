"""The pair of critics that MoCoGAN has: one of images, one of videos, each with a score of its own.

    each frame --4x4 convolutions, each half as fine--> score, meaned over frames
    all frames in a row --4x4x4 convolutions--> score

MoCoGAN (Tulyakov et al. 2018, https://arxiv.org/abs/1707.04993); TFGAN and IRC-GAN judge with such pairs,
too. Axes: b clip, f frame.

Differs from the paper: no batch normalisation, so that a score depends on its clip alone and its gradient can be
penalised; the critic of images sees every frame, not one at random; kernels are as deep in time as leaves one frame.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.discriminator import Linear, bent
from storyreel.systems.video_gan_text import TextFilters, projection

if TYPE_CHECKING:
    from storyreel.systems.video_gan_config import VideoGanConfig


class ImageAndVideoCritic(nn.Module):
    """(b, c, f, h, w) in [-1, 1] -> scores (b, 2): of the frames, of the video; (b, 1) where it sees single frames."""

    def __init__(self, c: VideoGanConfig, frames: int, text: int = 0):
        super().__init__()
        self.image = Tower(c, 1, text)
        self.video = Tower(c, frames, text) if frames > 1 else None
        towers = 1 if self.video is None else 2
        self.info = Linear(towers * self.image.width, c.text_dim, True) if c.text == "info" else None

    def forward(self, video: Tensor, times: Tensor | None = None, text: Tensor | None = None) -> Tensor:
        return self.judged(video, times, text)[0]

    def judged(self, video: Tensor, times: Tensor | None, text: Tensor | None) -> tuple[Tensor, Tensor]:
        """The scores, and the features (b, d) that they come of. Frames follow each other: `times` say nothing more."""
        b, f = len(video), video.shape[2]
        each = None if text is None else text.repeat_interleave(f, 0)
        score, feature = self.image(video.transpose(1, 2).flatten(0, 1)[:, :, None], each)
        scores, features = [score.view(b, f).mean(1)], [feature.view(b, f, -1).mean(1)]
        if self.video is not None:
            score, feature = self.video(video, text)
            scores.append(score)
            features.append(feature)
        return torch.stack(scores, 1), torch.cat(features, 1)


class Tower(nn.Module):
    """(b, c, frames, s, s) -> scores (b,), features (b, width): half the size at each layer, down to 4 pixels."""

    def __init__(self, c: VideoGanConfig, frames: int, text: int):
        super().__init__()
        sides = [c.size // 2**i for i in range(int(math.log2(c.size // 4)) + 1)]
        widths = [c.channels, *(max(1, min(c.critic_max, c.critic_base // side)) for side in sides[1:])]
        deep = min(4, 1 + (frames - 1) // (len(sides) - 1))
        self.layers = nn.ModuleList([Halving(a, b, deep) for a, b in pairwise(widths)])
        self.width = widths[-1]
        self.score = Linear(self.width, 1, True)
        self.by_text = Linear(text, self.width, True) if text else None
        self.filters = TextFilters(widths[-2:], text, 3 if frames > 1 else 2) if c.text == "filter" else None

    def forward(self, x: Tensor, text: Tensor | None) -> tuple[Tensor, Tensor]:
        maps = []
        for layer in self.layers:
            x = bent(layer(x))
            maps.append(x)
        feature = x.flatten(2).mean(2)
        score = self.score(feature)[:, 0]
        if self.by_text is not None and text is not None:
            score = score + projection(feature, self.by_text(text))
            if self.filters is not None:
                flat = self.filters.each[0].axes == 2  # pyright: ignore[reportAttributeAccessIssue]
                score = score + self.filters([m[:, :, 0] if flat else m for m in maps[-2:]], text)
        return score, feature


class Halving(nn.Module):
    """A convolution of `deep` x 4 x 4 that halves a picture, and takes `deep` - 1 frames off."""

    def __init__(self, channels: int, width: int, deep: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, channels, deep, 4, 4))
        self.bias = nn.Parameter(torch.zeros(width))
        self.scale = 1 / math.sqrt(channels * deep * 16)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv3d(x, self.weight * self.scale, self.bias, stride=(1, 2, 2), padding=(0, 1, 1))
