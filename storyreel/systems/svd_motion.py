"""How much a clip moves, as a number from 0 to 255 that the network of Stable Video Diffusion reads: the motion bucket.

The paper conditions on a motion score and does not say how its published "motion bucket" is computed. Here it is the
place of a clip in its training set: the mean length of its optical flow (`nn/flow.py`), in pixels a second at the size
of the training clips, is looked up in the quantiles of all training clips. 0 moves least, 127 is the median.

Axes: b batch, c channels, t frames, h rows, w columns.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.nn.flow import flow_between

BUCKETS = 256
USUAL_BUCKET = BUCKETS // 2 - 1  # the median clip moves so much
LUMA = (0.299, 0.587, 0.114)
SMALLEST = 24  # pixels a side, below which flow is not looked for at half the size


def flow_speed(video: Tensor, fps: float) -> Tensor:
    """Mean length of the flow of videos (b, 3 or more, t, h, w) in [-1, 1]: (b,) float32, pixels a second; 0 for a
    single frame. A fourth channel, the matte, is not looked at."""
    b, _, t, h, w = video.shape
    if t < 2 or video.is_meta:
        return torch.zeros(b, device=video.device)
    weights = torch.tensor(LUMA).view(1, 3, 1, 1, 1)
    grey = ((video[:, :3].float().cpu() + 1) * 127.5 * weights).sum(1)  # (b, t, h, w)
    half = 2 if min(h, w) // 2 >= SMALLEST else 1
    grey = F.avg_pool2d(grey, half) if half > 1 else grey
    before, after = (part.flatten(0, 1)[:, None] for part in (grey[:, :-1], grey[:, 1:]))
    length = flow_between(before, after).by.norm(dim=1).mean((1, 2)) * half * fps
    return length.view(b, t - 1).mean(1).to(video.device)


def quantiles(speeds: Tensor) -> Tensor:
    """The map of a training set: its speeds (n,) -> float32 (256,), rising, the quantiles 0/255, 1/255, ... 1."""
    ordered = speeds.float().sort().values
    places = torch.linspace(0, len(ordered) - 1, BUCKETS)
    low = places.long()
    high = (low + 1).clamp(max=len(ordered) - 1)
    return torch.lerp(ordered[low], ordered[high], places - low)


def bucket_of(speeds: Tensor, edges: Tensor) -> Tensor:
    """Speeds (b,) -> buckets (b,) float32, 0 to 255, by the map of `quantiles`; equal speeds have their middle."""
    first, last = (torch.searchsorted(edges, speeds.to(edges), right=side) for side in (False, True))
    return ((first + last - 1).float() / 2).clamp(0, BUCKETS - 1)
