"""Helmets without scraps of a plume."""

from __future__ import annotations

import numpy as np

from storyreel.worlds.sprites_plumes import without_plume

HELMET = {"head": "metal helmet", "facing": "down"}


def frames() -> np.ndarray:
    made = np.zeros((8, 64, 64, 4), np.uint8)
    made[:, 16:60, 24:40] = (130, 130, 140, 255)
    made[::2, 8:16, 31:34] = (120, 10, 10, 255)
    return made


def test_what_sticks_out_is_gone_and_the_helmet_stays() -> None:
    before = frames()
    made = without_plume(before, HELMET, "a knight walking")
    assert not made[:, :16].any()
    assert (made[:, 17:] == before[:, 17:]).all()
    assert (before == frames()).all()


def test_a_plume_that_is_said_stays_and_so_does_other_headgear() -> None:
    before = frames()
    assert without_plume(before, HELMET, "a knight with a red plume") is before
    assert without_plume(before, {"head": "cloth hood"}, "a monk") is before
