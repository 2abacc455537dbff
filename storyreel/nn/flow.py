"""Optical flow without weights: pyramidal Lucas and Kanade (1981; Bouguet 2000), in plain PyTorch.

Good to about a tenth of a pixel where there is texture and movements stay below a quarter of the picture. Flat places,
whose movement nobody could tell, have a flow near 0 and a small `texture`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SMOOTH, STEPS, COARSEST = 7, 5, 6, 12  # pixels, pixels, per level, smallest side of a level
NOISE = 2.0  # grey levels: a gradient of this size a pixel counts as texture


@dataclass(frozen=True)
class Flow:
    """From each frame to the next. `by` float32 (t - 1, 2, h, w): x and y in pixels. `texture` (t - 1, h, w), 0 to 1:
    how well the movement of a place can be told."""

    by: Tensor
    texture: Tensor


def grey(frames: Tensor) -> Tensor:
    """uint8 (t, h, w, 3) -> float32 (t, 1, h, w), 0 to 255, Rec. 601 luma."""
    return (frames.float() @ torch.tensor([0.299, 0.587, 0.114]))[:, None]


def flow_of(frames: Tensor) -> Flow:
    """Of uint8 (t, h, w, 3) frames, t at least 2. ValueError for another shape."""
    if frames.ndim != 4 or frames.shape[-1] != 3 or len(frames) < 2:
        raise ValueError(f"frames: expected (t, h, w, 3) with t at least 2, got {tuple(frames.shape)}")
    return flow_between(grey(frames[:-1]), grey(frames[1:]))


@torch.inference_mode()
def flow_between(before: Tensor, after: Tensor) -> Flow:
    """From float (n, 1, h, w) pictures to others, 0 to 255."""
    levels = [(before, after)]
    while min(levels[-1][0].shape[-2:]) // 2 >= COARSEST:
        levels.append(tuple(F.avg_pool2d(p, 2, ceil_mode=True) for p in levels[-1]))  # pyright: ignore[reportArgumentType]
    by = torch.zeros(len(before), 2, *levels[-1][0].shape[-2:])
    texture = by[:, 0]
    for a, b in reversed(levels):
        if by.shape[-2:] != a.shape[-2:]:
            by = F.interpolate(by * 2, a.shape[-2:], mode="bilinear", align_corners=False)
        by, texture = _refined(a, b, by)
    return Flow(by, texture)


def warp(pictures: Tensor, by: Tensor) -> Tensor:
    """Float (n, c, h, w) pictures looked at where `by` (n, 2, h, w) points; the border is repeated."""
    h, w = pictures.shape[-2:]
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    at = torch.stack([(2 * (x + by[:, 0]) + 1) / w - 1, (2 * (y + by[:, 1]) + 1) / h - 1], -1)
    return F.grid_sample(pictures, at, mode="bilinear", padding_mode="border", align_corners=False)


def blurred(pictures: Tensor, size: int = 5) -> Tensor:
    """Twice a box of `size` pixels, the border repeated."""
    for _ in range(2):
        pictures = _box(pictures, size)
    return pictures


def _refined(a: Tensor, b: Tensor, by: Tensor) -> tuple[Tensor, Tensor]:
    """Gauss-Newton on sums over a window: G d = -sum (gradient * difference)."""
    padded = F.pad(a, (1, 1, 1, 1), mode="replicate")
    gx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    gy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    xx, xy, yy = (_box(p, WINDOW) for p in (gx * gx, gx * gy, gy * gy))
    least = (xx + yy) / 2 - (((xx - yy) / 2).square() + xy.square()).sqrt()  # smaller eigenvalue of G
    ridge = NOISE**2 / 16
    det = (xx + ridge) * (yy + ridge) - xy.square()
    for _ in range(STEPS):
        wrong = warp(b, by) - a
        bx, b_y = _box(gx * wrong, WINDOW), _box(gy * wrong, WINDOW)
        step = torch.cat([xy * b_y - (yy + ridge) * bx, xy * bx - (xx + ridge) * b_y], 1) / det
        by = by + step.clamp(-1.5, 1.5)
    texture = (least / (least + NOISE**2)).clamp_min(0)
    weight = texture + 1e-4
    return _box(by * weight, SMOOTH) / _box(weight, SMOOTH), texture[
        :, 0
    ]  # places that cannot tell ask their neighbours


def _box(pictures: Tensor, size: int) -> Tensor:
    """Mean over size x size, the border repeated. As two products: up to some 500 pixels faster than pooling."""
    h, w = pictures.shape[-2:]
    return _band(h, size) @ (pictures @ _band(w, size).T)


@cache
def _band(side: int, size: int) -> Tensor:
    """(side, side): row i is the mean over the `size` places around i, those outside counting as the nearest inside."""
    at = (torch.arange(side)[:, None] + torch.arange(size) - size // 2).clamp(0, side - 1)
    return torch.zeros(side, side).scatter_add_(1, at, torch.full(at.shape, 1 / size))
