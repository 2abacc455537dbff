"""Samples a large video in runs of frames, in place: one tensor of the whole, where plain sampling keeps eight or more.

The steps are those of the samplers. The network sees a run with the frames around it that it can make use of, as noisy
as they were before the step, so that the result is that of the whole. For networks that see surroundings alone, and
samplers whose steps are `local`.

Axes: b batch, c channels, t frames, h rows, w columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from storyreel.diffusion.samplers import OnStep, Point, Sampler, check_finite
from storyreel.diffusion.schedules import NoiseLevel

Run: TypeAlias = tuple[slice, slice]
"""Frames: which are seen, and which of them are made."""
DenoiseRun: TypeAlias = Callable[[Tensor, NoiseLevel, slice], Tensor]
"""(noisy frames, level, which frames they are) -> clean ones."""


def streamed(
    denoise: DenoiseRun,
    z: Tensor,
    levels: NoiseLevel,
    runs: Sequence[Run],
    *,
    sampler: Sampler,
    on_step: OnStep | None = None,
) -> Tensor:
    """What the sampler, whose steps are local, makes of z (b, c, t, h, w), which is overwritten.

    runs: in the order of time, together all frames. on_step gets z itself, which is noisy until the last step.
    ValueError where the network gives NaN or infinity; it names the step.
    """
    steps, max_earlier = len(levels) - 1, max(made.start - seen.start for seen, made in runs)
    before = torch.empty_like(z) if sampler.second_order else None
    for i in range(steps):
        past = z[:, :, :0]  # frames before this run, as they were
        for seen, made in runs:
            earlier = made.start - seen.start
            old = z[:, :, made].clone()
            noisy = torch.cat([past[:, :, past.shape[2] - earlier :], z[:, :, made.start : seen.stop]], 2)
            x = denoise(noisy, levels[i], seen)[:, :, earlier : earlier + made.stop - made.start]
            check_finite(x, i, steps)
            last = before[:, :, made] if before is not None and i else None
            at = Point(z=old, x=x, levels=levels, index=i, before=last, noise=_unused, denoise=_unused)
            z[:, :, made] = sampler.step(at).to(z.dtype)
            if before is not None:
                before[:, :, made] = x
            past = torch.cat([past, old], 2)
            past = past[:, :, max(0, past.shape[2] - max_earlier) :]
        if on_step:
            on_step(i + 1, steps, z)
    return z


def _unused(*_: object) -> Tensor:
    raise AssertionError("a local step draws no noise and evaluates the network once")
