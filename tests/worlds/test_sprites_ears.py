"""Pointed ears of elves, drawn over their hair."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_ears import EARS, SKINS, with_ears
from storyreel.worlds.sprites_mends import mended

SIDES = ("down", "up", "left", "right")


def clip(channels: int = 4) -> np.ndarray:
    """Eight frames of a block of hair on nothing."""
    frames = np.zeros((8, 64, 64, channels), np.uint8)
    frames[:, 14:62, 24:40] = (120, 60, 20, 255)[:channels]
    return frames


@pytest.mark.parametrize("facing", SIDES)
@pytest.mark.parametrize("body", SKINS)
def test_ears_have_the_color_of_the_skin(facing: str, body: str) -> None:
    worn = {"body": body, "ears": "elven", "facing": facing, "action": "walk"}
    made = with_ears(before := clip(), worn)
    changed = (made != before).any(-1)
    assert changed.any((1, 2)).all()
    assert {tuple(color) for color in made[changed][:, :3].tolist()} == set(rgb(SKINS[body]))
    assert (made[..., 3][changed] == 255).all()
    if facing in ("down", "up"):
        assert (changed == changed[:, :, ::-1]).all()


def test_from_the_left_they_are_as_from_the_right_in_a_mirror() -> None:
    right, left = (with_ears(clip(), {"body": "light", "ears": "elven", "facing": f}) for f in ("right", "left"))
    assert (left == right[:, :, ::-1]).all()


def test_only_elves_have_them_and_not_below_hoods_and_closed_helmets() -> None:
    frames, elf = clip(3), {"body": "light", "ears": "elven", "facing": "down"}
    assert with_ears(frames, {"body": "light"}) is frames
    assert with_ears(frames, {**elf, "head": "metal helmet"}) is frames
    assert with_ears(frames, elf, "an elf in a green hood") is frames
    assert with_ears(frames[:, :32, :32], elf).shape == (8, 32, 32, 3)
    assert (with_ears(frames, {"body": "dark elf"}) != frames).any()
    assert (with_ears(frames, elf, "an elf with a pointed hat") != frames).any()


def test_who_falls_keeps_them_and_they_are_seen_in_what_is_mended() -> None:
    worn = {"body": "light", "ears": "elven", "action": "hurt", "hair_style": "plain hair"}
    assert (with_ears(clip(), worn) != clip()).any((1, 2, 3)).all()
    walking = {**worn, "action": "walk", "facing": "up"}
    assert (mended(clip(), walking) != clip()).any()


def test_shapes_are_rectangles() -> None:
    for _, _, text in EARS.values():
        assert len({len(row) for row in text.split()}) == 1
