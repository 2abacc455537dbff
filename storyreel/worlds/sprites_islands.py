"""Bits that a model draws beside somebody and that hang together with nobody: they go (`sprites_mends`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.pieces import small_pieces
from storyreel.worlds.sprites_figures import SIDE, ground_of, is_ground

LEAST = 20  # pixels of what may be a part of somebody


def without_islands(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4) -> the same without pieces of fewer than `LEAST` pixels, across edges and corners, that
    do not touch the largest one. The weapon that a model draws stays, of which a part may be behind somebody."""
    if frames.shape[1:3] != (SIDE, SIDE) or "weapon" in attributes:
        return frames
    ground = ground_of(frames)
    small = [(i, piece) for i, solid in enumerate(~is_ground(frames, ground)) for piece in _small_in(solid)]
    if not small:
        return frames
    out = frames.copy()
    for i, piece in small:
        out[i][piece] = ground
    return out


def _small_in(solid: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of bool (h, w): the small pieces, but for the largest of all."""
    pieces = small_pieces(solid, LEAST)
    alone = sum(len(rows) for rows, _ in pieces) == solid.sum()
    largest = max((len(rows) for rows, _ in pieces), default=0) if alone else LEAST
    return [(rows, columns) for rows, columns in pieces if len(rows) < largest]
