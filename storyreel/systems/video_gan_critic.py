"""The critic of a video GAN: a few frames of a clip and their times -> one score, high for real clips.

    frames --residual blocks, each half as fine--> at 16 pixels joined over frames --blocks--> score + what times say

`tsm_mean` (StyleSV, Section 3.3): features are averaged over the frames, so that the critic of images has the weights
of the critic of videos; in every block before, an eighth of the channels comes from the next frame and an eighth from
the one before (temporal shift module, Lin et al. 2019, https://arxiv.org/abs/1811.08383), which costs
nothing. `mean` is without the shift.
`concat` (StyleGAN-V, Section 3.2): features of all frames lie side by side.
`image+3d` (MoCoGAN): `video_gan_critic3d`. By the text: `video_gan_text`. Axes: b clip, f frame, n = b f frames.

After all blocks a channel says how much the clips of a group differ (minibatch deviation, Karras et al. 2018, Section
3), or a generator whose videos are all alike would please it.

Differs from the papers: pictures are halved by the mean of four pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.discriminator import Conv, Linear, bent
from storyreel.systems.video_gan_config import VideoGanConfig
from storyreel.systems.video_gan_critic3d import ImageAndVideoCritic
from storyreel.systems.video_gan_text import TextFilters, projection

JOINED = 16  # pixels a side where the features of frames are joined
WAVES = 16  # of the embedding of time differences
GROUP = 4  # clips whose deviation is one number


def critic_of(c: VideoGanConfig, frames: int, text: int = 0) -> Critic | ImageAndVideoCritic:
    """The critic that a model names, of `frames` of a clip."""
    return ImageAndVideoCritic(c, frames, text) if c.critic == "image+3d" else Critic(c, frames, text)


class Critic(nn.Module):
    """(b, c, f, h, w) in [-1, 1] with times (b, f), in frames -> scores (b,). One frame, without times: an image.

    frames: how many it sees of a clip (`concat`); text: width of the text code that it judges by, 0 for none.
    """

    def __init__(self, c: VideoGanConfig, frames: int, text: int = 0):
        super().__init__()
        self.kind, self.frames = c.critic, frames
        size, wide = c.size, _width(c, c.size)
        self.joined = min(JOINED, size // 2)
        self.from_pixels = Conv(c.channels, wide, 1, equalized=True)
        before, after = nn.ModuleList(), nn.ModuleList()
        self.halved: Conv | None = None
        maps: list[int] = []  # channels where frames are joined, and after all blocks
        while size >= 8:
            if size == self.joined and self.kind == "concat":
                self.halved = Conv(wide, max(1, wide // 2), 1, equalized=True)
                wide_in = max(1, wide // 2) * frames
            else:
                wide_in = wide
            maps += [wide_in] if size == self.joined else []
            wide = _width(c, size // 2)
            (before if size > self.joined else after).append(CriticBlock(wide_in, wide))
            size //= 2
        self.before, self.after = before, after
        self.mix = Conv(wide + 1, wide, 3, equalized=True)
        self.hidden = Linear(wide * size**2, wide, True)
        self.score = Linear(wide, 1, True)
        self.by_time = TimeDifferences(frames, wide, c.max_distance) if frames > 1 else None
        self.by_text = Linear(text, wide, True) if text else None
        self.filters = TextFilters([*maps, wide], text, 2) if c.text == "filter" else None
        self.info = Linear(wide, c.text_dim, True) if c.text == "info" else None

    def forward(self, video: Tensor, times: Tensor | None = None, text: Tensor | None = None) -> Tensor:
        return self.judged(video, times, text)[0]

    def judged(self, video: Tensor, times: Tensor | None, text: Tensor | None) -> tuple[Tensor, Tensor]:
        """The scores (b,), and the features (b, width) that they come of."""
        feature, maps = self.features(video)
        score = self.score(feature)[:, 0]
        if self.by_time is not None and times is not None:
            score = score + (self.by_time(times) * feature).mean(1)
        if self.by_text is not None and text is not None:
            score = score + projection(feature, self.by_text(text))
            if self.filters is not None:
                score = score + self.filters(maps, text)
        return score, feature

    def features(self, video: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(b, c, f, h, w) -> (b, width), and the maps where frames are joined and after all blocks."""
        b, f = len(video), video.shape[2]
        x = bent(self.from_pixels(video.transpose(1, 2).flatten(0, 1)))
        for block in self.before:
            x = block(x, f if self.kind == "tsm_mean" else 1)
        if self.halved is not None:
            x = bent(self.halved(x)).unflatten(0, (b, f)).flatten(1, 2)
        else:
            x = x.unflatten(0, (b, f)).mean(1)
        maps = [x]
        for block in self.after:
            x = block(x, 1)
        maps.append(x)
        x = bent(self.mix(with_deviation(x)))
        return bent(self.hidden(x.flatten(1))), maps


class CriticBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1, and half the size (n, c, h, w) -> (n, d, h / 2, w / 2). frames > 1: before the
    first convolution channels are shifted between frames."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.conv1 = Conv(channels, channels, 3, equalized=True)
        self.conv2 = Conv(channels, width, 3, equalized=True)
        self.skip = Conv(channels, width, 1, bias=False, equalized=True)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        y = bent(self.conv1(shifted(x, frames)))
        y = bent(self.conv2(halved(y)))
        return (y + self.skip(halved(x))) / math.sqrt(2)


def with_deviation(x: Tensor) -> Tensor:
    """(b, c, h, w) and a channel more: the standard deviation over `GROUP` clips, or as many as divide b, averaged."""
    group = math.gcd(len(x), GROUP)
    clips = x.float().unflatten(0, (group, -1))  # clip i is in group i % (b / group)
    spread = (clips.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    channel = spread.repeat(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
    return torch.cat([x, channel.to(x.dtype)], 1)


def halved(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, c, h / 2, w / 2): the mean of each four pixels."""
    return F.interpolate(x, scale_factor=0.5, mode="bilinear")


def shifted(x: Tensor, frames: int) -> Tensor:
    """(b f, c, h, w): an eighth of the channels from the next frame, an eighth from the one before; zeros at the ends.

    One frame alone stays as it is.
    """
    if frames == 1:
        return x
    part = max(1, x.shape[1] // 8)
    x = x.unflatten(0, (-1, frames))
    after, before, rest = x[:, :, :part], x[:, :, part : 2 * part], x[:, :, 2 * part :]
    none = torch.zeros_like(after[:, :1])
    moved = [torch.cat([after[:, 1:], none], 1), torch.cat([none, before[:, :-1]], 1), rest]
    return torch.cat(moved, 2).flatten(0, 1)


class TimeDifferences(nn.Module):
    """How far apart the frames of a clip are: times (b, f) -> (b, width), zero at first (StyleGAN-V, Section 3.2)."""

    def __init__(self, frames: int, width: int, longest: int):
        super().__init__()
        self.longest = longest
        self.hidden = nn.Linear((frames - 1) * 2 * WAVES, width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, times: Tensor) -> Tensor:
        gaps = (times[:, 1:] - times[:, :-1]).float()
        step = torch.arange(WAVES, device=times.device) / (WAVES - 1)
        angle = math.pi * gaps[..., None] * self.longest**-step  # periods from 2 frames to twice the longest gap
        return self.out(bent(self.hidden(torch.cat([angle.sin(), angle.cos()], -1).flatten(1))))


def _width(c: VideoGanConfig, size: int) -> int:
    return max(1, min(c.critic_max, c.critic_base // size))
