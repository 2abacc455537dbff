"""Wipes: an edge moves over the picture, and what changes from frame to frame changes along that edge.

A moving camera changes the whole picture at once; in a wipe nearly all change lies in a narrow band whose place in
each frame follows from the direction and the interval.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from storyreel.curate.cuts_evidence import Evidence
from storyreel.curate.cuts_gradual import CONTEXT

_AROUND = 10  # frames before and behind an interval that tell how much changes anyway
DIRECTIONS = 16
"""Straight edges that are tried; a circle that grows and one that shrinks come on top."""


def wipe_fit(evidence: Evidence, start: int, length: int) -> float:
    """How much more of the change lies along the best moving edge than its band has area, as a share: at most 1.

    The frames are [start, start + length); 0 is what a change all over the picture gives.
    """
    change = _change(evidence, start, length)  # (t, cells)
    total = change.sum()
    if total <= 0:
        return 0.0
    band = _bands(length)  # (ways, t, cells)
    inside = band.reshape(len(band), -1) @ change.ravel() / total  # (ways,)
    # The area is weighted with how much changes in each frame, so that one loud frame cannot stand for an edge.
    area = _areas(length) @ change.sum(1) / total
    return float(((inside - area) / (1 - area)).max())


def _change(evidence: Evidence, start: int, length: int) -> np.ndarray:
    """How far each part of the picture comes nearer to the later shot, frame by frame, float32 (t, cells).

    Change that leads elsewhere is left out, and so is as much as there is before and behind: shake, leaves.
    """
    first, last = max(0, start - _AROUND), min(len(evidence), start + length + _AROUND)
    frames = evidence.coarse[first:last]  # (t, 3, 9, 16)
    begin, end = start - first, start - first + length
    way = frames[end : end + CONTEXT].mean(0) - frames[begin - CONTEXT : begin].mean(0)
    nearer = ((frames[2:] - frames[:-2]) * way).sum(1) / np.sqrt(np.maximum((way * way).sum(0), 4.0))
    nearer = np.maximum(nearer, 0).reshape(len(frames) - 2, -1)  # row k is of frame k + 1
    outside = np.concatenate([nearer[: max(0, begin - 2)], nearer[end:]])
    usual = outside.mean(0) if len(outside) else np.zeros(nearer.shape[1], np.float32)
    change = np.maximum(nearer[begin - 1 : end - 1] - 2 * usual, 0)
    # Each frame counts alike: a wipe goes on all the time.
    return change / np.maximum(change.sum(1, keepdims=True), 0.1 * change.sum(1).max() + 1e-6)


@cache
def _bands(length: int) -> np.ndarray:
    """Which parts lie near the edge in each frame, for each way of wiping: float32 (ways, length, 9 * 16)."""
    weight = (np.arange(length) + 1) / (length + 1)
    half = 0.07 + 1.0 / (length + 1)
    bands = np.abs(_moments()[:, None] - weight[None, :, None]) < half
    return bands.astype(np.float32)


@cache
def _areas(length: int) -> np.ndarray:
    """Share of the picture that a band has in each frame: (ways, length)."""
    return _bands(length).mean(2)


@cache
def _moments() -> np.ndarray:
    """When each part of the picture changes, from 0 to 1, for each way of wiping: (ways, 9 * 16)."""
    y, x = np.meshgrid((np.arange(9) + 0.5) / 9 - 0.5, (np.arange(16) + 0.5) / 16 - 0.5, indexing="ij")
    ways = []
    for number in range(DIRECTIONS):
        angle = 2 * np.pi * number / DIRECTIONS
        ways.append(np.cos(angle) * x + np.sin(angle) * y)
    circle = np.hypot(x * 16 / 9, y)
    ways += [circle, -circle]
    return np.stack([((way - way.min()) / (way.max() - way.min())).ravel() for way in ways])
