"""Archers who are seen from behind."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.sprites_archers import FOOT, QUIVER, with_foot

SHOE, LEG = (150, 90, 40), (40, 150, 60)


def somebody(channels: int = 4) -> np.ndarray:
    frames = np.full((8, 64, 64, 4), (128, 128, 128, 0), np.uint8)
    frames[:, 16:58, 31:37] = (*LEG, 255)
    frames[:, 58:62, 31:38] = (*SHOE, 255)
    return frames if channels == 4 else frames[..., :3].copy()


@pytest.mark.parametrize("channels", [3, 4])
def test_who_shoots_away_from_us_has_two_feet_and_a_quiver_on_the_back(channels: int) -> None:
    before = somebody(channels)
    made = with_foot(before, {"action": "shoot", "facing": "up", "torso": "brown shirt"})
    row, column = (round(each) for each in FOOT.start)
    assert (made[:, row, column, :3] == SHOE).all()
    assert (made[:, round(QUIVER.start[0]), round(QUIVER.start[1])] != before[0, 0, 0]).any(-1).all()
    changed = (made[:, 16:58, 31:37] != before[:, 16:58, 31:37]).any(-1)
    assert not changed[:, :18].any(), "the head stays"
    assert not changed[:, 34:].any(), "and the legs"
    for others in ({"action": "shoot", "facing": "left"}, {"action": "walk", "facing": "up"}):
        assert with_foot(before, others) is before
