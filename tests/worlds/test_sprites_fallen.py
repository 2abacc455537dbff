"""Who lies on the ground after a fall."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.sprites_fallen import with_fallen

SKIN, HAIR, SHIRT, PANTS, SHOES = (250, 205, 170), (200, 120, 40), (40, 90, 200), (40, 150, 60), (150, 90, 40)
ROWS = {(16, 26): HAIR, (26, 36): SKIN, (36, 46): SHIRT, (46, 57): PANTS, (57, 62): SHOES}


def somebody(channels: int = 4) -> np.ndarray:
    """Eight frames of who stands, in which nothing falls."""
    frames = np.full((8, 64, 64, 4), (128, 128, 128, 0), np.uint8)
    for (top, bottom), color in ROWS.items():
        frames[:, top:bottom, 25:39] = (*color, 255)
    for i, shade in enumerate((40, 20)):  # a face has three colors at least
        frames[:, 28 + i, 28:36, :3] = np.array(SKIN) - shade
    frames[:, 45:49, 20:24] = (*SKIN, 255)
    return frames if channels == 4 else frames[..., :3].copy()


@pytest.mark.parametrize("channels", [3, 4])
def test_who_has_fallen_lies_in_the_colors_of_who_stood(channels: int) -> None:
    before = somebody(channels)
    made = with_fallen(before, {"action": "hurt", "torso": "blue shirt", "sex": "male", "body": "light"})
    assert (made[:-1] == before[:-1]).all()
    assert (before == somebody(channels)).all(), "what is given stays"
    last = made[-1, ..., :3].reshape(-1, 3)
    for color in (HAIR, SHIRT, PANTS, SHOES):
        assert (last == color).all(1).sum() >= 4, color
    assert (made[-1, 16:26, 25:39, :3] == made[-1, 0, 0, :3]).all(), "nobody stands"


def test_a_gown_covers_the_legs() -> None:
    for torso, seen in (("red dress", False), ("blue shirt", True)):
        last = with_fallen(somebody(), {"action": "hurt", "torso": torso, "sex": "female"})[-1, ..., :3]
        assert bool((last == PANTS).all(-1).any()) is seen


def test_black_clothes_stay_black_and_who_walks_stays() -> None:
    frames = somebody()
    frames[:, 36:57, 25:39, :3] = (16, 16, 20)
    frames[:, 38:42, 30:34, :3] = SKIN  # an open collar
    last = with_fallen(frames, {"action": "hurt", "torso": "black robe", "sex": "male"})[-1]
    assert (last[40:44, 30:38, :3].astype(int).sum(-1) < 130).all()
    assert with_fallen(frames, {"action": "walk"}) is frames
