"""Blonde hair of one hue."""

from __future__ import annotations

import numpy as np

from storyreel.worlds.sprites_blonde import with_even_blonde

TAN, MUSTARD, GOLD = (215, 165, 84), (180, 160, 40), (200, 180, 30)
WORN = {"hair_color": "blonde", "action": "walk", "facing": "down"}


def clip() -> np.ndarray:
    """Eight frames of tan hair with a mustard patch, above something of gold."""
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 14:28, 24:40] = (*TAN, 255)
    frames[:, 20:22, 26:30, :3] = MUSTARD
    frames[:, 44:60, 24:40] = (*GOLD, 255)
    return frames


def test_mustard_patches_in_blonde_hair_become_tan() -> None:
    made = with_even_blonde(before := clip(), WORN)
    assert not (made[..., :3] == MUSTARD).all(-1).any()
    patch = made[:, 20:22, 26:30, :3].astype(int)
    assert (patch[..., 0] - patch[..., 1] > 30).all(), "as red as the hair around"
    assert (made[:, 14:20] == before[:, 14:20]).all()
    assert (made[:, 44:] == before[:, 44:]).all(), "gold below stays"


def test_other_hair_and_what_is_below_a_helmet_stays() -> None:
    for more in ({"hair_color": "brown"}, {"head": "golden helmet"}):
        frames = clip()
        assert with_even_blonde(frames, WORN | more) is frames
    small = clip()[:, :32, :32]
    assert with_even_blonde(small, WORN) is small
