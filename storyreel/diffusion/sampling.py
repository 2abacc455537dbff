"""How a network is sampled, as a value: sampler, grid, steps, guidance, thresholding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from storyreel.diffusion.guidance import Network, Scale, denoiser, guided, oscillating
from storyreel.diffusion.parameterisation import Kind
from storyreel.diffusion.samplers import SAMPLERS, Denoise, Sampler
from storyreel.diffusion.schedules import GRIDS, Level, Schedule
from storyreel.diffusion.thresholding import clipped, thresholded
from storyreel.field_ranges import SamplingSteps

MAX_STEPS = 4096


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a stage is sampled, where a request leaves it open.

    guidance: the scale; 1 is the conditional network. oscillate: after so many steps it alternates with 1; 0: never.
    threshold: the quantile of dynamic thresholding; 0 clips to [-1, 1]. snr: signal to noise in the conditioning video.
    tile, chunk: pixels a side and frames that the network makes at once; 0: all. It sees as much more on each
    side as it can make use of, so that the result is that of the whole.
    grid: of the levels, or the sampler's own. gamma: of ancestral sampling alone, the share of the forward step's
    variance in the noise that is drawn.
    """

    steps: SamplingSteps = 128
    guidance: float = 1.0
    oscillate: int = 0
    sampler: str = "ddim"
    threshold: float = 0.0
    snr: float = 5.0
    tile: int = 0
    chunk: int = 0
    grid: Literal["", "time", "logsnr", "karras"] = ""
    gamma: float = 0.0

    def __post_init__(self) -> None:
        check_steps(self.steps)
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler: wanted one of {', '.join(SAMPLERS)}, got {self.sampler!r}")
        if self.grid and self.grid not in GRIDS:
            raise ValueError(f"grid: wanted one of {', '.join(GRIDS)}, got {self.grid!r}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold: wanted 0 to 1, got {self.threshold}")
        if not self.snr > 0:
            raise ValueError(f"snr: wanted more than 0, got {self.snr}")
        self.method.step_with(self.gamma or None)

    @property
    def method(self) -> Sampler:
        return SAMPLERS[self.sampler]

    def levels(self, schedule: Schedule, steps: int) -> Level:
        """The grid, of this many steps."""
        return GRIDS[self.grid or self.method.grid](schedule, steps)

    def guided(
        self,
        network: Network,
        cond: Any,
        uncond: Any,
        scale: float,
        levels: Level,
        *,
        kind: Kind = "v",
        at_once: bool = True,
        clip: bool = True,
    ) -> Denoise:
        """The network, which gives `kind`, as the sampler evaluates it on this grid. uncond: None is no guidance.

        at_once: both halves of guidance in one batch. clip: to [-1, 1], or by the threshold.
        """
        if uncond is None:
            denoise = denoiser(network, cond, kind=kind)
        else:
            denoise = guided(network, cond, uncond, self._scale(scale, levels), kind=kind, at_once=at_once)
        if not clip:
            return denoise
        return thresholded(denoise, self.threshold) if self.threshold else clipped(denoise)

    def _scale(self, scale: float, levels: Level) -> Scale:
        first = self.oscillate
        return oscillating(levels, first=first, high=scale) if first and scale > 1 else scale


def check_steps(steps: int) -> None:
    """ValueError out of range."""
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"steps: wanted 1 to {MAX_STEPS}, got {steps}")


def check_guidance(guidance: float) -> None:
    """ValueError out of range."""
    if not 0 <= guidance <= 1000:
        raise ValueError(f"guidance: wanted 0 to 1000, got {guidance:g}")
