"""Noise-conditioning augmentation: the video that a super-resolution network refines is noised, and it reads how much.

A cascade's stage is trained on real videos made small, and gets generated ones, with the faults of the stage before.
Noise hides these faults, and what differs between the two (Ho et al. 2021, "Cascaded diffusion models", Section 4;
Imagen Video, Section 2.5). This noise is another than that of the diffusion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from storyreel.diffusion.parameterisation import diffuse
from storyreel.diffusion.samplers import draw_noise
from storyreel.diffusion.schedules import NoiseLevel, Schedule, draw_times


def draw_augmentation(schedule: Schedule, count: int, rng: torch.Generator, *, max_time: float = 1.0) -> NoiseLevel:
    """Levels (count,) for training: at times uniform in [0, max_time)."""
    if not 0 <= max_time <= 1:
        raise ValueError(f"max_time: expected a time from 0 to 1, got {max_time}")
    return schedule.level(draw_times(count, rng) * max_time)


def augmentation_of(schedule: Schedule, snr: float) -> NoiseLevel:
    """The level () of a signal-to-noise ratio, for sampling: Imagen Video finds 3 to 5 best. Infinity is no noise, as
    far as the schedule goes."""
    if not snr > 0:
        raise ValueError(f"snr: expected more than 0, got {snr}")
    if math.isinf(snr):
        return schedule.level(torch.tensor(0.0, dtype=torch.float64))
    return schedule.at(torch.tensor(math.log(snr), dtype=torch.float64))


def augmented(
    low: Tensor, level: NoiseLevel, rng: Sequence[torch.Generator], *, same_noise: bool = False
) -> tuple[Tensor, Tensor]:
    """(the noised video, its log-SNR (b,) float32): both are inputs of the network. low: (b, c, t, h, w).

    For sampling, with a generator a video. In training, `diffuse` with noise of the batch does the same.
    """
    noise = draw_noise(low.shape, rng, same_noise=same_noise).to(low)
    return diffuse(low, noise, level).to(low.dtype), level.each(low).logsnr
