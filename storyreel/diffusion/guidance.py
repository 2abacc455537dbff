"""A network becomes a `Denoise`: alone, or guided by what it would say without being told (Ho & Salimans 2022).

A network here is `net(input, logsnr, cond)`: input (b, ...) at deviation one, logsnr (b,) float32, and `cond`, whatever
else it wants, a tree of tensors with the batch first (dicts, lists, tuples, None). It gives x, eps or v.

    x = untold + scale (told - untold)

Scale 1 is the conditional network exactly, and 0 the unconditional one, at the cost of one pass. Papers that count from
0 (Imagen Video's w, with 1 + w) have a scale of w + 1. All kinds of output are affine in one another, so that it does
not matter which is guided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from storyreel.diffusion.parameterisation import Kind, network_input, to_x
from storyreel.diffusion.samplers import Denoise
from storyreel.diffusion.schedules import Level

Network: TypeAlias = Callable[[Tensor, Tensor, Any], Tensor]
Scale: TypeAlias = float | Tensor | Callable[[Level], float | Tensor]
"""A number; a tensor that broadcasts with the video; or a function of the level that gives one of them."""


def denoiser(net: Network, cond: Any, *, kind: Kind = "v") -> Denoise:
    """The network as it is, told `cond`."""

    def denoise(z: Tensor, level: Level) -> Tensor:
        output = net(network_input(z, level), level.each(z).logsnr, cond)
        return to_x(output.to(z.dtype), z, level, kind)

    return denoise


def guided(net: Network, told: Any, untold: Any, scale: Scale, *, kind: Kind = "v", at_once: bool = True) -> Denoise:
    """Classifier-free guidance. told, untold: trees of one form, of which the second tells nothing.

    at_once: both in one batch, which accelerators want, and the CPU where videos are small; else one after the other,
    which halves the memory. ValueError for a scale that is negative or not finite.
    """
    if isinstance(scale, (int, float)):
        _checked(scale)
    alone, without = denoiser(net, told, kind=kind), denoiser(net, untold, kind=kind)
    both = side_by_side(told, untold) if at_once and not _needs_one(scale) else None

    def denoise(z: Tensor, level: Level) -> Tensor:
        now = scale(level) if callable(scale) else scale
        if not isinstance(now, Tensor):
            if _checked(now) == 1:
                return alone(z, level)
            if now == 0:
                return without(z, level)
        if at_once:
            entered, logsnr = network_input(z, level), level.each(z).logsnr
            output = net(torch.cat([entered, entered]), torch.cat([logsnr, logsnr]), both)
            one, other = (to_x(half.to(z.dtype), z, level, kind) for half in output.chunk(2))
        else:
            one, other = alone(z, level), without(z, level)
        if isinstance(now, Tensor):
            return torch.lerp(other, one, now.to(z))
        return torch.lerp(other, one, float(now))

    return denoise


def side_by_side(told: Any, untold: Any) -> Any:
    """Two trees of tensors (b, ...) as one of (2b, ...). ValueError where their forms differ."""
    if isinstance(told, Tensor) and isinstance(untold, Tensor):
        if told.shape != untold.shape:
            raise ValueError(f"untold: wanted the shape {tuple(told.shape)} of what is told, got {tuple(untold.shape)}")
        return torch.cat([told, untold])
    if told is None and untold is None:
        return None
    if type(told) is not type(untold) or not isinstance(told, (dict, list, tuple)) or len(told) != len(untold):
        raise ValueError(f"untold: wanted the form of what is told, {_form(told)}, got {_form(untold)}")
    if isinstance(told, dict):
        if told.keys() != untold.keys():
            raise ValueError(f"untold: wanted {', '.join(told)}, got {', '.join(untold)}")
        return {name: side_by_side(told[name], untold[name]) for name in told}
    pairs = [side_by_side(a, b) for a, b in zip(told, untold, strict=True)]
    named = hasattr(told, "_fields")  # a named tuple takes its entries one by one
    return type(told)(*pairs) if named else type(told)(pairs)


# -- scales ------------------------------------------------------------------------------------------------------


def oscillating(levels: Level, *, first: int, high: float = 15.0, low: float = 1.0) -> Callable[[Level], float]:
    """`high` for the first steps of this grid, then low and high in turns (Imagen Video, Section 2.6).

    High guidance all along saturates colours; with low guidance in between it does not. Steps at `low` = 1 cost half.
    """
    known = levels.logsnr[:-1]

    def scale(level: Level) -> float:
        step = int((known - level.logsnr.to(known)).abs().argmin())
        return low if step >= first and (step - first) % 2 == 0 else high

    return scale


def ramp(low: float, high: float, frames: int) -> Tensor:
    """From `low` in the first frame to `high` in the last, (1, 1, t, 1, 1): for a first frame that is given (Stable
    Video Diffusion, 1 to 2.5 or 3)."""
    return torch.linspace(low, high, frames).view(1, 1, -1, 1, 1)


def within(scale: Scale, low: float, high: float) -> Callable[[Level], float | Tensor]:
    """The scale at log-SNRs from `low` to `high`, and 1 elsewhere, at half the cost (Kynkäänniemi et al. 2024)."""
    if not low < high:
        raise ValueError(f"low: wanted a log-SNR below {high}, got {low}")

    def limited(level: Level) -> float | Tensor:
        if not low <= float(level.logsnr) <= high:
            return 1.0
        return scale(level) if callable(scale) else scale

    return limited


def _checked(scale: float) -> float:
    if not (math.isfinite(scale) and scale >= 0):
        raise ValueError(f"guidance: wanted a number from 0, got {scale}")
    return scale


def _needs_one(scale: Scale) -> bool:
    return isinstance(scale, (int, float)) and scale in (0, 1)


def _form(tree: Any) -> str:
    return f"{type(tree).__name__} of {len(tree)}" if isinstance(tree, (dict, list, tuple)) else type(tree).__name__
