"""Skulls and ribs drawn onto skeletons."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.sprites_bones import CHEST_SEEN, TURNED, with_bones
from storyreel.worlds.sprites_mends import mended
from storyreel.worlds.sprites_parts import ROWS


def figures(count: int = 8) -> np.ndarray:
    """uint8 (f, 64, 64, 4): a gray box."""
    frames = np.zeros((count, 64, 64, 4), np.uint8)
    frames[:, 14:60, 22:42] = (150, 150, 150, 255)
    return frames


def changed(**attributes: str) -> np.ndarray:
    """bool (8, 64, 64): where bones are drawn."""
    frames = figures()
    return (with_bones(frames, attributes) != frames).any(-1)


def test_a_face_and_ribs_are_drawn() -> None:
    seen = changed(action="walk", facing="down")
    assert seen[:, 27:34].any((1, 2)).all()
    assert seen[:, 36:44].any((1, 2)).all()
    assert not seen[:, :24].any()


def test_clothes_hide_ribs_and_no_face_is_seen_from_behind() -> None:
    dressed = changed(action="walk", facing="down", torso="chain mail")
    assert not dressed[:, 37:].any()
    assert dressed[:, 27:34].any()
    assert not changed(action="walk", facing="up")[:, :34].any()


@pytest.mark.parametrize("action", ["walk", "slash", "thrust", "spellcast", "shoot"])
def test_left_is_right_in_a_mirror(action: str) -> None:
    right = changed(action=action, facing="right")
    np.testing.assert_array_equal(changed(action=action, facing="left"), right[:, :, ::-1])


def test_who_has_fallen_has_no_face() -> None:
    seen = changed(action="hurt").sum((1, 2)).tolist()
    assert seen[0] > 0
    assert seen[-1] == 0


def test_drawings_are_those_of_their_actions() -> None:
    assert all(
        drawing < len(ROWS[action][1]) for (action, _), each in {**CHEST_SEEN, **TURNED}.items() for drawing in each
    )


def test_just_skeletons_are_mended_so() -> None:
    frames = figures()
    assert (mended(frames, {"body": "skeleton", "action": "walk", "facing": "down"}) != frames).any()
    assert mended(frames, {"body": "light", "action": "spellcast", "facing": "up"}) is frames
