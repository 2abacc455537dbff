"""Denoisers in closed form, of distributions that are known: what samplers, guidance and distillation are tested on.

The best guess of x from z = alpha x + sigma eps is the mean of x given z; for Gaussians and mixtures of them it is a
formula. A sampler that is given it has no error but its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from storyreel.diffusion.schedules import NoiseLevel


@dataclass(frozen=True)
class Gaussian:
    """x ~ N(mean, deviation^2), independent in every element; both broadcast with (b, ...)."""

    mean: float | Tensor = 0.0
    deviation: float | Tensor = 1.0

    def __call__(self, z: Tensor, level: NoiseLevel) -> Tensor:
        at, variance = level.like(z), self.deviation**2
        return self.mean + at.alpha * variance * (z - at.alpha * self.mean) / self.total(at)

    def total(self, at: NoiseLevel) -> Tensor:
        """The variance of z."""
        return at.alpha**2 * self.deviation**2 + at.sigma**2

    def flow(self, z: Tensor, here: NoiseLevel, there: NoiseLevel) -> Tensor:
        """Where the probability flow ODE takes z from one level to another: it keeps (z - alpha mean) / deviation."""
        here, there = here.like(z), there.like(z)
        scale = (self.total(there) / self.total(here)).sqrt()
        return there.alpha * self.mean + scale * (z - here.alpha * self.mean)


@dataclass(frozen=True)
class Mixture:
    """x in d dimensions from equally likely Gaussians of one deviation: centres (k, d). z is (b, ..., d)."""

    centres: Tensor
    deviation: float

    def __call__(self, z: Tensor, level: NoiseLevel) -> Tensor:
        at, near = level.like(z), level.like(z[..., None])
        centres = self.centres.to(z)
        total = at.alpha**2 * self.deviation**2 + at.sigma**2
        away = z[..., None, :] - near.alpha * centres  # (b, ..., k, d)
        share = (-away.square().sum(-1) / (2 * total)).softmax(-1)  # (b, ..., k)
        return share @ centres + at.alpha * self.deviation**2 / total * (z - at.alpha * (share @ centres))

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """Samples (count, d) float64."""
        which = torch.randint(len(self.centres), (count,), generator=rng)
        noise = torch.randn(count, self.centres.shape[1], generator=rng, dtype=torch.float64)
        return self.centres.double()[which] + self.deviation * noise


def ring(modes: int = 8, radius: float = 1.0, deviation: float = 0.1) -> Mixture:
    """`modes` Gaussians on a circle."""
    angle = torch.arange(modes, dtype=torch.float64) * (2 * torch.pi / modes)
    return Mixture(radius * torch.stack([angle.cos(), angle.sin()], 1), deviation)
