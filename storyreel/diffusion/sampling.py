"""How a network is sampled, as a value: sampler, grid, steps, guidance, thresholding."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from storyreel.diffusion.denoiser import Guidance
from storyreel.diffusion.guidance import linear, oscillating, triangle
from storyreel.diffusion.samplers import SAMPLERS, Sampler
from storyreel.diffusion.schedules import GRIDS, Cosine, NoiseLevel, Schedule
from storyreel.field_ranges import SamplingSteps

MAX_STEPS = 4096


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How a stage is sampled, where a request leaves it open.

    guidance: 1 is the conditional network. frame_guidance: of every frame, or from `min_guidance` in the first to it in
    the last ("linear") or in the middle ("triangle"). oscillate: after so many steps it alternates with 1; 0: never.
    threshold: the quantile of dynamic thresholding; 0 clips to [-1, 1]. tile, chunk: pixels a side and frames that the
    network makes at once; 0: all. It sees as much more on each side as it can make use of, so that the result is that
    of the whole. grid: of the levels, or the sampler's own. sigma_min, sigma_max: its ends, in units of the signal, for
    the grids "karras" and "logsnr"; 0: those of the grid. gamma: of ancestral sampling alone, the share of the forward
    step's variance in the noise that is drawn.
    """

    steps: SamplingSteps = 128
    guidance: float = 1.0
    frame_guidance: Literal["constant", "linear", "triangle"] = "constant"
    min_guidance: float = 1.0
    oscillate: int = 0
    sampler: str = "ddim"
    threshold: float = 0.0
    tile: int = 0
    chunk: int = 0
    grid: Literal["", "time", "logsnr", "karras"] = ""
    sigma_min: float = 0.0
    sigma_max: float = 0.0
    gamma: float = 0.0

    @classmethod
    def current(cls, saved: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of a file, without the one that is now a stage's (`augmentation_snr`)."""
        return {name: value for name, value in saved.items() if name != "snr"}

    def resolve(self, steps: int | None, guidance: float | None) -> tuple[int, float]:
        """The steps and the guidance of one sample, where None is what is set here. ValueError: out of range."""
        steps, guidance = self.steps if steps is None else steps, self.guidance if guidance is None else guidance
        check_steps(steps)
        check_guidance(guidance)
        return steps, guidance

    def __post_init__(self) -> None:
        check_steps(self.steps)
        for name in ("guidance", "min_guidance"):
            check_guidance(getattr(self, name), name)
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler: expected one of {', '.join(SAMPLERS)}, got {self.sampler!r}")
        if self.grid and self.grid not in GRIDS:
            raise ValueError(f"grid: expected one of {', '.join(GRIDS)}, got {self.grid!r}")
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold: expected 0 to 1, got {self.threshold}")
        if self.frame_guidance not in ("constant", "linear", "triangle"):
            raise ValueError(f"frame_guidance: expected constant, linear or triangle, got {self.frame_guidance!r}")
        if self.frame_guidance == "constant" and self.min_guidance != 1:
            raise ValueError("min_guidance: expected 1 where frame_guidance is constant, which has no other")
        if self.frame_guidance != "constant" and self.oscillate:
            raise ValueError(f"oscillate: expected 0 with {self.frame_guidance} guidance, got {self.oscillate}")
        for name in ("oscillate", "tile", "chunk"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        self._check_ends()
        self.method.step_with(self.gamma or None)

    def _check_ends(self) -> None:
        for name in ("sigma_min", "sigma_max"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name):g}")
        if self.sigma_min or self.sigma_max:
            if (self.grid or self.method.grid) == "time":
                raise ValueError(
                    "sigma_max: a grid of equal times has the ends of its schedule; expected karras or logsnr"
                )
            self.levels(Cosine(), 1)

    @property
    def method(self) -> Sampler:
        return SAMPLERS[self.sampler]

    def levels(self, schedule: Schedule, steps: int) -> NoiseLevel:
        """The grid, of this many steps."""
        ends = {name: getattr(self, name) for name in ("sigma_min", "sigma_max") if getattr(self, name)}
        return GRIDS[self.grid or self.method.grid](schedule, steps, **ends)

    def guidance_of(self, guidance: float, levels: NoiseLevel, frames: int) -> Guidance:
        """A number of this request as the stage applies it: to every frame and step of the grid, or to each its own."""
        if self.frame_guidance != "constant" and guidance != self.min_guidance:
            shape = linear if self.frame_guidance == "linear" else triangle
            return shape(self.min_guidance, guidance, frames)
        first = self.oscillate
        return oscillating(levels, first=first, high=guidance) if first and guidance > 1 else guidance


def check_steps(steps: int) -> None:
    """ValueError out of range."""
    if not 1 <= steps <= MAX_STEPS:
        raise ValueError(f"steps: expected 1 to {MAX_STEPS}, got {steps}")


def check_guidance(guidance: float, name: str = "guidance") -> None:
    """ValueError out of range."""
    if not 0 <= guidance <= 1000:
        raise ValueError(f"{name}: expected 0 to 1000, got {guidance:g}")
