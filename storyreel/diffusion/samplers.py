"""From noise to videos: each sampler is a value, and its step a plain function with its equation.

`sampler(denoise, z, levels)` samples. `denoise(z, level)` gives the clean video that the network sees in z (data
prediction). `levels` is a grid of `schedules`, variance preserving or exploding, and z has the noise of its first entry
(`starting_noise`). The result is (b, ...), in the dtype of z, at the last level of the grid.

Each video has its own generator, and what it draws depends on nothing but that: a video is the same in every batch.
A new sampler is a step function and a line in `SAMPLERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import torch
from torch import Tensor

from storyreel.diffusion.schedules import Grid, NoiseLevel, over

Denoise: TypeAlias = Callable[[Tensor, NoiseLevel], Tensor]
OnStep: TypeAlias = Callable[[int, int, Tensor], None]


@dataclass(frozen=True, kw_only=True)
class Point:
    """Where a step starts: z at `levels[index]`, and x, the clean video that the network sees in it.

    before: x of the step before, for samplers that use it; None in the first step.
    noise(): Gaussian noise in the shape of z. denoise(z, index): the clean video in another z, at another level.
    """

    z: Tensor
    x: Tensor
    levels: NoiseLevel
    index: int
    before: Tensor | None
    noise: Callable[[], Tensor]
    denoise: Callable[[Tensor, int], Tensor]

    @property
    def here(self) -> NoiseLevel:
        return self.levels[self.index]

    @property
    def there(self) -> NoiseLevel:
        return self.levels[self.index + 1]


@dataclass(frozen=True)
class Sampler:
    """step: from a point to z at the next level. grid: the one that it does best on. draws_noise: in its steps.
    second_order: it uses x of the step before. evaluations: of the network in a step that does not end clean.
    gamma: whether the step has that setting (`ancestral_step`).
    """

    step: Callable[..., Tensor]
    grid: Grid = "time"
    draws_noise: bool = False
    second_order: bool = False
    evaluations: int = 1
    gamma: bool = False

    @property
    def local(self) -> bool:
        """Whether a step needs z and x of a place alone, so that a large video can be sampled in parts."""
        return self.evaluations == 1 and not self.draws_noise

    def evaluations_on(self, levels: NoiseLevel) -> int:
        """Evaluations of the network on this grid."""
        steps = _steps(levels)
        return steps + (self.evaluations - 1) * (steps - int(levels[-1].clean))

    def step_with(self, gamma: float | None) -> Callable[[Point], Tensor]:
        """ValueError for a gamma out of range, or where the sampler has none."""
        if gamma is None:
            return self.step
        if not self.gamma or not 0 <= gamma <= 1:
            expected = "0 to 1" if self.gamma else "none with this sampler"
            raise ValueError(f"gamma: expected {expected}, got {gamma:g}")
        return partial(self.step, gamma=gamma)

    def __call__(
        self,
        denoise: Denoise,
        z: Tensor,
        levels: NoiseLevel,
        *,
        rng: Sequence[torch.Generator] = (),
        on_step: OnStep | None = None,
        same_noise: bool = False,
        gamma: float | None = None,
    ) -> Tensor:
        """Videos (b, ...) at the last level of the grid, from z at its first.

        rng: a generator a video; may be empty where nothing is drawn. on_step(step, steps, x) is called after each
        step with the clean video so far. ValueError where the network gives NaN or infinity; it names the step.
        """
        step, steps, before = self.step_with(gamma), _steps(levels), None

        def noise() -> Tensor:
            return draw_noise(z.shape, rng, same_noise=same_noise).to(z)

        def again(z: Tensor, index: int) -> Tensor:
            return _checked(denoise(z, levels[index]).to(z.dtype), z, i, steps)

        for i in range(steps):
            x = _checked(denoise(z, levels[i]).to(z.dtype), z, i, steps)
            at = Point(z=z, x=x, levels=levels, index=i, before=before, noise=noise, denoise=again)
            z = step(at)
            before = x if self.second_order else None
            if on_step:
                on_step(i + 1, steps, x)
        return z


def draw_noise(shape: Sequence[int], rng: Sequence[torch.Generator], *, same_noise: bool = False) -> Tensor:
    """Gaussian noise (b, ...) float32, one generator a video, drawn where the generators are (the CPU, usually, so that
    every device sees the same).

    same_noise: every frame of a video (b, c, t, h, w) gets the same, for networks that see one frame at a time
    (Make-A-Video, Section 3.2: SR_h).
    """
    if len(rng) != shape[0]:
        raise ValueError(f"rng: expected a generator for each of {shape[0]} videos, got {len(rng)}")
    one = list(shape[1:])
    if same_noise:
        if len(one) != 4:
            raise ValueError(f"same_noise: expected videos (b, c, t, h, w), got {tuple(shape)}")
        one[1] = 1
    noise = torch.stack([torch.randn(one, generator=g, device=g.device) for g in rng])
    return noise.expand(*shape).contiguous() if same_noise else noise


def starting_noise(
    shape: Sequence[int], levels: NoiseLevel, rng: Sequence[torch.Generator], *, same_noise: bool = False
) -> Tensor:
    """The z that sampling over this grid starts from: noise as wide as noisy data of deviation one is there."""
    return draw_noise(shape, rng, same_noise=same_noise) * levels[0].norm


def ddim_step(z: Tensor, x: Tensor, here: NoiseLevel, there: NoiseLevel) -> Tensor:
    """Denoising diffusion implicit model (Song et al. 2021, equation 12 with sigma = 0): first order, nothing drawn.

    z_s = alpha_s x + (sigma_s / sigma_t) (z_t - alpha_t x), for one level or one a sample (b,). With alpha = 1 this is
    Euler's step.
    """
    ratio = there.sigma / here.sigma
    return over(ratio, z) * z + over(there.alpha - ratio * here.alpha, z) * x


def _ddim_step(at: Point) -> Tensor:
    return ddim_step(at.z, at.x, at.here, at.there)


def ancestral_step(at: Point, gamma: float = 0.0) -> Tensor:
    """Ancestral sampling with interpolated variance (Imagen Video, Section 2.1; Ho et al. 2020).

    With c = 1 - exp(lambda_t - lambda_s): the mean is alpha_s ((1 - c) z_t / alpha_t + c x), and the log-variance is
    interpolated between that of the posterior, c sigma_s^2 (`gamma` 0, right for data that is a point), and that of the
    forward step, c sigma_t^2 (1, right for white data). Noise is drawn for every step but one that ends clean.
    """
    here, there = at.here, at.there
    c = -torch.expm1(here.logsnr - there.logsnr)
    z = (there.alpha * (1 - c) / here.alpha) * at.z + there.alpha * c * at.x
    if there.clean:
        return z
    return z + c.sqrt() * there.sigma ** (1 - gamma) * here.sigma**gamma * at.noise()


def heun_step(at: Point) -> Tensor:
    """Heun's rule, as EDM has it (Karras et al. 2022, Algorithm 1): second order, two evaluations a step.

    In y = z / alpha and s = sigma / alpha: dy/ds = (y - x) / s. A step that ends clean is Euler's.
    """
    here, there = at.here, at.there
    last = ddim_step(at.z, at.x, here, there)
    if there.clean:
        return last
    x = at.denoise(last, at.index + 1)
    slope = (at.z / here.alpha - at.x) / here.ratio + (last / there.alpha - x) / there.ratio
    return there.alpha * (at.z / here.alpha + (there.ratio - here.ratio) / 2 * slope)


def dpm_solver_step(at: Point) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2): second order in lambda / 2 at one evaluation a step, on any grid.

    z_s = (sigma_s / sigma_t) z_t - alpha_s expm1(-h) D with h = (lambda_s - lambda_t) / 2, r = h_before / h and
    D = x + (x - x_before) / 2r. The first step has nothing before it, and one that ends clean has no finite h: both are
    DDIM's, which is the same formula with D = x.
    """
    here, there, ahead = at.here, at.there, at.x
    if at.before is not None and not there.clean:
        h, h_before = there.logsnr - here.logsnr, here.logsnr - at.levels[at.index - 1].logsnr
        ahead = at.x + (h / (2 * h_before)).to(at.x) * (at.x - at.before)
    return ddim_step(at.z, ahead, here, there)


def stochastic_step(at: Point) -> Tensor:
    """The stochastic sampler of distilled networks (Meng et al. 2022, Section 3.3; Imagen Video, Section 2.7).

    Each step is DDIM's over two entries of the grid, and then noise is added that leads one entry back; the last is
    DDIM's alone. As many evaluations as `ddim`; noise is drawn for all steps but the last.
    """
    here, there = at.here, at.there
    if at.index + 2 >= len(at.levels):
        return ddim_step(at.z, at.x, here, there)
    far = at.levels[at.index + 2]
    scale = there.alpha / far.alpha
    added = (there.sigma**2 - (scale * far.sigma) ** 2).clamp(min=0).sqrt()
    return scale * ddim_step(at.z, at.x, here, far) + added * at.noise()


ddim = Sampler(_ddim_step)
euler = ddim  # for Stable Video Diffusion: variance exploding, on a Karras grid
ancestral = Sampler(ancestral_step, draws_noise=True, gamma=True)
heun = Sampler(heun_step, evaluations=2)
dpm_solver = Sampler(dpm_solver_step, grid="logsnr", second_order=True)
stochastic = Sampler(stochastic_step, draws_noise=True)

SAMPLERS: dict[str, Sampler] = {
    "ddim": ddim,
    "ancestral": ancestral,
    "heun": heun,
    "dpm-solver": dpm_solver,
    "euler": euler,
    "stochastic": stochastic,
}
"""By the names that settings have."""


def evaluations(sampler: str, levels: NoiseLevel) -> int:
    """Evaluations of the network by the sampler of this name, on this grid."""
    return SAMPLERS[sampler].evaluations_on(levels)


def _steps(levels: NoiseLevel) -> int:
    if levels.alpha.ndim != 1 or len(levels) < 2:
        raise ValueError(f"levels: expected a grid of at least 2, got {tuple(levels.alpha.shape)}")
    if not bool((levels.ratio.diff() < 0).all()):
        raise ValueError("levels: expected noise that falls from each to the next")
    return len(levels) - 1


def _checked(x: Tensor, z: Tensor, step: int, steps: int) -> Tensor:
    if x.shape != z.shape:
        raise ValueError(f"denoise: expected {tuple(z.shape)}, got {tuple(x.shape)}")
    check_finite(x, step, steps)
    return x


def check_finite(x: Tensor, step: int, steps: int) -> None:
    """ValueError, with the number of the step, for NaN or infinity."""
    if not math.isfinite(float(x.sum(dtype=torch.float32))):
        raise ValueError(f"sampling: the network gave NaN or infinity in step {step + 1} of {steps}")
