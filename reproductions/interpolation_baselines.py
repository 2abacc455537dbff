"""Frames between known ones without a trained network: repeated, or warped along the optical flow."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from storyreel.nn.flow import flow_between, warp


def repeated(known: Tensor, places: Tensor, frames: int) -> Tensor:
    """Each frame is the last that is known. known (1, c, k, h, w) in [-1, 1] -> (1, c, frames, h, w)."""
    index = (torch.searchsorted(places, torch.arange(frames), right=True) - 1).clamp(min=0)
    return known[:, :, index]


def warped(known: Tensor, places: Tensor, frames: int) -> Tensor:
    """Between two known frames, both moved along the flow from one to the other, and mixed by how near they are; after
    the last, that one moved on as it came."""
    one = known[0].transpose(0, 1)  # (k, c, h, w)
    grey = (one[:, :3].mean(1, keepdim=True) + 1) * 127.5
    by = flow_between(grey[:-1], grey[1:]).by  # (k - 1, 2, h, w)
    made = []
    for t in range(frames):
        after = int(torch.searchsorted(places, t, right=True))
        first = min(max(0, after - 1), len(places) - 2)
        a, b = int(places[first]), int(places[first + 1])
        share, flow = (t - a) / (b - a), by[first : first + 1]
        if t in (a, b):
            made.append(one[first + (t == b)][None])
        elif share > 1:
            made.append(warp(one[first + 1 :][:1], (1 - share) * flow))
        else:
            from_first = warp(one[first : first + 1], -share * flow)
            from_next = warp(one[first + 1 : first + 2], (1 - share) * flow)
            made.append((1 - share) * from_first + share * from_next)
    return torch.cat(made).transpose(0, 1)[None]


FILLERS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {"repeated": repeated, "optical flow": warped}
