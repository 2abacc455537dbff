"""How strong guidance is: by step, by frame, by noise level. Each gives a `Guidance` for a `Denoiser`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from storyreel.diffusion.denoiser import Guidance
from storyreel.diffusion.schedules import NoiseLevel


def oscillating(
    levels: NoiseLevel, *, first: int, high: float = 15.0, low: float = 1.0
) -> Callable[[NoiseLevel], float]:
    """`high` for the first steps of this grid, then low and high in turns (Imagen Video, Section 2.6).

    High guidance all along saturates colours; with low guidance in between it does not. Steps at `low` = 1 cost half.
    """
    known = levels.logsnr[:-1]

    def scale(level: NoiseLevel) -> float:
        step = int((known - level.logsnr.to(known)).abs().argmin())
        return low if step >= first and (step - first) % 2 == 0 else high

    return scale


def linear(low: float, high: float, frames: int) -> Tensor:
    """From `low` in the first frame to `high` in the last, (1, 1, t, 1, 1): for a first frame that is an input (Stable
    Video Diffusion, 1 to 2.5 or 3)."""
    return torch.linspace(low, high, frames).view(1, 1, -1, 1, 1)


def triangle(low: float, high: float, frames: int) -> Tensor:
    """`low` in the first and the last frame and `high` in the middle, (1, 1, t, 1, 1): for videos that end as they
    begin, such as a camera that goes around an object (SV3D)."""
    away = torch.linspace(-1, 1, frames).abs() if frames > 1 else torch.ones(frames)
    return (low + (high - low) * (1 - away)).view(1, 1, -1, 1, 1)


def within(guidance: Guidance, low: float, high: float) -> Callable[[NoiseLevel], float | Tensor]:
    """The guidance at log-SNRs from `low` to `high`, and 1 elsewhere, at half the cost (Kynkäänniemi et al. 2024)."""
    if not low < high:
        raise ValueError(f"low: expected a log-SNR below {high}, got {low}")

    def limited(level: NoiseLevel) -> float | Tensor:
        if not low <= float(level.logsnr) <= high:
            return 1.0
        return guidance(level) if callable(guidance) else guidance

    return limited
