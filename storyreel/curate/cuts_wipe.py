"""Wipes: an edge moves over the picture, so that each part of it is cut hard, at a time that follows from its place.

A moving camera changes all parts at once, and a dissolve passes slowly everywhere.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from storyreel.curate.cuts_evidence import Evidence
from storyreel.curate.cuts_gradual import CONTEXT

DIRECTIONS = 16
"""Straight edges that are tried; a circle that grows and one that shrinks come on top."""
_SOFT = 0.1  # width of an edge, as a share of its way
_BESIDE = 10  # frames before and behind an interval that tell how much changes anyway
_OVER = 0.3  # how far a part may be beyond what is before or behind


def wipe_fit(evidence: Evidence, start: int, length: int) -> float:
    """How well an edge that moves over the picture in [start, start + length) explains it: at most 1.

    1 minus the squared error of where each part stands between before (0) and behind (1), as a share of what saying
    one half everywhere would err; some frames on both sides count as well. Parts count as they differ.
    """
    around = _around(length)
    first, last = start - around, start + length + around
    if first < 0 or last > len(evidence) or start < CONTEXT:
        return 0.0
    frames = evidence.coarse[first:last].reshape(last - first, 3, -1)  # (t, 3, cells)
    begin, end = around, around + length
    before = frames[begin - CONTEXT : begin].mean(0)
    way = frames[end : end + CONTEXT].mean(0) - before
    apart = (way * way).sum(0)  # (cells,)
    passed = ((frames - before) * way).sum(1) / np.maximum(apart, 4.0)
    passed = np.clip(passed, -_OVER, 1 + _OVER)  # (t, cells)
    step, squared = _edges(length)
    error = (passed * passed) @ apart
    error = error.sum() - 2 * (step @ (passed * apart).ravel()) + squared @ np.tile(apart, last - first)
    even = 0.25 * apart.sum() * length + 1e-6
    return float(1 - error.min() / even)


def band_fit(evidence: Evidence, start: int, length: int) -> float:
    """How much more of the change lies along the best moving edge than its band has area, as a share: at most 1.

    Only change towards the later shot counts, and only what is beyond the usual before and behind; 0 is what a change
    all over the picture gives.
    """
    first, last = max(0, start - _BESIDE), min(len(evidence), start + length + _BESIDE)
    frames = evidence.coarse[first:last]  # (t, 3, 9, 16)
    begin, end = start - first, start - first + length
    way = frames[end : end + CONTEXT].mean(0) - frames[begin - CONTEXT : begin].mean(0)
    nearer = ((frames[2:] - frames[:-2]) * way).sum(1) / np.sqrt(np.maximum((way * way).sum(0), 4.0))
    nearer = np.maximum(nearer, 0).reshape(len(frames) - 2, -1)  # row k is of frame k + 1
    outside = np.concatenate([nearer[: max(0, begin - 2)], nearer[end:]])
    usual = outside.mean(0) if len(outside) else np.zeros(nearer.shape[1], np.float32)
    change = np.maximum(nearer[begin - 1 : end - 1] - 2 * usual, 0)
    # Each frame counts alike: a wipe goes on all the time.
    change = change / np.maximum(change.sum(1, keepdims=True), 0.1 * change.sum(1).max() + 1e-6)
    total = float(change.sum())
    if total <= 0:
        return 0.0
    bands, areas = _bands(length)
    # The area is weighted with how much changes in each frame, so that one loud frame cannot stand for an edge.
    inside, area = bands.reshape(len(bands), -1) @ change.ravel() / total, areas @ change.sum(1) / total
    return float(((inside - area) / (1 - area)).max())


@cache
def _bands(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Which parts lie near the edge in each frame, float32 (ways, length, cells), and their share (ways, length)."""
    weight = (np.arange(length) + 1) / (length + 1)
    half = 0.07 + 1.0 / (length + 1)
    bands = (np.abs(_moments()[:, None] - weight[None, :, None]) < half).astype(np.float32)
    return bands, bands.mean(2)


def _around(length: int) -> int:
    return CONTEXT + length // 8


@cache
def _edges(length: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each part stands in each frame, and its square, for each way of wiping: float32 (ways, frames * cells)."""
    around = _around(length)
    time = (np.arange(-around, length + around) + 1) / (length + 1)
    moments = _moments()
    passed = (time[None, :, None] * (1 + _SOFT) - moments[:, None] * 1.0) / _SOFT
    step = np.clip(passed, 0, 1).astype(np.float32).reshape(len(moments), -1)
    return step, step * step


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
