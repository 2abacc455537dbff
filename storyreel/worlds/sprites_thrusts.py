"""The pole that a model draws of who thrusts one to us, or away: it goes where nobody has a body, as ours is drawn.

In the second drawing it is aslant as ours can not be, so there somebody still stands as in the first.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_figures import MOVED, SIDE, STILL, figures, ground_of, side_of
from storyreel.worlds.sprites_parts import FRAMES

NECK = 38  # row
HEADS = (16, 48)  # first and last column of all heads and shoulders above it
BODIES = {  # first and last column of all that is below, by drawing
    "down": ((17, 46), (17, 46), (20, 43), (18, 42), (19, 42), (19, 42), (19, 42), (18, 42)),
    "up": ((17, 46), (17, 46), (19, 45), (19, 45), (21, 46), (21, 46), (21, 46), (19, 45)),
}
UPRIGHT = 3  # drawing from which on the pole is upright
ENDS = {"down": (slice(0, 12), slice(20, 34)), "up": (slice(0, 16), slice(38, 46))}  # where one ends above a head


def without_pole(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), a whole thrust from its beginning on -> the same without the pole beside who thrusts
    to us, or away; others stay."""
    side, ground = side_of(attributes), ground_of(frames)
    if attributes.get("action") != "thrust" or side not in BODIES:
        return frames
    if frames.shape[1:3] != (SIDE, SIDE) or len(frames) % FRAMES:
        return frames
    out, moves = frames.copy(), MOVED.get((attributes.get("sex", "male"), "thrust", side), {})
    bob = moves.get(1, STILL)[0] - moves.get(0, STILL)[0]
    out[1::FRAMES] = np.roll(frames[::FRAMES], bob, 1)
    for view, drawing, _ in figures(out, attributes):
        for rows, (first, last) in ((slice(0, NECK), HEADS), (slice(NECK, SIDE), BODIES[side][drawing])):
            view[rows, :first] = ground
            view[rows, last + 1 :] = ground
        if drawing >= UPRIGHT:
            view[ENDS[side]] = ground
    return out
