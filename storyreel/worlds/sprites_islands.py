"""Bits that a model draws beside somebody and that hang together with nobody: they go (`sprites_mends`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_figures import SIDE, ground_of, is_ground

LEAST = 20  # pixels of what may be a part of somebody


def without_islands(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4) -> the same without pieces of fewer than `LEAST` pixels, across edges and corners, that
    do not touch the largest one. The weapon that a model draws stays, of which a part may be behind somebody."""
    if frames.shape[1:3] != (SIDE, SIDE) or "weapon" in attributes:
        return frames
    ground = ground_of(frames)
    marks = marks_of(~is_ground(frames, ground))
    small = np.stack([np.isin(mark, _small_in(mark)) for mark in marks])
    if not small.any():
        return frames
    out = frames.copy()
    out[small] = ground
    return out


def _small_in(mark: np.ndarray) -> np.ndarray:
    names, sizes = np.unique(mark[mark > 0], return_counts=True)
    return names[(sizes < LEAST) & (sizes < sizes.max(initial=0))]


def marks_of(solid: np.ndarray) -> np.ndarray:
    """bool (f, h, w) -> int (f, h, w): a number above 0 for each piece that hangs together in a frame, 0 elsewhere."""
    height, width = solid.shape[1:]
    marks = solid * (np.arange(height * width).reshape(height, width) + 1)
    while True:
        around = np.pad(marks, ((0, 0), (1, 1), (1, 1)))
        around = np.maximum(np.maximum(around[:, :-2], around[:, 1:-1]), around[:, 2:])
        grown = solid * np.maximum(np.maximum(around[:, :, :-2], around[:, :, 1:-1]), around[:, :, 2:])
        if (grown == marks).all():
            return marks
        marks = grown
