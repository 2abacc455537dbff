"""Afros, curls, dreadlocks and mohawks, drawn over what a model draws (`sprites_mends`), in the colors of the head.

They go with the head; dreadlocks sway with the steps. They are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from storyreel.worlds.garment_dye import RGB, rgb
from storyreel.worlds.sprites_beards import OWN
from storyreel.worlds.sprites_cloth import sway_at
from storyreel.worlds.sprites_completion import COVERED
from storyreel.worlds.sprites_dyes import RAMPS
from storyreel.worlds.sprites_figures import SIDE, figures, side_of
from storyreel.worlds.sprites_hair_colors import DYED, colors_of
from storyreel.worlds.sprites_hairdos import look_in, named_color
from storyreel.worlds.sprites_hats import BOWED, HOODS, LYING, LYING_ASIDE, OPEN, head_moved, headgear_in

UNCOVERED = ("bare head", "tiara")
MIDDLE = {"down": 31.5, "up": 31.5, "right": 30.5}  # column of a head
BALLS = {"afro": (18.5, 13.0, 14.0, 0.045), "curls": (21.0, 10.5, 12.2, 0.085)}
"""Of the round ones: the middle row, half a height and half a width, and how far curls stick out, in such halves."""
BUMPS = 13  # of such curls, around a head
CURLS = np.array([[-1, -1, 0, 1], [0, 0, -1, 0], [1, 0, 0, -1], [0, -1, -1, 0]])  # lighter and darker, over and over
FACES = {
    "down": (32.0, 31.5, 8.5, 7.5),
    "right": (32.0, 40.0, 9.0, 10.0),
}  # the middle of where none is, and its halves
HANGING = 43  # the row to which long curls hang
LAID = "laid"  # who lies is seen from behind, and all of the hair above the lower edge
SMALLER = {"afro": (18.5, 9.4, 11.0, 0.045), "curls": (18.5, 9.0, 10.4, 0.085)}  # then
UPSIDE_DOWN, HIGHER = {"dreadlocks": -13}, -8  # rows by which a head that lies is moved, in a mirror that is below
LOCKS = {  # columns of the ends of dreadlocks, and the last row of each, those that are behind first
    "down": ((28, 21), (35, 21), (31.5, 20), (19, 41), (44, 41), (22, 42), (41, 42), (24.5, 40), (38.5, 40)),
    "up": ((20, 40), (43, 40), (23, 42), (40, 42), (26, 41), (37, 41), (29, 43), (34, 43), (31.5, 41)),
    "right": ((39, 21), (36, 22), (33, 22), (20, 40), (23, 42), (30, 38), (26.5, 42)),
}
CREST = """
    ...11...
    ..1441..
    ..1341..
    .134431.
    .134331.
    .124431.
    .134431.
    .124321.
    .134331.
    .124321.
"""
CRESTS = {"down": (9, 28, 11), "up": (9, 28, 21)}  # its first row and column, and how many rows it has
RIDGE = (25.0, 30.5, 8.0, 15.0, 1.8)  # from the side: the middle of a head, and its radius, that of spikes, their depth
FROM, TO = -0.4, 1.5  # from the forehead to the nape, in quarters of a turn, 0 the top


def with_curls(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with the afro, curls, dreadlocks or
    mohawk that the prompt says; not under hats, hoods and helmets, from which dreadlocks hang."""
    (look, long), hat, head = look_in(prompt), headgear_in(prompt)[0], attributes.get("head", UNCOVERED[0])
    hidden = head in COVERED or hat in HOODS or hat.endswith(" head")
    bare = head in UNCOVERED and (not hat or hat in OPEN)
    if not look or hidden or not (bare or look == "dreadlocks") or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out, side, action = frames.copy(), side_of(attributes), attributes.get("action", "walk")
    seen = [*figures(out, attributes)]
    ramp = _ramp(look, [view for view, drawing, _ in seen if action != "hurt" or drawing == 0], attributes, prompt)
    for view, drawing, _ in seen:
        sway = sway_at(action, drawing)
        if action == "hurt" and drawing >= LYING:  # upside down, seen from behind
            aside = LYING_ASIDE.get(attributes.get("sex", ""), 0)
            _put(view[::-1], shades(look, LAID, long, 0), (UPSIDE_DOWN.get(look, HIGHER), aside), ramp)
        else:
            seen_from = "up" if action == "hurt" and drawing >= BOWED else side
            _put(view, shades(look, seen_from, long, round(sway)), head_moved(attributes, drawing), ramp)
    return out


def _ramp(look: str, views: list[np.ndarray], attributes: Mapping[str, str], prompt: str) -> tuple[RGB, ...]:
    """Its colors, dark to light: those of the hair in the clip, of which there is none beside a mohawk."""
    color = attributes.get("hair_color", "")
    if look != "mohawk":
        return DYED.get(color) or colors_of(np.stack(views), attributes, side_of(attributes))
    return rgb({**RAMPS, **OWN}[named_color(prompt)])  # dyed, so red is no copper


@lru_cache(maxsize=64)
def shades(look: str, side: str, long: bool, sway: int) -> np.ndarray:
    """What is drawn on a head that is not moved: int (64, 64), 0 nothing, 1 (dark) to 4 (light). sway: pixels to the
    right by which ends swing. long: of curls."""
    if side == LAID:
        return _ball(SMALLER[look], "up", long) if look in SMALLER else shades(look, "up", long, sway)
    if look in BALLS:
        return _ball(BALLS[look], side, long)
    return _locks(side, sway) if look == "dreadlocks" else _crest(side)


def _ball(ball: tuple[float, float, float, float], side: str, long: bool) -> np.ndarray:
    """Curls all over a round head, lit from the upper left."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    y, x, bump = (rows - ball[0]) / ball[1], (columns - MIDDLE[side]) / ball[2], ball[3]
    there = np.hypot(y, x) <= 1 + bump * np.cos(BUMPS * np.arctan2(y, x))
    if long:
        hangs = (y > 0) & (rows <= HANGING + 1.5 * np.cos(columns * 1.5)) & (x <= 0 if side == "right" else True)
        there |= hangs & (np.abs(x) <= 1 + bump * np.cos(rows * 1.5))
    there &= ~_in_face(rows, columns, side)
    shade = 3 + (x + y < -0.55) - (x + y > 0.6) + CURLS[rows % 4, (columns + rows // 4 * 2) % 4]
    return _outlined(np.where(there, shade.clip(2, 4), 0))


def _outlined(shade: np.ndarray) -> np.ndarray:
    """The same with a dark edge."""
    around = np.pad(shade > 0, 1)
    inside = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return np.where((shade > 0) & ~inside, 1, shade)


def _in_face(rows: np.ndarray, columns: np.ndarray, side: str) -> np.ndarray:
    """Where a face is, and what is below it."""
    if side not in FACES:
        return np.zeros(rows.shape, bool)
    row, column, height, width = FACES[side]
    return np.hypot((np.minimum(rows, row) - row) / height, (columns - column) / width) <= 1


def _locks(side: str, sway: int) -> np.ndarray:
    """Dreadlocks: from the crown of a head to the sides, and down."""
    found = np.zeros((SIDE, SIDE), int)
    for i, (end, last) in enumerate(LOCKS[side]):
        for row in range(14, last + 1):
            out = min(1.0, math.sqrt((row - 13) / 11))
            swung = sway * max(0.0, (row - 26) / 16)
            x = round(MIDDLE[side] + (end - MIDDLE[side]) * out - 1 + swung)
            knot = (row + i) % 3 == 0
            found[row, x : x + 3] = (1, 2, 1) if knot or row == last else (1, 4 if i % 2 else 3, 2)
            found[row, x + 3] = 1
    return found


def _crest(side: str) -> np.ndarray:
    """A mohawk, along the middle of a head."""
    if side != "right":
        found = np.zeros((SIDE, SIDE), int)
        top, left, count = CRESTS[side]
        rows = CREST.split()
        for i in range(count):
            text = rows[i if i < len(rows) else 4 + (i - 4) % (len(rows) - 4)]
            found[top + i, left : left + len(text)] = [0 if letter == "." else int(letter) for letter in text]
        return found
    row, column, inner, outer, depth = RIDGE
    rows, columns = np.mgrid[:SIDE, :SIDE]
    turned = np.arctan2(column - columns, row - rows) / (math.pi / 2)
    far, spike = np.hypot(rows - row, columns - column), np.abs((turned * 3.5) % 1 - 0.5) * 2
    end = outer - depth * spike - 3.0 * np.clip(turned - 0.6, 0, 1)
    there = (far >= inner) & (far <= end) & (turned >= FROM) & (turned <= TO)
    return _outlined(np.where(there, np.where(spike < 0.3, 4, np.where(spike < 0.75, 3, 2)), 0))


def _put(frame: np.ndarray, shade: np.ndarray, moved: tuple[int, int], ramp: tuple[RGB, ...]) -> None:
    rows, columns = np.nonzero(shade)
    y, x = rows + moved[0], columns + moved[1]
    inside = (y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE)
    frame[y[inside], x[inside], :3] = np.array(ramp, np.uint8)[shade[rows[inside], columns[inside]] - 1]
    frame[y[inside], x[inside], 3:] = 255
