"""How much signal and how much noise: levels, the schedules that training draws them from, the grids of samplers.

A noisy video is z = alpha x + sigma eps. A `NoiseLevel` is the pair (alpha, sigma); all else follows from it. There are
two families: variance preserving (VP), alpha^2 + sigma^2 = 1, which the cascades use, and variance exploding (VE),
alpha = 1, which EDM and Stable Video Diffusion use. Everything in this package takes either.

A schedule maps `time` in [0, 1], 0 clean and 1 noise, which training draws uniformly, to levels. A grid is a Level of
`steps` + 1 entries in falling noise, float64, made for a sampler; its last entry is clean (alpha 1, sigma 0) unless
asked otherwise, so that the last step gives what the network says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class NoiseLevel:
    """alpha and sigma of z = alpha x + sigma eps: two tensors of one shape, () or (b,) or, for a grid, (steps + 1,)."""

    alpha: Tensor
    sigma: Tensor

    @property
    def logsnr(self) -> Tensor:
        """lambda = log(alpha^2 / sigma^2); infinite where it is clean."""
        return 2 * (self.alpha.log() - self.sigma.log())

    @property
    def ratio(self) -> Tensor:
        """sigma / alpha: the noise in units of the signal, which is EDM's sigma."""
        return self.sigma / self.alpha

    @property
    def norm(self) -> Tensor:
        """sqrt(alpha^2 + sigma^2), the deviation of z where that of x is one: 1 if variance preserving."""
        return torch.hypot(self.alpha, self.sigma)

    @property
    def clean(self) -> bool:
        return not bool(self.sigma.any())

    def __len__(self) -> int:
        return len(self.alpha)

    def __getitem__(self, which: Any) -> NoiseLevel:
        return NoiseLevel(self.alpha[which], self.sigma[which])

    def like(self, z: Tensor) -> NoiseLevel:
        """Ready to be multiplied with z (b, ...): a level for each sample gets trailing axes."""
        return NoiseLevel(over(self.alpha, z), over(self.sigma, z))

    def each(self, z: Tensor) -> NoiseLevel:
        """(b,) float32 on the device of z (b, ...): what a network reads."""
        return NoiseLevel(_each(self.alpha, z), _each(self.sigma, z))


def _each(values: Tensor, z: Tensor) -> Tensor:
    """Values () or (b,) as (b,) float32 on the device of z. A single one of the CPU is filled in, without a copy."""
    if not values.ndim and values.device.type == "cpu" and not z.is_cpu:
        return torch.full((len(z),), float(values), device=z.device)
    return values.to(z.device, torch.float32).expand(len(z))


def over(values: Tensor, z: Tensor) -> Tensor:
    """Values (b,), one a sample, with the axes, the device and the precision (at least float32) of z (b, ...). A single
    value () stays as it is: torch takes it for a number."""
    if not values.ndim:
        return values
    wide = torch.float64 if z.dtype == torch.float64 else torch.float32
    return values.to(z.device, wide).view(-1, *[1] * (z.ndim - 1))


def preserving(logsnr: Tensor) -> NoiseLevel:
    """The VP level of a log-SNR: alpha^2 = sigmoid(lambda). Keeps its accuracy at both ends."""
    return NoiseLevel(logsnr.sigmoid().sqrt(), (-logsnr).sigmoid().sqrt())


def exploding(logsnr: Tensor) -> NoiseLevel:
    """The VE level of a log-SNR: alpha = 1, sigma = exp(-lambda / 2)."""
    return NoiseLevel(torch.ones_like(logsnr), (-logsnr / 2).exp())


class Schedule(Protocol):
    """Uniform `time` in [0, 1] to noise and back."""

    def logsnr(self, time: Tensor) -> Tensor: ...

    def time(self, logsnr: Tensor) -> Tensor:
        """The inverse of `logsnr`, where that is not clipped."""
        ...

    def at(self, logsnr: Tensor) -> NoiseLevel:
        """The level of a log-SNR in the schedule's family."""
        ...

    def level(self, time: Tensor) -> NoiseLevel: ...


@dataclass(frozen=True)
class Cosine:
    """The VP cosine schedule: lambda = -2 log tan(pi t / 2) + shift, clipped (Nichol & Dhariwal 2021; Imagen Video
    clips to 20 either way).

    `shift` moves all levels: below zero is noisier, which larger pictures need (Hoogeboom et al. 2023, "Simple
    diffusion", equation 3); `shift_for` gives it for a size.
    """

    shift: float = 0.0
    clip: float = 20.0

    def logsnr(self, time: Tensor) -> Tensor:
        """Falling in time, in [-clip, clip]."""
        right = math.pi / 2  # cos as the sine of what is missing: in float32 the cosine itself dips below zero at 1
        ratio = ((1 - time) * right).sin().log() - (time * right).sin().log()
        return (2 * ratio + self.shift).clamp(-self.clip, self.clip)

    def time(self, logsnr: Tensor) -> Tensor:
        return torch.atan(((self.shift - logsnr) / 2).exp()) * (2 / math.pi)

    def at(self, logsnr: Tensor) -> NoiseLevel:
        return preserving(logsnr)

    def level(self, time: Tensor) -> NoiseLevel:
        return self.at(self.logsnr(time))


def shift_for(size: int, base: int = 64) -> float:
    """2 log(base / size): pictures of `size`, once averaged down to `base`, are then as noisy as those of `base`."""
    return 2 * math.log(base / size)


@dataclass(frozen=True)
class LogNormal:
    """EDM's training levels, ln sigma ~ N(mean, std^2) with sigma in units of the signal (Karras et al. 2022, Table 1),
    clipped in log-SNR: VE, or VP at the same log-SNRs.

    `mean` moves up with the size of videos; `noise_laws` has that of each stage of Stable Video Diffusion.
    """

    mean: float = -1.2
    std: float = 1.2
    clip: float = 20.0
    exploding: bool = True

    def logsnr(self, time: Tensor) -> Tensor:
        logs = self.mean + self.std * torch.special.ndtri(time)
        return (-2 * logs).clamp(-self.clip, self.clip)

    def time(self, logsnr: Tensor) -> Tensor:
        return torch.special.ndtr((-logsnr / 2 - self.mean) / self.std)

    def at(self, logsnr: Tensor) -> NoiseLevel:
        return exploding(logsnr) if self.exploding else preserving(logsnr)

    def level(self, time: Tensor) -> NoiseLevel:
        return self.at(self.logsnr(time))


def draw_times(count: int, rng: torch.Generator, *, spread: bool = False) -> Tensor:
    """Uniform times (count,) float32 in [0, 1), for a training batch.

    `spread` gives each its own slice of [0, 1), in random order: each alone is as uniform as before, and a batch covers
    all levels, which lowers the variance of the loss (Kingma et al. 2021, Appendix I.1).
    """
    if not spread:
        return torch.rand(count, generator=rng, device=rng.device)
    slices = torch.arange(count, device=rng.device) / count + torch.rand(1, generator=rng, device=rng.device)
    return (slices % 1)[torch.randperm(count, generator=rng, device=rng.device)].clamp(max=1 - 2**-24)


# -- grids -------------------------------------------------------------------------------------------------------


def uniform_time(schedule: Schedule, steps: int, *, clean: bool = True) -> NoiseLevel:
    """Levels at times 1, 1 - 1/steps, ... 0: the grid of DDIM, of ancestral sampling and of distillation."""
    grid = schedule.level(torch.linspace(1, 0, _checked(steps) + 1, dtype=torch.float64))
    return _cleaned(grid[:-1]) if clean else grid


def uniform_logsnr(
    schedule: Schedule, steps: int, *, start: float | None = None, end: float | None = None, clean: bool = True
) -> NoiseLevel:
    """Equal steps of log-SNR from `start` (noise) to `end`: the grid that DPM-Solver++ wants (Lu et al. 2022).

    The defaults are NOISIEST and CLEANEST, or what the schedule has where that is less.
    """
    ends = schedule.logsnr(torch.tensor([1.0, 0.0], dtype=torch.float64)).tolist()
    start = max(NOISIEST, ends[0]) if start is None else start
    end = min(CLEANEST, ends[1]) if end is None else end
    if not start < end:
        raise ValueError(f"start: expected a log-SNR below the end's {end}, got {start}")
    count = _checked(steps) + (0 if clean else 1)
    grid = schedule.at(torch.linspace(start, end, count, dtype=torch.float64))
    return _cleaned(grid) if clean else grid


def karras(
    schedule: Schedule,
    steps: int,
    *,
    sigma_min: float = 0.002,
    sigma_max: float = 80.0,
    rho: float = 7.0,
    clean: bool = True,
) -> NoiseLevel:
    """EDM's grid: equal steps of sigma^(1/rho) (Karras et al. 2022, equation 5), sigma in units of the signal.

    Stable Video Diffusion takes 0.002 to 700.
    """
    if not 0 < sigma_min < sigma_max:
        raise ValueError(f"sigma_min: expected more than 0 and less than sigma_max {sigma_max}, got {sigma_min}")
    count = _checked(steps) + (0 if clean else 1)
    roots = torch.linspace(sigma_max ** (1 / rho), sigma_min ** (1 / rho), count, dtype=torch.float64)
    grid = schedule.at(-2 * rho * roots.log())
    return _cleaned(grid) if clean else grid


def exponential(
    schedule: Schedule, steps: int, *, sigma_min: float | None = None, sigma_max: float | None = None
) -> NoiseLevel:
    """`uniform_logsnr` between sigmas in units of the signal."""
    start, end = (None if sigma is None else -2 * math.log(sigma) for sigma in (sigma_max, sigma_min))
    return uniform_logsnr(schedule, steps, start=start, end=end)


Grid: TypeAlias = Literal["time", "logsnr", "karras"]
GRIDS: dict[Grid, Callable[..., NoiseLevel]] = {"time": uniform_time, "logsnr": exponential, "karras": karras}
"""By the names that settings have. All but "time", which goes from end to end of the schedule, take `sigma_min` and
`sigma_max`."""

# Log-SNRs of uniform_logsnr. There is no signal before the first: the mean of 10^5 pixels has a log-SNR that is 11.5
# above theirs. After the last, sigma is 0.018, two grey levels, which the network takes away at once.
NOISIEST, CLEANEST = -12.0, 8.0


def _checked(steps: int) -> int:
    if steps < 1:
        raise ValueError(f"steps: expected at least 1, got {steps}")
    return steps


def _cleaned(grid: NoiseLevel) -> NoiseLevel:
    """The grid and, after it, no noise at all."""
    one = grid.alpha.new_ones(1)
    return NoiseLevel(torch.cat([grid.alpha, one]), torch.cat([grid.sigma, 0 * one]))
