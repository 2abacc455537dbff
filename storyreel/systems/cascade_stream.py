"""A large video sampled in runs of frames, in place: one tensor of the whole, where plain samplers keep eight or more.

The network sees a run with the frames around it that it can make use of, as noisy as they were before the step, so that
the result is that of the whole. For networks that see surroundings alone, and samplers whose steps are those of DDIM.

Axes: b batch, c channels, t frames, h rows, w columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from storyreel.diffusion.samplers import OnStep, ddim_step
from storyreel.diffusion.schedules import Level

Run: TypeAlias = tuple[slice, slice]
"""Frames: which are seen, and which of them are made."""
DenoiseRun: TypeAlias = Callable[[Tensor, Level, slice], Tensor]
"""(noisy frames, level, which frames they are) -> clean ones."""
STREAMED = ("ddim", "euler", "dpm-solver")


def streamed(
    denoise: DenoiseRun,
    z: Tensor,
    levels: Level,
    runs: Sequence[Run],
    *,
    second_order: bool,
    on_step: OnStep | None = None,
) -> Tensor:
    """`samplers.ddim`, or `samplers.dpm_solver` (second_order), of z (b, c, t, h, w), which is overwritten.

    runs: in the order of time, together all frames. on_step is told z itself, which is noisy until the last step.
    ValueError where the network gives NaN or infinity; it names the step.
    """
    steps, most = len(levels) - 1, max(made.start - seen.start for seen, made in runs)
    before = torch.empty_like(z) if second_order else None
    for i in range(steps):
        here, there = levels[i], levels[i + 1]
        past = z[:, :, :0]  # frames before this run, as they were
        for seen, made in runs:
            earlier = made.start - seen.start
            old = z[:, :, made].clone()
            given = torch.cat([past[:, :, past.shape[2] - earlier :], z[:, :, made.start : seen.stop]], 2)
            x = denoise(given, here, seen)[:, :, earlier : earlier + made.stop - made.start]
            if not bool(x.sum(dtype=torch.float32).isfinite()):
                raise ValueError(f"sampling: the network gave NaN or infinity in step {i + 1} of {steps}")
            ahead = x
            if before is not None:
                if i and not there.clean:
                    h, h_before = there.logsnr - here.logsnr, here.logsnr - levels[i - 1].logsnr
                    ahead = x + (h / (2 * h_before)).to(x) * (x - before[:, :, made])
                before[:, :, made] = x
            z[:, :, made] = ddim_step(old, ahead, here, there).to(z.dtype)
            past = torch.cat([past, old], 2)
            past = past[:, :, max(0, past.shape[2] - most) :]
        if on_step:
            on_step(i + 1, steps, z)
    return z
