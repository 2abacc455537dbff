"""Capes, drawn over what a model draws (`sprites_mends`): of most of them it shows a collar and rags.

From behind a cape covers the back, from the front it is seen beside somebody, and from the side it trails.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import RGB, rgb
from storyreel.worlds.sprites_cloth import KNEELS, Drape, hang, sunk, sway_at
from storyreel.worlds.sprites_dyes import RAMPS
from storyreel.worlds.sprites_figures import figures, ground_of, is_ground, side_of
from storyreel.worlds.sprites_reader import implied, other_colors, read_freely, tokens_of

CUTS = {
    "down": Drape(37, 12.5, 15.5, 31.5, hem=58),
    "up": Drape(38, 8.5, 12.5, 31.5, hem=58),
    "right": Drape(37, 3.0, 5.5, 25.5, drift=-6.0, hem=58),
}
COLLAR = {"down": (38, 24, 40), "right": (38, 27, 36)}  # row, and columns from and to
CLASP = {"down": (38, 31), "right": (38, 35)}  # of two pixels
MIDDLE, MANTLE_TOP = 31.5, 38  # column; row
MANTLE = ((8, 5), (10, 6), (11, 7), (11.5, 8), (11.5, 8.5), (11.5, 9), (11.5, 9.5))  # columns from the middle, by row
GOLD = "e8b42a b8800f"


def with_cape(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with a whole cape on who wears one, or of
    whom the prompt says so."""
    color, action, side = cape_in(attributes, prompt), attributes.get("action", "walk"), side_of(attributes)
    if not color:
        return frames
    out, ramp, ground = frames.copy(), rgb(RAMPS[color]), ground_of(frames)
    for view, drawing, (down, right) in figures(out, attributes):
        falls = action == "hurt"
        if falls and drawing >= KNEELS:
            break
        cut = sunk(CUTS[side], down) if falls else CUTS[side]
        hang(view, cut, ramp, right, sway_at(action, drawing), ground if side == "down" else None)
        if (action, side) == ("walk", "down"):
            _put_mantle(view, ramp, (down, right), ground)
        if side in COLLAR and (action, side) != ("shoot", "right"):  # in which an arm is before it
            row, first, last = COLLAR[side]
            view[row + down, first + right : last + right, :3] = ramp[2]
            view[row + down + 1, first + right : last + right, :3] = ramp[1]
            row, column = CLASP[side]
            view[row + down : row + down + 2, column + right, :3] = rgb(GOLD)
            view[row + down : row + down + 2, first + right : last + right, 3:] = 255
    return out


def _put_mantle(frame: np.ndarray, ramp: tuple[RGB, ...], moved: tuple[int, int], ground: np.ndarray) -> None:
    """A cape that is seen from the front lies on shoulders and upper arms."""
    for i, (outer, inner) in enumerate(MANTLE):
        row = frame[MANTLE_TOP + moved[0] + i]
        for side, shade in ((-1, 3), (1, 1)):
            ends = (MIDDLE + side * inner + moved[1], MIDDLE + side * outer + moved[1])
            part = row[round(min(ends)) : round(max(ends)) + 1]
            part[~is_ground(part, ground), :3] = ramp[shade if i + 1 < len(MANTLE) else 0]


def cape_in(attributes: Mapping[str, str], prompt: str) -> str:
    """The color, of `RAMPS`, of the cape that somebody wears or of whom the prompt says so; "" for none."""
    named = read_freely(prompt)
    color, _, kind = {**implied(prompt, named), **named, **attributes}.get("cape", "").partition(" ")
    color = other_colors(prompt).get("cape", ("", color))[1]
    if color == "lavender" and "purple" in tokens_of(prompt):  # which comes nearest in the sheets
        color = "purple"
    return color if kind == "cape" and color in RAMPS else ""
