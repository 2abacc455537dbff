"""From noise to videos: plain functions of (denoise, z, levels).

`denoise(z, level)` gives the clean video that the network sees in z (data prediction). `levels` is a grid of
`schedules`, variance preserving or exploding, and z has the noise of its first entry (`starting_noise`). All give
(b, ...), in the dtype of z, at the last level of the grid.

Each video has its own generator, and what it draws depends on nothing but that: a video is the same in every batch.
All take the same keywords; `rng` may be empty where nothing is drawn. `on_step(step, steps, x)` is told, after each
step, how the clean video looks so far. ValueError where the network gives NaN or infinity; it names the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from storyreel.diffusion.schedules import Level, over

Denoise: TypeAlias = Callable[[Tensor, Level], Tensor]
OnStep: TypeAlias = Callable[[int, int, Tensor], None]


class Sampler(Protocol):
    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: Level,
        *,
        rng: Sequence[torch.Generator] = (),
        on_step: OnStep | None = None,
    ) -> Tensor: ...


def draw_noise(shape: Sequence[int], rng: Sequence[torch.Generator], *, same_noise: bool = False) -> Tensor:
    """Gaussian noise (b, ...) float32, one generator a video, drawn where the generators are (the CPU, usually, so that
    every device sees the same).

    same_noise: every frame of a video (b, c, t, h, w) gets the same, for networks that see one frame at a time
    (Make-A-Video, Section 3.2: SR_h).
    """
    if len(rng) != shape[0]:
        raise ValueError(f"rng: wanted a generator for each of {shape[0]} videos, got {len(rng)}")
    one = list(shape[1:])
    if same_noise:
        if len(one) != 4:
            raise ValueError(f"same_noise: wanted videos (b, c, t, h, w), got {tuple(shape)}")
        one[1] = 1
    noise = torch.stack([torch.randn(one, generator=g, device=g.device) for g in rng])
    return noise.expand(*shape).contiguous() if same_noise else noise


def starting_noise(
    shape: Sequence[int], levels: Level, rng: Sequence[torch.Generator], *, same_noise: bool = False
) -> Tensor:
    """The z that sampling over this grid starts from: noise as wide as noisy data of deviation one is there."""
    return draw_noise(shape, rng, same_noise=same_noise) * levels[0].norm


def ddim(
    denoise: Denoise,
    z: Tensor,
    levels: Level,
    *,
    rng: Sequence[torch.Generator] = (),
    on_step: OnStep | None = None,
) -> Tensor:
    """Denoising diffusion implicit model (Song et al. 2021, equation 12 with sigma = 0): first order, nothing drawn.

    z_s = alpha_s x + (sigma_s / sigma_t) (z_t - alpha_t x). With alpha = 1 this is Euler's step, hence `euler`.
    """
    steps = _steps(levels)
    for i in range(steps):
        x = _ask(denoise, z, levels, i)
        z = ddim_step(z, x, levels[i], levels[i + 1])
        _tell(on_step, i, steps, x)
    return z


euler = ddim  # for Stable Video Diffusion: on a Karras grid, variance exploding


def ddim_step(z: Tensor, x: Tensor, here: Level, there: Level) -> Tensor:
    """One step of `ddim`, for one level or one a sample (b,)."""
    kept = there.sigma / here.sigma
    return over(kept, z) * z + over(there.alpha - kept * here.alpha, z) * x


def ancestral(
    denoise: Denoise,
    z: Tensor,
    levels: Level,
    *,
    rng: Sequence[torch.Generator] = (),
    on_step: OnStep | None = None,
    gamma: float = 0.0,
    same_noise: bool = False,
) -> Tensor:
    """Ancestral sampling with interpolated variance (Imagen Video, Section 2.1; Ho et al. 2020).

    With c = 1 - exp(lambda_t - lambda_s): the mean is alpha_s ((1 - c) z_t / alpha_t + c x), and the log-variance is
    interpolated between that of the posterior, c sigma_s^2 (`gamma` 0, right for data that is a point), and that of the
    forward step, c sigma_t^2 (1, right for white data). Noise is drawn for every step but one that ends clean.
    """
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma: wanted 0 to 1, got {gamma}")
    steps = _steps(levels)
    for i in range(steps):
        x, here, there = _ask(denoise, z, levels, i), levels[i], levels[i + 1]
        c = -torch.expm1(here.logsnr - there.logsnr)
        z = (there.alpha * (1 - c) / here.alpha) * z + there.alpha * c * x
        if not there.clean:
            deviation = c.sqrt() * there.sigma ** (1 - gamma) * here.sigma**gamma
            z = z + deviation * draw_noise(z.shape, rng, same_noise=same_noise).to(z)
        _tell(on_step, i, steps, x)
    return z


def heun(
    denoise: Denoise,
    z: Tensor,
    levels: Level,
    *,
    rng: Sequence[torch.Generator] = (),
    on_step: OnStep | None = None,
) -> Tensor:
    """Heun's rule, as EDM has it (Karras et al. 2022, Algorithm 1): second order, two evaluations a step.

    In y = z / alpha and s = sigma / alpha: dy/ds = (y - x) / s. A step that ends clean is Euler's.
    """
    steps = _steps(levels)
    for i in range(steps):
        here, there = levels[i], levels[i + 1]
        x = _ask(denoise, z, levels, i)
        last = ddim_step(z, x, here, there)
        if not there.clean:
            again = _ask(denoise, last, levels, i, offset=1)
            slope = (z / here.alpha - x) / here.ratio + (last / there.alpha - again) / there.ratio
            last = there.alpha * (z / here.alpha + (there.ratio - here.ratio) / 2 * slope)
        z = last
        _tell(on_step, i, steps, x)
    return z


def dpm_solver(
    denoise: Denoise,
    z: Tensor,
    levels: Level,
    *,
    rng: Sequence[torch.Generator] = (),
    on_step: OnStep | None = None,
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2): second order in lambda / 2 at one evaluation a step, on any grid.

    z_s = (sigma_s / sigma_t) z_t - alpha_s expm1(-h) D with h = (lambda_s - lambda_t) / 2, r = h_before / h and
    D = x + (x - x_before) / 2r. The first step has nothing before it, and one that ends clean has no finite h: both are
    DDIM's, which is the same formula with D = x.
    """
    steps = _steps(levels)
    before: Tensor | None = None
    for i in range(steps):
        here, there = levels[i], levels[i + 1]
        x = _ask(denoise, z, levels, i)
        ahead = x
        if before is not None and not there.clean:
            h, h_before = there.logsnr - here.logsnr, here.logsnr - levels[i - 1].logsnr
            ahead = x + (h / (2 * h_before)) * (x - before)
        z = ddim_step(z, ahead, here, there)
        before = x
        _tell(on_step, i, steps, x)
    return z


def stochastic(
    denoise: Denoise,
    z: Tensor,
    levels: Level,
    *,
    rng: Sequence[torch.Generator] = (),
    on_step: OnStep | None = None,
    same_noise: bool = False,
) -> Tensor:
    """The stochastic sampler of distilled networks (Meng et al. 2022, Section 3.3; Imagen Video, Section 2.7).

    Each step is DDIM's over two entries of the grid, and then noise is added that leads one entry back; the last is
    DDIM's alone. It asks as often as `ddim` and draws noise for all steps but the last.
    """
    steps = _steps(levels)
    for i in range(steps):
        x, here, there = _ask(denoise, z, levels, i), levels[i], levels[i + 1]
        if i + 2 <= steps:
            far = levels[i + 2]
            z, scale = ddim_step(z, x, here, far), there.alpha / far.alpha
            added = (there.sigma**2 - (scale * far.sigma) ** 2).clamp(min=0).sqrt()
            z = scale * z + added * draw_noise(z.shape, rng, same_noise=same_noise).to(z)
        else:
            z = ddim_step(z, x, here, there)
        _tell(on_step, i, steps, x)
    return z


SAMPLERS: dict[str, Sampler] = {
    "ddim": ddim,
    "ancestral": ancestral,
    "heun": heun,
    "dpm-solver": dpm_solver,
    "euler": euler,
    "stochastic": stochastic,
}
"""By the names that settings have."""


def evaluations(sampler: str, levels: Level) -> int:
    """How often a sampler asks the network on this grid."""
    steps = _steps(levels)
    return steps if sampler != "heun" else 2 * steps - int(levels[-1].clean)


def _steps(levels: Level) -> int:
    if levels.alpha.ndim != 1 or len(levels) < 2:
        raise ValueError(f"levels: wanted a grid of at least 2, got {tuple(levels.alpha.shape)}")
    if not bool((levels.ratio.diff() < 0).all()):
        raise ValueError("levels: wanted noise that falls from each to the next")
    return len(levels) - 1


def _ask(denoise: Denoise, z: Tensor, levels: Level, step: int, *, offset: int = 0) -> Tensor:
    x = denoise(z, levels[step + offset]).to(z.dtype)
    if x.shape != z.shape:
        raise ValueError(f"denoise: wanted {tuple(z.shape)}, got {tuple(x.shape)}")
    if not math.isfinite(float(x.sum(dtype=torch.float32))):
        raise ValueError(f"sampling: the network gave NaN or infinity in step {step + 1} of {len(levels) - 1}")
    return x


def _tell(on_step: OnStep | None, step: int, steps: int, x: Tensor) -> None:
    if on_step:
        on_step(step + 1, steps, x)
