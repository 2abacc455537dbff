"""What a network predicts of a noisy video, in which form, and how its error is weighed.

A network reads z = alpha x + sigma eps and predicts one of

    x     the clean video
    eps   the noise
    v     (alpha eps - sigma x) / sqrt(alpha^2 + sigma^2), Salimans & Ho 2022, Appendix D

which are the same knowledge, since z ties them together. With alpha = 1 this v is EDM's preconditioning for data of
deviation one with the sign that Stable Video Diffusion has: c_skip = 1/(sigma^2+1), c_out = -sigma/sqrt(sigma^2+1),
c_in = 1/sqrt(sigma^2+1). `network_input` is c_in z, and z itself if variance preserving.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.diffusion.schedules import NoiseLevel

Kind: TypeAlias = Literal["x", "eps", "v"]
Weight: TypeAlias = Literal["x", "eps", "v", "truncated", "min-snr"]
MIN_SNR = 5.0  # gamma of Hang et al. 2023


def diffuse(x: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
    """z = alpha x + sigma eps, for a level of all, or one each sample (b,)."""
    at = level.like(x)
    return at.alpha * x + at.sigma * noise


def network_input(z: Tensor, level: NoiseLevel) -> Tensor:
    """z at the scale that a network wants, deviation one for data of deviation one (c_in of EDM)."""
    return z / level.like(z).norm


def noise_condition(logsnr: Tensor) -> Tensor:
    """c_noise = ln(sigma) / 4 of EDM (Karras et al. 2022, Table 1), in place of the log-SNR: what networks that were
    published with this preconditioning read."""
    return -logsnr / 8


def to_x(output: Tensor, z: Tensor, level: NoiseLevel, kind: Kind) -> Tensor:
    """The clean video that an output stands for."""
    at = level.like(z)
    if kind == "x":
        return output
    if kind == "eps":
        return (z - at.sigma * output) / at.alpha
    if kind == "v":
        return (at.alpha * (z / at.norm) - at.sigma * output) / at.norm
    raise ValueError(f"kind: expected x, eps or v, got {kind!r}")


def from_x(x: Tensor, z: Tensor, level: NoiseLevel, kind: Kind) -> Tensor:
    """What a network of this kind would have to predict for the clean video to be x. The level must have noise."""
    at = level.like(z)
    if kind == "x":
        return x
    if kind == "eps":
        return (z - at.alpha * x) / at.sigma
    if kind == "v":
        return (at.alpha * (z / at.norm) - at.norm * x) / at.sigma
    raise ValueError(f"kind: expected x, eps or v, got {kind!r}")


def convert(output: Tensor, z: Tensor, level: NoiseLevel, have: Kind, want: Kind) -> Tensor:
    """One kind of output to another; exact, up to rounding."""
    return output if have == want else from_x(to_x(output, z, level, have), z, level, want)


def target(x: Tensor, noise: Tensor, level: NoiseLevel, kind: Kind) -> Tensor:
    """What a network of this kind should predict: never divides, so it is exact at every level."""
    if kind == "x":
        return x
    if kind == "eps":
        return noise
    if kind == "v":
        at = level.like(x)
        return (at.alpha * noise - at.sigma * x) / at.norm
    raise ValueError(f"kind: expected x, eps or v, got {kind!r}")


def log_weight(level: NoiseLevel, weight: Weight) -> Tensor:
    """The logarithm of w(lambda) in w ||x - x_hat||^2, in the shape of the level.

    x          1
    eps        SNR, which makes it the squared error of the noise (Ho et al. 2020; Imagen Video, whatever it predicts)
    v          SNR + 1, the squared error of v (Salimans & Ho 2022); EDM's and SVD's (sigma^2 + 1) / sigma^2
    truncated  max(SNR, 1) (Salimans & Ho 2022, Section 4)
    min-snr    min(SNR, 5) (Hang et al. 2023)
    """
    logsnr = level.logsnr
    if weight == "x":
        return torch.zeros_like(logsnr)
    if weight == "eps":
        return logsnr
    if weight == "v":
        return F.softplus(logsnr)
    if weight == "truncated":
        return logsnr.clamp(min=0)
    if weight == "min-snr":
        return logsnr.clamp(max=math.log(MIN_SNR))
    raise ValueError(f"weight: expected x, eps, v, truncated or min-snr, got {weight!r}")


def diffusion_loss(
    output: Tensor, x: Tensor, noise: Tensor, level: NoiseLevel, *, kind: Kind = "v", weight: Weight = "v"
) -> Tensor:
    """The weighted squared error of a network's output, meaned over all but the batch: (b,) float32.

    output: of the network for `diffuse(x, noise, level)`. It is measured as it stands, not as x, and its weight
    follows: nothing is divided by a small alpha or sigma.
    """
    squares = (output.float() - target(x, noise, level, kind).float()).square().flatten(1).mean(1)
    each = level.each(x)
    return squares * (log_weight(each, weight) - log_weight(each, kind)).exp()


def x_loss(x_hat: Tensor, target: Tensor, level: NoiseLevel, *, weight: Weight = "v") -> Tensor:
    """w(lambda) ||target - x_hat||^2 meaned over all but the batch, (b,) float32: for targets of distillation, which
    no noise goes with."""
    squares = (x_hat.float() - target.float()).square().flatten(1).mean(1)
    return squares * log_weight(level.each(x_hat), weight).exp()
