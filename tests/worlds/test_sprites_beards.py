"""Beards that are drawn onto faces: where the world's own sheets have them, in their color, in every action."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_attributes import ATTRIBUTES
from storyreel.worlds.sprites_beards import MOVED, SHAPES, bearded
from storyreel.worlds.sprites_dyes import COPPER
from storyreel.worlds.sprites_parts import ROWS

GRAY = np.full((8, 64, 64, 4), 128, np.uint8)


def painted(frames: np.ndarray, **attributes: str) -> np.ndarray:
    """bool (f, h, w): pixels that changed."""
    return np.abs(bearded(frames, attributes).astype(int) - frames).max(-1) > 0


@pytest.mark.parametrize("value", sorted(ATTRIBUTES["facial_hair"].values))
def test_every_beard_has_a_shape_and_a_color(value: str):
    for facing in ("down", "left", "right"):
        there = painted(GRAY, facial_hair=value, action="walk", facing=facing)
        assert there.any((1, 2)).all()
    assert not painted(GRAY, facial_hair=value, action="walk", facing="up").any()
    assert not painted(GRAY, action="walk", facing="down").any()


def test_its_shades_are_those_of_its_color():
    frames = bearded(GRAY, {"facial_hair": "red beard", "action": "walk", "facing": "down"})
    changed = frames[painted(GRAY, facial_hair="red beard", action="walk", facing="down")]
    assert {tuple(pixel[:3]) for pixel in changed.tolist()} == set(rgb(COPPER))
    assert (changed[:, 3] == 255).all()


def test_from_the_left_it_is_what_it_is_from_the_right_in_a_mirror():
    right = painted(GRAY, facial_hair="black beard", action="slash", facing="right")
    left = painted(GRAY, facial_hair="black beard", action="slash", facing="left")
    assert np.array_equal(left, right[:, :, ::-1])


def test_nothing_of_a_model_s_beard_is_before_a_face_from_the_side():
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 33:36, 38:44] = (90, 40, 10, 255)
    worn = {"facial_hair": "red beard", "action": "walk", "facing": "right"}
    assert not bearded(frames, worn)[:, :36, 42:].any()
    assert bearded(frames, {**worn, "weapon": "spear"})[:, :36, 42:].any()


def test_who_has_fallen_shows_no_face():
    there = painted(GRAY, facial_hair="black beard", action="hurt", facing="down")
    assert there[0].any()
    assert not there[-1].any()


def test_shapes_are_rectangles_and_heads_move_in_drawings_that_there_are():
    for _, _, rows in SHAPES.values():
        assert len({len(row) for row in rows.split()}) == 1
        assert set("".join(rows.split())) <= set(".1234")
    for (action, _), moved in MOVED.items():
        assert max(moved) < len(ROWS[action][1])


def test_other_frames_stay_as_they_are():
    small = np.zeros((8, 32, 32, 3), np.uint8)
    assert not painted(small, facial_hair="red beard", action="walk", facing="down").any()
    long = np.zeros((20, 64, 64, 3), np.uint8)
    there = painted(long, facial_hair="red beard", action="walk", facing="right")
    assert there.any((1, 2)).all()
    assert np.array_equal(there[:8], there[8:16]), "an action begins again"


def test_it_lies_where_the_sheets_have_theirs(lpc: Path):
    from storyreel.worlds import sprites

    for action in ROWS:
        for facing in ("down",) if action == "hurt" else ("down", "right", "left"):
            there = painted(GRAY, facial_hair="black beard", action=action, facing=facing, weapon="spear")
            for i in range(8 if action != "hurt" else 3):
                steps = len(ROWS[action][1])
                pose = (action, facing, (2 * i + 1) * steps // 16)
                theirs = np.zeros(64 * 64, bool)
                theirs[sprites.cell(str(lpc), "facial/male/beard/black", pose)[0]] = True
                own, other = np.argwhere(there[i]).mean(0), np.argwhere(theirs.reshape(64, 64)).mean(0)
                assert np.abs(own - other).max() < 4, (action, facing, i)
