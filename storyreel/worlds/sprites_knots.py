"""The knot of a bandana and its hanging ends, behind a head, drawn over what a model draws (`sprites_mends`): it draws
a cap alone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_cloth import sway_at
from storyreel.worlds.sprites_figures import SIDE, figures, side_of
from storyreel.worlds.sprites_hats import head_moved

KNOTS = {  # row and column of the first pixel, and shades, 1 (dark) to 4 (light)
    "right": (20, 14, """
        ....1111.
        ...133431
        ..1342331
        .13443131
        .1331.131
        13431.11.
        1331.....
        1341.....
        131......
        11.......
    """),
    "up": (23, 27, """
        ...1111...
        ..133431..
        ..123321..
        .13311331.
        .1341.1431
        13431.1431
        1331..1331
        1341...131
        .11....11.
    """),
}  # fmt: skip
RAMP = rgb("4a0a04 721306 8e1808 af100e")  # as models draw bandanas, so that a dye finds it
ENDS = 4  # row of it from which on it swings


def with_knot(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with the knot of who wears a bandana."""
    side, action = side_of(attributes), attributes.get("action", "walk")
    if attributes.get("head") != "red bandana" or side not in KNOTS or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out = frames.copy()
    top, left, text = KNOTS[side]
    for view, drawing, _ in figures(out, attributes):
        down, right = head_moved(attributes, drawing)
        for i, row in enumerate(text.split()):
            swung = round(sway_at(action, drawing)) if i >= ENDS else 0
            for j, letter in enumerate(row):
                if letter != ".":
                    view[top + down + i, left + right + swung + j, :3] = RAMP[int(letter) - 1]
                    view[top + down + i, left + right + swung + j, 3:] = 255
    return out
