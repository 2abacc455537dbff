"""Red hair as people have it, copper: the sheets have it crimson alone, and a head in that looks like one in a cap.

`sprites_dyes` dyes it where nothing else is red. Beside something red it is dyed here, on heads alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_dyes import HAIR, is_copper
from storyreel.worlds.sprites_figures import figures

FALLEN, LYING_FROM = 3, 20  # drawing of `hurt` from which on a head is low, and the first row of such a head
HEAD = (slice(6, 38), slice(18, 46))  # rows and columns, where it is not moved


def with_copper_hair(frames: np.ndarray, attributes: Mapping[str, str], prompt: str) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with red hair in copper."""
    red = attributes.get("hair_color") == "red" or attributes.get("facial_hair", "").startswith("red ")
    if not red or not is_copper(prompt):
        return frames
    out = frames.copy()
    rows, columns = HEAD
    for view, drawing, (down, right) in figures(out, attributes):
        head = view[rows.start + down : rows.stop + down, columns.start + right : columns.stop + right, :3]
        if attributes.get("action") == "hurt" and drawing >= FALLEN:
            head = view[LYING_FROM:, :, :3]
        head[:] = HAIR["red"](head.reshape(-1, 3)).reshape(head.shape)
    return out
