"""Blonde hair of one hue (`sprites_mends`): sheets have it tan or yellow, and models mix them into mustard patches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from storyreel.worlds.sprites_dyes import HAIR
from storyreel.worlds.sprites_figures import SIDE, figures
from storyreel.worlds.sprites_hair_colors import SEEN_UNDER

HUES = (46.0, 75.0)  # degrees, of yellow hair; tan hair and skin are redder
HEAD = (slice(6, 40), slice(17, 47))  # rows and columns, where it is not moved


def with_even_blonde(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; yellow in blonde hair becomes tan."""
    bare = attributes.get("head", SEEN_UNDER[0]) == SEEN_UNDER[0]  # no gold is there
    if attributes.get("hair_color") != "blonde" or not bare or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out, dye, (rows, columns) = frames.copy(), replace(HAIR["blonde"], hues=HUES), HEAD
    for view, _, (down, right) in figures(out, attributes):
        head = view[rows.start + down : rows.stop + down, columns.start + right : columns.stop + right, :3]
        head[:] = dye(head.reshape(-1, 3)).reshape(head.shape)
    return out
