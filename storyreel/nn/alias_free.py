"""Layers without aliasing (StyleGAN3, Karras et al. 2021, Section 3 and Appendix C), https://arxiv.org/abs/2106.12423.

A pointwise non-linearity makes frequencies that the grid of pixels cannot hold; what folds back sticks to the pixels
while the picture moves. So it is applied on a finer grid, between two filters:

    x --up-sampled, low-pass--> leaky ReLU --low-pass, down-sampled--> y

Both filters are separable and the same at every phase, so that along one axis each is a banded matrix of a few numbers:
`up_matrix` and `down_matrix`, made once for a size. A picture is then filtered by four matrix products, which run in
bfloat16, are differentiated twice, and make no zero that is multiplied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2)  # which keeps the variance of what goes through it


@dataclass(frozen=True)
class Band:
    """A square grid that a layer writes: `side` pixels, `rate` of them across the picture (the rest is margin), and
    what it may hold: cycles across the picture up to `cutoff`, fading out over twice `half_width` about it."""

    side: int
    rate: int
    cutoff: float
    half_width: float


def in_float32(x: Tensor) -> torch.autocast:
    """A context in which nothing beside `x` is computed in bfloat16. Tensors without contents count as the CPU's."""
    return torch.autocast("cpu" if x.is_meta else x.device.type, enabled=False)


def low_pass(taps: int, cutoff: float, width: float, rate: float) -> np.ndarray:
    """float64 (taps,): a sinc under Kaiser's window, of sum 1; `width` is that of the transition, in units of `rate`.

    The window's shape follows from the attenuation that so many taps reach (Kaiser 1974).
    """
    attenuation = 2.285 * (taps - 1) * math.pi * width / (rate / 2) + 7.95
    beta = 0.0
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    elif attenuation > 21:
        beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)
    at = np.arange(taps) - (taps - 1) / 2
    made = np.sinc(2 * cutoff / rate * at) * np.kaiser(taps, beta)
    return made / made.sum()


@dataclass(frozen=True)
class Resampling:
    """The filters between two grids: taps for each pixel of the coarser one of the two, and the finer grid between."""

    before: Band
    after: Band
    taps: int = 6

    @property
    def rate(self) -> int:
        """Of the grid between, twice the finer of the two."""
        return 2 * max(self.before.rate, self.after.rate)

    @property
    def up(self) -> int:
        return self.rate // self.before.rate

    @property
    def down(self) -> int:
        return self.rate // self.after.rate

    @property
    def side(self) -> int:
        """Of the grid between: all that the last filter looks at."""
        return (self.after.side - 1) * self.down + self.taps * self.down

    def up_filter(self) -> np.ndarray:
        return low_pass(self.taps * self.up, self.before.cutoff, 2 * self.before.half_width, self.rate)

    def down_filter(self) -> np.ndarray:
        return low_pass(self.taps * self.down, self.after.cutoff, 2 * self.after.half_width, self.rate)


def up_matrix(spec: Resampling) -> np.ndarray:
    """float64 (side between, side before): zeros put between the pixels, and filtered. Both grids share their middle;
    beyond the margin there are zeros."""
    return spec.up * _banded(spec.side, spec.before.side, spec.up, spec.up_filter()).T


def down_matrix(spec: Resampling) -> np.ndarray:
    """float64 (side after, side between): filtered, and one value in `down` kept."""
    return _banded(spec.side, spec.after.side, spec.down, spec.down_filter())


def _banded(fine: int, coarse: int, factor: int, taps: np.ndarray) -> np.ndarray:
    """(coarse, fine): the filter, centred at each pixel of the coarse grid."""
    at = np.arange(fine) + 0.5 - fine / 2
    centres = (np.arange(coarse) + 0.5 - coarse / 2) * factor
    index = np.rint(at[None] - centres[:, None] + (len(taps) - 1) / 2).astype(int)
    inside = (index >= 0) & (index < len(taps))
    return np.where(inside, taps[index.clip(0, len(taps) - 1)], 0.0)


@lru_cache(maxsize=64)
def _matrices(spec: Resampling, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False):
        return tuple(torch.as_tensor(m, dtype=dtype, device=device) for m in (up_matrix(spec), down_matrix(spec)))  # pyright: ignore[reportReturnType]


def filtered_leaky_relu(x: Tensor, spec: Resampling) -> Tensor:
    """(n, c, side before, side before) -> (n, c, side after, side after), with the gain that keeps the variance."""
    up, down = _matrices(spec, x.device, x.dtype)
    y = up @ (x @ up.T)
    y = F.leaky_relu(y, SLOPE)
    return down @ (y @ down.T) * GAIN


class Modulated(nn.Module):
    """A convolution whose weights a style scales: (n, in, h, w), style (n, w) -> (n, out, h, w).

    Scaling a weight's input channels is scaling the input, and demodulation (weights of length one for each output
    channel) is scaling the output, so that all items share one ungrouped convolution (StyleGAN2, Appendix B).
    """

    def __init__(self, channels: int, width: int, kernel: int, style: int, *, demodulate: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(width))
        self.style = nn.Parameter(torch.randn(channels, style))
        self.style_bias = nn.Parameter(torch.ones(channels))
        self.demodulate, self.pad = demodulate, kernel // 2
        self.scale, self.style_scale = 1 / math.sqrt(channels * kernel**2), 1 / math.sqrt(style)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        s = F.linear(style, self.style * self.style_scale, self.style_bias)  # (n, in)
        weight = self.weight * self.scale
        y = F.conv2d(x * s[..., None, None].to(x.dtype), weight, padding=self.pad)
        if self.demodulate:
            length = F.linear(s.float().square(), weight.float().square().sum((2, 3)))
            y = y * (length + 1e-8).rsqrt()[..., None, None].to(y.dtype)
        return y + self.bias[:, None, None].to(y.dtype)


class LowRank(nn.Module):
    """What motion adds to a layer: (n, in, h, w), motion (n, m) -> (n, out, h, w), through `rank` channels (StyleSV).

    The weights of a layer become W + A diag(s) B with s an affine map of the motion code. B begins at random and A at
    zero, as in LoRA (Hu et al. 2021): it adds nothing at first, and learns from the first step on.
    """

    def __init__(self, channels: int, width: int, kernel: int, motion: int, rank: int):
        super().__init__()
        self.inner = nn.Parameter(torch.randn(rank, channels, kernel, kernel))
        self.outer = nn.Parameter(torch.zeros(width, rank))
        self.style = nn.Linear(motion, rank)
        nn.init.ones_(self.style.bias)
        self.scale, self.pad = 1 / math.sqrt(channels * kernel**2), kernel // 2

    def forward(self, x: Tensor, motion: Tensor) -> Tensor:
        y = F.conv2d(x, self.inner * self.scale, padding=self.pad)
        return F.conv2d(y * self.style(motion)[..., None, None].to(y.dtype), self.outer[..., None, None])


class FourierFeatures(nn.Module):
    """Waves over the plane that a style turns and moves: style (n, w) -> (n, c, side, side).

    Frequencies lie within the band; their mixture is learned, and so is the affine map from the style to a rotation
    and a translation, which begins as none (StyleGAN3, Section 3.2).
    """

    def __init__(self, band: Band, channels: int, style: int):
        super().__init__()
        self.band = band
        angle, radius = torch.rand(channels) * (2 * math.pi), torch.rand(channels).sqrt() * band.cutoff
        self.register_buffer("frequencies", torch.stack([radius * angle.cos(), radius * angle.sin()], 1))  # (c, 2)
        self.register_buffer("phases", torch.rand(channels))
        self.mix = nn.Parameter(torch.randn(channels, channels))
        self.transform = nn.Linear(style, 4)
        nn.init.zeros_(self.transform.weight)
        with torch.no_grad():
            self.transform.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.scale = 1 / math.sqrt(channels)
        self.frequencies: Tensor
        self.phases: Tensor

    def forward(self, style: Tensor) -> Tensor:
        with in_float32(style):
            x = self.waves(style.float())
        return torch.einsum("nchw,dc->ndhw", x, self.mix * self.scale)

    def waves(self, style: Tensor) -> Tensor:
        """The sines before they are mixed, (n, c, side, side) float32."""
        turn = self.transform(style)
        turn = turn / turn[:, :2].norm(dim=1, keepdim=True).clamp(min=1e-6)
        cos, sin, dx, dy = turn.unbind(1)
        fx, fy = self.frequencies.unbind(1)  # (c,)
        phase = self.phases + fx * dx[:, None] + fy * dy[:, None]  # (n, c)
        turned_x = fx * cos[:, None] - fy * sin[:, None]
        turned_y = fx * sin[:, None] + fy * cos[:, None]
        at = (torch.arange(self.band.side, device=style.device) + 0.5 - self.band.side / 2) / self.band.rate
        cycles = turned_x[..., None, None] * at + turned_y[..., None, None] * at[:, None] + phase[..., None, None]
        return torch.sin(2 * math.pi * cycles)
