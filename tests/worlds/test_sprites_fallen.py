"""Who lies on the ground after a fall."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_bones import RIBS
from storyreel.worlds.sprites_dyes import RAMPS
from storyreel.worlds.sprites_fallen import SKINS, with_fallen

SKIN, HAIR, SHIRT, PANTS, SHOES = (250, 205, 170), (200, 120, 40), (40, 90, 200), (40, 150, 60), (150, 90, 40)
ROWS = {(16, 26): HAIR, (26, 36): SKIN, (36, 46): SHIRT, (46, 57): PANTS, (57, 62): SHOES}


WORN = {
    "action": "hurt", "torso": "blue shirt", "legs": "green pants", "feet": "brown shoes", "sex": "male",
    "body": "light", "hair_style": "plain hair",
}  # fmt: skip


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
    made = with_fallen(before, WORN)
    assert (made[:-1] == before[:-1]).all()
    assert (before == somebody(channels)).all(), "what is given stays"
    last = made[-1, ..., :3].reshape(-1, 3)
    for color in (HAIR, SHIRT, PANTS, SHOES):
        assert (last == color).all(1).sum() >= 4, color
    assert (made[-1, 16:26, 25:39, :3] == made[-1, 0, 0, :3]).all(), "nobody stands"


def test_a_gown_covers_the_legs() -> None:
    for torso, seen in (("red dress", False), ("blue shirt", True)):
        last = with_fallen(somebody(), WORN | {"torso": torso, "sex": "female"})[-1, ..., :3]
        assert bool((last == PANTS).all(-1).any()) is seen


def test_black_clothes_stay_black_and_who_walks_stays() -> None:
    frames = somebody()
    frames[:, 36:57, 25:39, :3] = (16, 16, 20)
    frames[:, 38:42, 30:34, :3] = SKIN  # an open collar
    last = with_fallen(frames, {"action": "hurt", "torso": "black robe", "sex": "male"})[-1]
    assert (last[40:44, 30:38, :3].astype(int).sum(-1) < 130).all()
    assert with_fallen(frames, {"action": "walk"}) is frames


def lying(**worn: str) -> np.ndarray:
    return with_fallen(somebody(), WORN | worn)[-1]


def test_parts_have_several_shades_and_dark_lines_of_their_own() -> None:
    frames = somebody()
    frames[:, 36:46:2, 25:39, :3] = (24, 54, 120)
    last = with_fallen(frames, WORN)[-1]
    there = last[last[..., 3] > 0, :3]
    assert len(np.unique(there, axis=0)) >= 12
    assert not (there == rgb("2b1318")[0]).all(-1).any(), "one line for all"


@pytest.mark.parametrize("head", ["metal helmet", "kettle hat", "chain hood", "leather cap", "red bandana"])
def test_what_is_on_a_head_is_seen(head: str) -> None:
    assert (lying(head=head, hair_color="brown") != lying()).any()


def test_hands_have_the_color_of_skin_or_gloves() -> None:
    for body in ("light", "dark", "orc"):
        colors = np.array(rgb(SKINS[body]))[2:]
        last = lying(body=body)[..., :3]
        assert (last[51:58, 18:25, None] == colors).all(-1).any(), body
    last = lying(hands="metal gloves")
    assert not (last[51:58, 18:25, None, :3] == np.array(rgb(SKINS["light"]))[2:]).all(-1).any()


def test_a_cape_covers_the_back_and_a_skirt_the_thighs() -> None:
    red = np.array(rgb(RAMPS["red"]))
    assert (lying(cape="red cape")[36:42, 31:38, None, :3] == red).all(-1).any(-1).mean() > 0.6
    skirted = lying(legs="brown skirt", sex="female")
    skin = np.array(rgb(SKINS["light"]))
    assert (skirted[28:36, :, None, :3] == skin).all(-1).any(), "legs are bare below a skirt"


def test_a_skeleton_has_bones() -> None:
    bare = {"action": "hurt", "body": "skeleton"}
    last = with_fallen(somebody(), bare)[-1]
    assert (last[:, :, None, :3] == np.array(rgb(RIBS))).all(-1).any(-1).sum() > 20
