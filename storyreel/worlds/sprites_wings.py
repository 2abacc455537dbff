"""Wings of feathers or of skin, drawn over what a model draws (`sprites_mends`), which are in rags there.

From the front they are seen beside somebody, from behind before the back, and from the side one trails. They are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_cloth import sway_at
from storyreel.worlds.sprites_dyes import RAMPS
from storyreel.worlds.sprites_figures import figures, ground_of, is_ground, side_of
from storyreel.worlds.sprites_reader import implied, other_colors, read_freely

TOP = 25  # row of its highest pixel
LEFT = {"down": 10, "up": 16, "right": 13}  # column of the wing on the left
FEATHERED = re.compile(
    r"\bangels?\b|\bangelic|feather|\bbird|\bwhite wing|\bcupid|\bpegasus|\bharpy|\bfairy|\bpixie|butterfly"
)
FEATHERS = """
    ...1111.........
    .114444111......
    1444444444111...
    14444444444441..
    1444434444444441
    1443444344444441
    1434443444344441
    1344434443444431
    .134344434443431
    .133443444344331
    ..13433443443331
    ..11333434433331
    ...1133343433331
    ....113333433331
    ...11.1333333331
    ......1133333331
    .......113333331
    ........11333331
    .........1133331
    ..........113331
    ...........11331
    ............1131
    .............111
"""
SKIN = """
    11..............
    1311............
    .13311..........
    .1332331........
    ..13223311......
    ..132223331.....
    ..1322223331....
    .132222223331...
    .13222222233311.
    1322222222233331
    1322222222222333
    1321222222222223
    121.122222222222
    11..122122222221
    ....1211.122221.
    ....11....12221.
    ...........121..
    ...........11...
"""


def has_wings(prompt: str) -> bool:
    named = read_freely(prompt)
    return {**implied(prompt, named), **named}.get("cape") == "wings"


def with_wings(frames: np.ndarray, attributes: Mapping[str, str], prompt: str) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with wings where the prompt says some."""
    if attributes.get("action") == "hurt" or not has_wings(prompt):
        return frames
    feathered = bool(FEATHERED.search(prompt.lower()))
    color = other_colors(prompt).get("cape", ("", "white" if feathered else "purple"))[1]
    shape = np.array([list(row) for row in (FEATHERS if feathered else SKIN).split()])
    ramp = np.array(rgb(RAMPS.get(color, RAMPS["purple"])), np.uint8)
    side, ground, out = side_of(attributes), ground_of(frames), frames.copy()
    for view, drawing, (down, right) in figures(out, attributes):
        down += round(sway_at("walk", drawing))  # they beat a little
        for half in (view,) if side == "right" else (view, view[:, ::-1]):
            _put(half, shape, ramp, (TOP + down, LEFT[side] + right), ground if side == "down" else None)
            right = -right
    return out


def _put(
    frame: np.ndarray, shape: np.ndarray, ramp: np.ndarray, place: tuple[int, int], behind: np.ndarray | None
) -> None:
    rows, columns = np.nonzero(shape != ".")
    shades = shape[rows, columns].astype(int) - 1
    y, x = rows + place[0], columns + place[1]
    if behind is not None:
        free = is_ground(frame[y, x], behind)
        y, x, shades = y[free], x[free], shades[free]
    frame[y, x, :3] = ramp[shades]
    frame[y, x, 3:] = 255
