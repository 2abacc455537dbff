"""Whether a model moves as much as it is asked to: the motion that was asked for, against the flow that is measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from storyreel.clip import Clip
from storyreel.evaluate.interval import Measured, resampled
from storyreel.nn.flow import flow_of


def speed_of(clip: Clip) -> float:
    """Mean length of a clip's optical flow, pixels a second; a matte is seen over grey. 0 for a single frame."""
    if len(clip) < 2:
        return 0.0
    frames = torch.from_numpy(clip.over().frames.copy())
    return float(flow_of(frames).by.norm(dim=1).mean()) * float(clip.fps)


def motion_control(requested: Sequence[float], clips: Sequence[Clip]) -> Measured:
    """Spearman's rank correlation of the motion asked for, one number a clip, with `speed_of` the clips; the interval
    is by resampling clips. NaN where either never varies. ValueError for another number of clips, or fewer than 3."""
    if len(requested) != len(clips) or len(clips) < 3:
        raise ValueError(
            f"clips: expected one for each number asked for, at least 3, got {len(clips)} and {len(requested)}"
        )
    return rank_correlation(requested, [speed_of(clip) for clip in clips])


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> Measured:
    """Spearman's rho of pairs, with its interval by resampling them."""
    from scipy.stats import rankdata

    first, second = (np.asarray(each, np.float64) for each in (one, other))

    def rho(picked: np.ndarray) -> np.ndarray:
        a, b = (rankdata(each[picked], axis=-1) for each in (first, second))
        a, b = (each - each.mean(-1, keepdims=True) for each in (a, b))
        with np.errstate(invalid="ignore", divide="ignore"):
            return (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))

    return resampled(len(first), rho)
