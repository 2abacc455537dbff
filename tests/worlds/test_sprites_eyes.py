"""Eyes in the color that a prompt says."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.sprites_eyes import with_eyes, with_whole_eyes
from storyreel.worlds.sprites_figures import figures

SKIN, IRIS, SHIRT = (253, 212, 183, 255), (30, 90, 150, 255), (20, 60, 160, 255)


def frames() -> np.ndarray:
    made = np.zeros((8, 64, 64, 4), np.uint8)
    made[:, 14:40, 20:44], made[:, 40:60, 24:40] = SKIN, SHIRT
    made[:, 29, [29, 35]] = IRIS
    return made


@pytest.mark.parametrize(("color", "channel"), [("red", 0), ("green", 1)])
def test_irises_are_dyed_and_nothing_else(color: str, channel: int) -> None:
    before = frames()
    made = with_eyes(before, {"body": "light"}, f"a woman with {color} eyes walking")
    changed = (made != before).any(-1)
    assert (changed.sum((1, 2)) == 2).all()
    assert (made[changed][:, :3].argmax(1) == channel).all()
    assert (before == frames()).all()


def test_eyes_that_are_not_seen_or_not_named_stay() -> None:
    before = frames()
    assert with_eyes(before, {"body": "light"}, "a woman walking") is before
    assert with_eyes(before, {"body": "dark elf"}, "a dark elf with red eyes") is before
    assert (with_eyes(before, {"facing": "up"}, "a woman with red eyes") == before).all()


def test_an_eye_that_runs_down_a_cheek_becomes_the_other_one_in_a_mirror() -> None:
    frames = np.full((8, 64, 64, 3), (253, 213, 183), np.uint8)
    worn = {"body": "light", "action": "walk", "facing": "down"}
    for view, _, (down, _) in figures(frames, worn):
        view[29 + down : 32 + down, 27:29] = view[29 + down : 32 + down, 35:37] = (40, 60, 75)
    whole = frames.copy()
    for view, _, (down, _) in figures(frames, worn):
        view[32 + down, 27:29] = (40, 60, 75)
    assert (with_whole_eyes(frames, worn) == whole).all()
    assert (with_whole_eyes(whole, worn) == whole).all()
    for more in ({"facing": "right"}, {"body": "dark elf"}, {"head": "metal helmet"}):
        assert with_whole_eyes(frames, {**worn, **more}) is frames
