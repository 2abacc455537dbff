"""A network that needs many steps teaches one that needs few, in two stages (Meng et al. 2022; Imagen Video, 2.7).

First guidance: the student says in one pass what the teacher says in two (`guidance_target`). Then progressively: the
student does in one DDIM step what the teacher does in two, then becomes the teacher (`draw_halving`,
`progressive_target`; Salimans & Ho 2022). Both give the clean video that the student should see, for `x_loss`:

    x_hat = to_x(student(z, ...), z, here, "v");  loss = x_loss(x_hat, target, here, weight="truncated").mean()

The distilled network samples with `samplers.ddim` or `samplers.stochastic` on the grid of its steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from storyreel.diffusion.denoiser import Denoiser, Network
from storyreel.diffusion.parameterisation import Kind
from storyreel.diffusion.samplers import Denoise, ddim_step
from storyreel.diffusion.schedules import NoiseLevel, over


@torch.no_grad()
def guidance_target(
    teacher: Network,
    z: Tensor,
    level: NoiseLevel,
    *,
    cond: Any,
    uncond: Any,
    guidance: float | Tensor,
    predict: Kind = "v",
) -> Tensor:
    """What the guided teacher sees in z: equation (4) of Meng et al. guidance: one for all, or one a sample (b,)."""
    each = over(guidance, z) if isinstance(guidance, Tensor) else guidance
    return Denoiser(teacher, cond, uncond, each, predict)(z, level)


def halved(levels: NoiseLevel) -> NoiseLevel:
    """The student's grid: every second entry of the teacher's, whose steps are even in number."""
    steps = len(levels) - 1
    if steps < 2 or steps % 2:
        raise ValueError(f"steps: expected an even number to halve, got {steps}")
    return levels[::2]


def draw_halving(levels: NoiseLevel, count: int, rng: torch.Generator) -> tuple[NoiseLevel, NoiseLevel, NoiseLevel]:
    """One of the student's steps for each of `count` samples: where it starts, where the teacher's first step leads,
    and where both end; each (count,), on the teacher's grid."""
    steps = len(halved(levels)) - 1
    start = 2 * torch.randint(steps, (count,), generator=rng, device=rng.device)
    here = NoiseLevel(
        levels.alpha.to(rng.device), levels.sigma.to(rng.device)
    )  # the grid goes there, none of it comes back
    return here[start], here[start + 1], here[start + 2]


@torch.no_grad()
def progressive_target(teacher: Denoise, z: Tensor, here: NoiseLevel, middle: NoiseLevel, there: NoiseLevel) -> Tensor:
    """The x with which one DDIM step from `here` ends where two of the teacher end (Salimans & Ho 2022, Algorithm 2):

        x = (z'' - (sigma''/sigma) z) / (alpha'' - (sigma''/sigma) alpha)

    which is z'' itself where the end is clean. ValueError where the teacher gives NaN or infinity.
    """
    halfway = ddim_step(z, teacher(z, here), here, middle)
    end = ddim_step(halfway, teacher(halfway, middle), middle, there)
    ratio = there.sigma / here.sigma
    target = (end - over(ratio, z) * z) / over(there.alpha - ratio * here.alpha, z)
    if not bool(target.sum(dtype=torch.float32).isfinite()):
        raise ValueError("distillation: the teacher gave NaN or infinity")
    return target.to(z.dtype)
