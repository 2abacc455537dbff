"""A blade that the edge of a picture cuts is drawn to its tip; nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.clip import Clip
from storyreel.generate.whole_blades import ROOM, TALLEST, whole, with_whole_blades
from storyreel.worlds import find

SWINGS = "a man slashing with a saber to the right"


def figure(rows: tuple[int, int] | None, width: int = 64) -> np.ndarray:
    """Two frames of a body; in the second a gray blade with a black outline leaves the picture on the right."""
    frames = np.zeros((2, 64, width, 4), np.uint8)
    frames[:, 20:60, 24:40] = (200, 120, 80, 255)
    if rows:
        frames[1, rows[0] : rows[1], 36:] = (0, 0, 0, 255)
        frames[1, rows[0] + 1 : rows[1] - 1, 36:] = (155, 137, 125, 255)
    return frames


def test_what_is_cut_goes_on_and_ends_in_a_tip():
    frames = figure((28, 36))
    made = whole(frames)
    assert made is not None
    assert made.shape == (2, 64, 64 + 2 * ROOM, 4)
    assert (made[:, :, ROOM:-ROOM] == frames).all(), "the middle is the picture as it was"
    assert not made[0, :, -ROOM:].any(), "nothing is cut in the first frame"
    heights = (made[1, :, -ROOM:, 3] > 0).sum(0)
    assert (np.diff(heights) <= 0).all(), "it gets narrower"
    assert heights[0] >= 6
    assert heights[-2:].max() == 0 or heights[-1] == 1, "and ends within the picture"
    colors = {tuple(color) for color in made[1, :, -ROOM:][made[1, :, -ROOM:, 3] > 0][:, :3].tolist()}
    assert colors == {(0, 0, 0), (155, 137, 125)}


def test_it_is_the_same_mirrored():
    frames = figure((28, 36))
    left, right = whole(frames[:, :, ::-1]), whole(frames)
    assert left is not None
    assert right is not None
    assert (left[:, :, ::-1] == right).all()


def test_a_slanted_blade_goes_on_as_it_came():
    frames = figure(None)
    for column in range(40, 64):
        frames[1, 60 - column // 2 : 64 - column // 2, column] = (90, 90, 90, 255)
    made = whole(frames)
    assert made is not None
    rows = [np.flatnonzero(made[1, :, ROOM + 63 + k, 3]).mean() for k in (0, 4)]
    assert rows[1] < rows[0] - 1, "upwards"


@pytest.mark.parametrize("rows", [None, (20, 20 + TALLEST + 1)])
def test_what_is_not_cut_or_no_blade_stays(rows: tuple[int, int] | None):
    assert whole(figure(rows)) is None


def test_it_is_done_for_blades_alone():
    world, clip = find("sprites"), Clip(figure((28, 36)))
    made = with_whole_blades(clip, world, SWINGS)
    assert made.size == (64, 64 + 2 * ROOM)
    assert made.meta["widened"] == ROOM
    assert with_whole_blades(clip, world, "a man thrusting a spear to the right") is clip
    assert with_whole_blades(clip, None, SWINGS) is clip


def test_without_a_matte_the_background_is_what_has_the_color_of_the_corner():
    frames = figure((28, 36))
    opaque = np.where(frames[..., 3:] > 0, frames[..., :3], np.uint8(128))
    made, with_matte = whole(opaque), whole(frames)
    assert made is not None
    assert with_matte is not None
    assert (made == np.where(with_matte[..., 3:] > 0, with_matte[..., :3], np.uint8(128))).all()


def test_what_the_upper_edge_cuts_as_well_ends_there():
    frames = np.zeros((1, 64, 64, 4), np.uint8)
    frames[0, :20, 50:] = (90, 90, 100, 255)
    assert whole(frames) is None
    frames[0, 40:43, 40:] = (90, 90, 100, 255)
    wide = whole(frames)
    assert wide is not None
    assert not wide[0, :30, 80:].any()
    assert wide[0, 40:43, 80:82, 3].any()
