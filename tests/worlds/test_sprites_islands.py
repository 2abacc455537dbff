"""Bits beside somebody."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.pieces import small_pieces
from storyreel.worlds.sprites_islands import LEAST, without_islands


@pytest.mark.parametrize("channels", [3, 4])
def test_small_bits_beside_somebody_go_and_all_else_stays(channels: int) -> None:
    frames = np.full((3, 64, 64, channels), 0 if channels == 4 else 128, np.uint8)
    frames[:, 16:60, 24:40] = (90, 60, 30, 255)[:channels]
    frames[:, 15, 23] = (1, 2, 3, 255)[:channels]  # which touches a corner
    frames[:, 5 : 5 + LEAST, 10] = (9, 9, 9, 255)[:channels]
    clean = frames.copy()
    frames[0, 40, 0:17] = frames[2, 62, 50] = (200, 20, 20, 255)[:channels]
    np.testing.assert_array_equal(without_islands(frames, {}), clean)
    assert without_islands(frames, {"weapon": "spear"}) is frames
    small = frames[:, :32, :32]
    assert without_islands(small, {}) is small


def test_pieces_hang_together_across_corners() -> None:
    solid = np.zeros((8, 8), bool)
    solid[[0, 1, 2, 6], [0, 1, 0, 6]] = True
    assert len(small_pieces(solid, LEAST)) == 2
    assert not small_pieces(np.zeros((8, 8), bool), LEAST)
