"""From a noisy video to a clean one: a network with its parameterisation, its conditioning and its guidance.

A network here is `net(input, logsnr, cond)`: input (b, ...) at deviation one, logsnr (b,) float32, and `cond`, whatever
else it reads, a tree of tensors with the batch first (dicts, lists, tuples, None). It predicts x, eps or v.

    x = x_uncond + guidance (x_cond - x_uncond)        (Ho & Salimans 2022)

Guidance 1 is the conditional network exactly, and 0 the unconditional one, each in one pass. Papers that count from 0
(Imagen Video's w, with 1 + w) have a guidance of w + 1. All parameterisations are affine in one another, so that it
does not matter which is guided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor

from storyreel.diffusion.parameterisation import Kind, network_input, to_x
from storyreel.diffusion.schedules import NoiseLevel
from storyreel.diffusion.thresholding import check_quantile, dynamic_threshold

Network: TypeAlias = Callable[[Tensor, Tensor, Any], Tensor]
Guidance: TypeAlias = float | Tensor | Callable[[NoiseLevel], float | Tensor]
"""A number; a tensor that broadcasts with the video; or a function of the level that gives one of them."""


@dataclass(frozen=True, eq=False)
class Denoiser:
    """Called with a noisy video z and its level, it gives the clean video, in the dtype and shape of z.

    network: see the module; `predict` is what it predicts. cond: what it reads. uncond: the same without conditioning,
    a tree of the same form; None: no guidance. batched: both halves of guidance in one batch, which accelerators want,
    and the CPU where videos are small; else one after the other, which halves the memory. threshold: the quantile of
    dynamic thresholding; 0 clips to [-1, 1]; None leaves x as it is (latents, embeddings). ValueError for guidance that
    is negative or not finite, and for `uncond` of another form.
    """

    network: Network
    cond: Any = None
    uncond: Any = None
    guidance: Guidance = 1.0
    predict: Kind = "v"
    batched: bool = True
    threshold: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.guidance, (int, float)):
            _checked(self.guidance)
        if self.threshold:
            check_quantile(self.threshold)

    def __call__(self, z: Tensor, level: NoiseLevel) -> Tensor:
        guidance = self.guidance(level) if callable(self.guidance) else self.guidance
        if self.uncond is None or (not isinstance(guidance, Tensor) and _checked(guidance) == 1):
            (x,) = self._pass(z, level, self.cond)
        elif not isinstance(guidance, Tensor) and guidance == 0:
            (x,) = self._pass(z, level, self.uncond)
        else:
            if self.batched:
                cond, uncond = self._pass(z, level, self._both, count=2)
            else:
                cond, uncond = *self._pass(z, level, self.cond), *self._pass(z, level, self.uncond)
            x = torch.lerp(uncond, cond, guidance.to(z) if isinstance(guidance, Tensor) else float(guidance))
        if self.threshold is None:
            return x
        return dynamic_threshold(x, self.threshold) if self.threshold else x.clamp(-1, 1)

    def _pass(self, z: Tensor, level: NoiseLevel, cond: Any, count: int = 1) -> list[Tensor]:
        """x for each of `count` conditionings, which lie behind one another in `cond`, of one pass of the network."""
        entered, logsnr = network_input(z, level), level.each(z).logsnr
        if count > 1:
            entered, logsnr = torch.cat([entered] * count), torch.cat([logsnr] * count)
        output = self.network(entered, logsnr, cond)
        return [to_x(part.to(z.dtype), z, level, self.predict) for part in output.chunk(count)]

    @cached_property
    def _both(self) -> Any:
        return side_by_side(self.cond, self.uncond)

    def of_frames(self, frames: slice, cut: Callable[[Any], Any]) -> Denoiser:
        """The same for some of the frames of a video (b, c, t, h, w). cut: gives their part of a conditioning."""
        guidance, uncond = self.guidance, None if self.uncond is None else cut(self.uncond)
        if isinstance(guidance, Tensor) and guidance.ndim == 5:
            guidance = guidance[:, :, frames]
        return replace(self, cond=cut(self.cond), uncond=uncond, guidance=guidance)


def is_guided(guidance: Guidance) -> bool:
    """Whether any step or frame needs the network without conditioning."""
    return not (isinstance(guidance, (int, float)) and guidance == 1)


def side_by_side(cond: Any, uncond: Any) -> Any:
    """Two trees of tensors (b, ...) as one of (2b, ...). ValueError where their forms differ."""
    if isinstance(cond, Tensor) and isinstance(uncond, Tensor):
        if cond.shape != uncond.shape:
            raise ValueError(f"uncond: expected the shape {tuple(cond.shape)} of cond, got {tuple(uncond.shape)}")
        return torch.cat([cond, uncond])
    if cond is None and uncond is None:
        return None
    if type(cond) is not type(uncond) or not isinstance(cond, (dict, list, tuple)) or len(cond) != len(uncond):
        raise ValueError(f"uncond: expected the form of cond, {_form(cond)}, got {_form(uncond)}")
    if isinstance(cond, dict):
        if cond.keys() != uncond.keys():
            raise ValueError(f"uncond: expected {', '.join(cond)}, got {', '.join(uncond)}")
        return {name: side_by_side(cond[name], uncond[name]) for name in cond}
    pairs = [side_by_side(a, b) for a, b in zip(cond, uncond, strict=True)]
    named = hasattr(cond, "_fields")  # a named tuple takes its entries one by one
    return type(cond)(*pairs) if named else type(cond)(pairs)


def _checked(guidance: float) -> float:
    if not (math.isfinite(guidance) and guidance >= 0):
        raise ValueError(f"guidance: expected a number from 0, got {guidance}")
    return guidance


def _form(tree: Any) -> str:
    return f"{type(tree).__name__} of {len(tree)}" if isinstance(tree, (dict, list, tuple)) else type(tree).__name__
