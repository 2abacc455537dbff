"""Knots of bandanas."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.sprites_knots import KNOTS, with_knot
from storyreel.worlds.sprites_mends import mended


def clip() -> np.ndarray:
    """Eight frames of a block in a red cap."""
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 14:62, 24:40] = (120, 60, 20, 255)
    frames[:, 14:25, 24:40, :3] = (176, 16, 14)
    return frames


@pytest.mark.parametrize("facing", ["up", "left", "right"])
@pytest.mark.parametrize("action", ["walk", "slash", "shoot"])
def test_a_bandana_has_a_knot_in_its_color(facing: str, action: str) -> None:
    worn = {"head": "red bandana", "facing": facing, "action": action}
    made = with_knot(before := clip(), worn)
    changed = (made != before).any(-1)
    assert changed.any((1, 2)).all()
    assert (made[changed][:, 0] > 2 * made[changed][:, 1]).all()
    assert (mended(before, worn) != before).any()


def test_from_the_front_none_is_seen_and_others_have_none() -> None:
    frames = clip()
    assert with_knot(frames, {"head": "red bandana", "facing": "down"}) is frames
    assert with_knot(frames, {"head": "tiara", "facing": "up"}) is frames
    assert with_knot(frames[:, :32], {"head": "red bandana", "facing": "up"}).shape == (8, 32, 64, 4)
    for _, _, text in KNOTS.values():
        assert len({len(row) for row in text.split()}) == 1
