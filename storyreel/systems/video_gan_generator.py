"""The generator of a video GAN: content z and motion codes -> frames, each made from its own style.

    z --mapping--> w, with the motion code of each frame --fuse--> style (n, w) --synthesis--> frames (n, c, h, w)

`stylegan3` (Karras et al. 2021, Appendix C) has no aliasing: learned Fourier features, then convolutions whose
non-linearities are applied on a finer grid (`nn.alias_free`). `stylegan2` (Karras et al. 2020) begins with a learned
constant, and pixels are doubled between plain convolutions. `dcgan` and `r3` have no mapping network: the style is z,
text and motion side by side, once at the bottom (`video_gan_plain`). Axes: b clip, f frame, n = b f frames, m motion.

StyleSV's three ways of motion into a frame: added to the Fourier features, fused with w, and in low-rank weights.
Where training begins with images, the weights that read motion begin at zero: a generator of images makes clips whose
frames are equal, and learns to move them.

Differs from StyleSV: its learned mask before the motion code, zero at first, is left out, since random directions of
motion behind it help nobody, and it hardly opened; no scaling of layers' inputs by a running mean; canvases have a
margin of `margin` pixels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.alias_free import (
    Band,
    FourierFeatures,
    LowRank,
    Modulated,
    Resampling,
    filtered_leaky_relu,
    in_float32,
)
from storyreel.nn.discriminator import Linear, bent
from storyreel.systems.video_gan_config import VideoGanConfig
from storyreel.systems.video_gan_motion import MotionCodes, Noise
from storyreel.systems.video_gan_plain import R3, Dcgan
from storyreel.systems.video_gan_recurrent import FrameNoise, GruCodes, between

MAPPING_RATE = 0.01  # of the learning rate, in the mapping network


def bands(size: int, layers: int, critical: int, margin: int) -> list[Band]:
    """The grid that each of `layers` layers writes, and that of the picture after them (StyleGAN3, Appendix C.1).

    Cut-offs grow geometrically from 2 cycles to size / 2, which the last `critical` have; a rate is the next power of
    two over twice the frequency at which a band has faded out.
    """
    first, last, fade_first, fade_last = 2.0, size / 2, 2**2.1, size / 2 * 2**0.3
    made = []
    for i in range(layers + 1):
        share = min(i / (layers - critical), 1.0)
        cutoff, fade = first * (last / first) ** share, fade_first * (fade_last / fade_first) ** share
        rate = 2 ** math.ceil(math.log2(min(2 * fade, size)))
        side = rate + 2 * margin if i < layers - 1 else size
        made.append(Band(side, rate, cutoff, max(fade, rate / 2) - cutoff))
    return made


class VideoGenerator(nn.Module):
    """Content and motion to frames. text: width of the text code that is joined to z; 0: none."""

    def __init__(self, c: VideoGanConfig, text: int = 0):
        super().__init__()
        self.width = c.z_dim + text if c.plain else c.w_dim
        self.mapping = nn.ModuleList()
        if not c.plain:
            self.mapping.append(Linear(c.z_dim + text, c.w_dim, True, rate=MAPPING_RATE))
            self.mapping.append(Linear(c.w_dim, c.w_dim, True, rate=MAPPING_RATE))
        self.motion = _motion(c)
        self.motion_dim = c.motion_dim
        self.fuse = nn.Identity() if c.plain else nn.Linear(c.w_dim + c.motion_dim, c.w_dim)
        if isinstance(self.fuse, nn.Linear):
            with torch.no_grad():
                self.fuse.weight[:, : c.w_dim].copy_(torch.eye(c.w_dim))
        self.synthesis = _synthesis(c, self.width + c.motion_dim)
        if c.image_pretraining:
            self._begin_still()
        self.register_buffer("w_mean", torch.zeros(self.width))
        self.w_mean: Tensor

    def styles(self, z: Tensor, text: Tensor | None = None) -> Tensor:
        """z (b, z), normal -> w (b, w)."""
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        x = x if text is None else torch.cat([x, text], 1)
        for layer in self.mapping:
            x = bent(layer(x))
        return x

    def forward(self, w: Tensor, noise: Noise | None = None, times: Tensor | None = None) -> Tensor:
        """w (b, w) and, for videos, times (b, f) with their noise -> (b, c, f, h, w) in about [-1, 1]; one frame each
        without them."""
        if times is None or noise is None:
            style = self.fuse(torch.cat([w, w.new_zeros(len(w), self.motion_dim)], 1))
            return self.synthesis(style, None).float()[:, :, None]
        b, f = times.shape
        if isinstance(self.synthesis, Dcgan) and self.synthesis.memories:
            return self._remembered(self.synthesis, w, noise, times)
        m = self.motion(noise, times).flatten(0, 1)  # (n, m)
        style = self.fuse(torch.cat([w.repeat_interleave(f, 0), m], 1))
        return self.synthesis(style, m).float().unflatten(0, (b, f)).transpose(1, 2)

    def _remembered(self, network: Dcgan, w: Tensor, noise: Noise, times: Tensor) -> Tensor:
        """`lstm_maps`: coarse maps of all frames in a row; what lies at `times` between them is made finer."""
        rows = noise.rows
        style = torch.cat([w[:, None].expand(-1, rows.shape[1], -1), rows], 2)
        x = between(network.remembering(style, noise.memory, times), noise, times)
        made = network.finer(x.flatten(0, 1), len(network.memories) - 1)
        return made.float().unflatten(0, times.shape).transpose(1, 2)

    def motion_parts(self) -> list[nn.Parameter]:
        """What only videos need; a generator of images does without."""
        parts = [self.motion, *self.synthesis.motion_parts()]
        return [p for part in parts for p in part.parameters()]

    def motion_weights(self) -> list[Tensor]:
        """The weights that read motion codes, of which those of the low-rank parts begin at zero in any case."""
        if isinstance(self.fuse, nn.Linear):
            assert isinstance(self.synthesis, AliasFree | Aliased)
            return [self.fuse.weight[:, -self.motion_dim :], self.synthesis.add.weight]
        assert isinstance(self.synthesis, Dcgan | R3)
        return [self.synthesis.reader.weight[:, -self.motion_dim :]]

    @torch.no_grad()
    def _begin_still(self) -> None:
        for weight in self.motion_weights():
            weight.zero_()

    @property
    def moves(self) -> bool:
        """Whether it has learnt to move anything."""
        return any(bool(weight.any()) for weight in self.motion_weights())

    def truncated(self, w: Tensor, share: float) -> Tensor:
        """w nearer to the mean of all: `share` of the way is left."""
        return torch.lerp(self.w_mean, w.float(), share)

    @torch.no_grad()
    def note_mean(self, w: Tensor) -> None:
        """Take these w into the running mean."""
        self.w_mean.lerp_(w.detach().float().mean(0), 0.002)


def _motion(c: VideoGanConfig) -> MotionCodes | FrameNoise:
    if c.motion == "gru":
        return GruCodes(c.motion_dim)
    if c.motion == "lstm_maps":
        return FrameNoise(c.motion_dim)
    return MotionCodes(c.motion, c.motion_dim, distance=c.anchor_distance, kernel=c.anchor_kernel, periods=c.periods)


def _synthesis(c: VideoGanConfig, width: int) -> AliasFree | Aliased | Dcgan | R3:
    """width: of the style, where z, text and motion lie side by side in it."""
    if c.plain:
        return Dcgan(c, width) if c.frames == "dcgan" else R3(c, width)
    return AliasFree(c) if c.frames == "stylegan3" else Aliased(c)


class AliasFree(nn.Module):
    """StyleGAN3's synthesis: style (n, w), motion (n, m) or None -> frames (n, c, size, size)."""

    def __init__(self, c: VideoGanConfig):
        super().__init__()
        grids = bands(c.size, c.layers, c.critical, c.margin)
        widths = [max(1, round(min(c.channel_base / (2 * grid.cutoff), c.channel_max))) for grid in grids]
        self.input = FourierFeatures(grids[0], widths[0], c.w_dim)
        self.add = nn.Linear(c.motion_dim, widths[0], bias=False)
        before = [0, *range(c.layers)]
        self.resampling = [Resampling(grids[before[i]], grids[i]) for i in range(c.layers)]
        pairs = [(widths[before[i]], widths[i]) for i in range(c.layers)]
        self.convs = nn.ModuleList([Modulated(a, b, 3, c.w_dim) for a, b in pairs])
        low = c.low_rank and nn.ModuleList([LowRank(a, b, 3, c.motion_dim, c.low_rank) for a, b in pairs])
        self.low_rank: nn.ModuleList | None = low or None
        self.to_pixels = Modulated(widths[c.layers - 1], c.channels, 1, c.w_dim, demodulate=False)

    def motion_parts(self) -> list[nn.Module]:
        return [self.add] if self.low_rank is None else [self.add, self.low_rank]

    def forward(self, style: Tensor, motion: Tensor | None) -> Tensor:
        x = self.input(style)
        if motion is not None:
            x = x + self.add(motion)[..., None, None].to(x.dtype)
        for i, (conv, spec) in enumerate(zip(self.convs, self.resampling, strict=True)):
            y = conv(x, style)
            if self.low_rank is not None and motion is not None:
                y = y + self.low_rank[i](x, motion)
            x = filtered_leaky_relu(y, spec)
        return _pixels(self.to_pixels, x, style)


class Aliased(nn.Module):
    """StyleGAN2's synthesis, without noise inputs: a learned constant of 4x4 and two layers at each size."""

    def __init__(self, c: VideoGanConfig):
        super().__init__()
        sizes = [4 * 2**i for i in range(int(math.log2(c.size // 4)) + 1)]
        widths = [max(1, min(c.channel_max, c.channel_base // size)) for size in sizes]
        self.constant = nn.Parameter(torch.randn(widths[0], 4, 4))
        self.add = nn.Linear(c.motion_dim, widths[0], bias=False)
        pairs = [(a, b) for i, b in enumerate(widths) for a in (widths[max(i - 1, 0)], b)]
        self.convs = nn.ModuleList([Modulated(a, b, 3, c.w_dim) for a, b in pairs])
        low = c.low_rank and nn.ModuleList([LowRank(a, b, 3, c.motion_dim, c.low_rank) for a, b in pairs])
        self.low_rank: nn.ModuleList | None = low or None
        self.to_pixels = nn.ModuleList([Modulated(b, c.channels, 1, c.w_dim, demodulate=False) for b in widths])

    def motion_parts(self) -> list[nn.Module]:
        return [self.add] if self.low_rank is None else [self.add, self.low_rank]

    def forward(self, style: Tensor, motion: Tensor | None) -> Tensor:
        x = self.constant.expand(len(style), -1, -1, -1)
        if motion is not None:
            x = x + self.add(motion)[..., None, None].to(x.dtype)
        picture: Tensor | None = None
        for i, conv in enumerate(self.convs):
            if i % 2 == 0 and i > 0:
                x = F.interpolate(x, scale_factor=2, mode="bilinear")
            y = conv(x, style)
            if self.low_rank is not None and motion is not None:
                y = y + self.low_rank[i](x, motion)
            x = bent(y)
            if i % 2:
                new = _pixels(self.to_pixels[i // 2], x, style)
                picture = new if picture is None else new + F.interpolate(picture, scale_factor=2, mode="bilinear")
        assert picture is not None
        return picture


def _pixels(layer: nn.Module, x: Tensor, style: Tensor) -> Tensor:
    """Colours in float32: bfloat16 has too few steps for them."""
    with in_float32(x):
        return 0.25 * layer(x.float(), style.float())
