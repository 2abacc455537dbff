"""Real frames read as codes, so that a generator of images learns from a comparison, not from a critic alone.

    frame --strided convolutions--> mean and spread of z --drawn--> z --generator--> frame, compared with the first

A GAN must find out from a critic's opinion alone where sky ends and land begins, for which it takes a million images;
an autoencoder is told by every pixel. So half of the codes of a step are read from real frames, whose pictures must
look alike where they are coarse; the critic judges the fine (VAE/GAN, Larsen et al. 2016, Section 3,
https://arxiv.org/abs/1512.09300). The Kullback-Leibler term keeps codes normal, so that those that are drawn mean
something as well. In the first steps no critic is asked.

Differs from VAE/GAN: pictures are compared at half their size and below, not by the critic's features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.discriminator import Conv, Linear, bent

COARSEST = 8  # pixels a side: the coarsest at which frames are compared
WIDTHS = (32, 64, 96, 128)  # channels after each halving


class CodeEncoder(nn.Module):
    """Frames (b, c, h, w) in [-1, 1] -> mean and log variance of their codes, each (b, z)."""

    def __init__(self, channels: int, size: int, z: int):
        super().__init__()
        layers, wide = [], channels
        for width in WIDTHS:
            if size < 8:
                break
            layers.append(Conv(wide, width, 3, stride=2, equalized=True))
            wide, size = width, size // 2
        self.layers = nn.ModuleList(layers)
        self.out = Linear(wide * size**2, 2 * z, True)
        with torch.no_grad():
            self.out.bias[z:] = -2.0

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        x = frames
        for layer in self.layers:
            x = bent(layer(x))
        mean, log_variance = self.out(x.flatten(1)).float().chunk(2, 1)
        return mean, log_variance.clamp(-12, 4)


def drawn(mean: Tensor, log_variance: Tensor, rng: torch.Generator) -> Tensor:
    """A code (b, z) of each frame."""
    noise = torch.randn(mean.shape, generator=rng, device=rng.device).to(mean.device)
    return mean + (log_variance / 2).exp() * noise


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """The Kullback-Leibler divergence of the codes from normal ones, in nats a frame."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2


def unlikeness(made: Tensor, real: Tensor) -> Tensor:
    """Squared errors of frames (b, c, h, w) at half their size, a quarter, ... down to `COARSEST`, added up."""
    total = made.new_zeros(())
    made, real = made.float(), real.float()
    while made.shape[-1] > COARSEST:
        made, real = F.avg_pool2d(made, 2), F.avg_pool2d(real, 2)
        total = total + (made - real).square().mean()
    return total
