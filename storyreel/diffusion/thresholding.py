"""Keeps what a network sees in the noise within the range of videos, at every step.

Strong guidance pushes x beyond [-1, 1], where no training video is. Clipping saturates; dynamic thresholding (Saharia
et al. 2022, "Imagen", Section 2.3) scales instead: s is a high quantile of |x|, and where s is above 1, x is clipped to
[-s, s] and divided by s. s is that of the whole clip: one a frame would let the brightness flicker.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

CHUNK = 2**22  # values looked at together
LOW = 16  # bits of a float32 that the second look is for


def dynamic_threshold(x: Tensor, quantile: float = 0.995) -> Tensor:
    """x (b, ...) with the quantile of |x| of each sample brought to 1, and the rest clipped. Where that quantile is at
    most 1 this is clipping to [-1, 1]."""
    s = torch.stack([_scale(each, quantile) for each in x.detach()]).to(x.dtype)
    s = s.view(-1, *[1] * (x.ndim - 1))
    return torch.minimum(torch.maximum(x, -s), s) / s


def absolute_quantile(x: Tensor, quantile: float) -> Tensor:
    """The quantile of |x| over all of x, () float32: numpy's, interpolated linearly, for any number of values.

    torch.quantile stops at 2^24 values and sorts them all. Here the bit patterns of positive floats, which are ordered
    as the floats are, are counted in two histograms, the upper 16 bits first and then the lower ones where it matters:
    exact, the same on every run, in memory that does not grow.
    """
    check_quantile(quantile)
    flat = x.reshape(-1)
    place = quantile * (flat.numel() - 1)
    below = math.floor(place)
    counts = _count(flat, None)
    first = _at(flat, counts, below)
    if place == below:
        return first
    return torch.lerp(first, _at(flat, counts, below + 1), place - below)


def _scale(x: Tensor, quantile: float) -> Tensor:
    """max(1, quantile of |x|), the first being known as soon as few enough are beyond 1."""
    check_quantile(quantile)
    beyond = sum(int((part.abs() > 1).sum()) for part in x.reshape(-1).split(CHUNK))
    if beyond < (1 - quantile) * (x.numel() - 1):
        return x.new_ones((), dtype=torch.float32)
    return absolute_quantile(x, quantile).clamp(min=1)


def _count(flat: Tensor, upper: int | None) -> Tensor:
    """How often each upper half occurs among |x|; or, where that half is `upper`, each lower half."""
    total = torch.zeros(1 << LOW, dtype=torch.int64, device=flat.device)
    for part in flat.split(CHUNK):
        bits = part.abs().float().view(torch.int32)
        if upper is None:
            total += torch.bincount(bits >> LOW, minlength=1 << LOW)
        else:
            total += torch.bincount(bits[bits >> LOW == upper] & ((1 << LOW) - 1), minlength=1 << LOW)
    return total


def _at(flat: Tensor, counts: Tensor, rank: int) -> Tensor:
    """The value of this rank, 0 the smallest."""
    running = counts.cumsum(0)
    upper = int(torch.searchsorted(running, rank, right=True))
    before = int(running[upper] - counts[upper])
    lower = int(torch.searchsorted(_count(flat, upper).cumsum(0), rank - before, right=True))
    bits = torch.tensor((upper << LOW) | lower, dtype=torch.int32, device=flat.device)
    return bits.view(torch.float32)


def check_quantile(quantile: float) -> None:
    """ValueError out of range."""
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile: expected more than 0 and at most 1, got {quantile}")
