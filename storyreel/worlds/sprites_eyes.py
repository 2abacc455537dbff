"""Eyes in the color that a prompt says: models draw most of them blue, and are dyed where an eye is."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import LUMINANCE, rgb
from storyreel.worlds.sprites_completion import COVERED, HAIRLESS
from storyreel.worlds.sprites_dyes import RAMPS, VAMPIRES
from storyreel.worlds.sprites_figures import SIDE, eyes, figures, side_of
from storyreel.worlds.sprites_reader import read_freely

BLUER, REACH = 15, 200.0  # by how much blue is above red in an iris; its luminance that is the lightest of a color
VAMPIRE = re.compile(rf"\b(?:{VAMPIRES})\b")
WHOLE = (slice(29, 33), slice(26, 30))  # rows and columns of one of two eyes, and of the skin below
BLUISH = ("skeleton", "dark elf")  # of whom more is bluish than their eyes
GLOWING = {"red": "7a0606 d81414 ff4a3a ff9a84", "yellow": "6a4a04 e0b010 ffe040 fff4a0"}


def with_eyes(frames: np.ndarray, attributes: Mapping[str, str], prompt: str) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with irises in the color that is said."""
    color = read_freely(prompt).get("eyes", "red" if VAMPIRE.search(prompt.lower()) else "")
    if color in ("", "blue") or color not in RAMPS or attributes.get("body") in BLUISH:
        return frames
    ramp = np.array(rgb(GLOWING.get(color, RAMPS[color])), np.float64)
    out, there = frames.copy(), eyes(frames, attributes)
    seen = frames[there][:, :3].astype(int)
    iris = seen[:, 2] > seen[:, 0] + BLUER
    place = (seen @ LUMINANCE / REACH).clip(0, 1) * (len(ramp) - 1)
    new = np.stack([np.interp(place, np.arange(len(ramp)), channel) for channel in ramp.T], -1)
    seen[iris] = new[iris].round().astype(int)
    out[there, :3] = seen
    return out


def with_whole_eyes(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; of somebody who looks at the viewer an
    eye that runs down a cheek becomes the other one in a mirror."""
    body, head = attributes.get("body", ""), attributes.get("head", "")
    odd = body in (*BLUISH, *HAIRLESS) or head in COVERED or attributes.get("action") == "hurt"
    if odd or side_of(attributes) != "down" or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out = frames.copy()
    rows, columns = WHOLE
    for view, _, (down, right) in figures(out, attributes):
        face = view[rows.start + down : rows.stop + down, columns.start + right : SIDE - columns.start + right]
        width = columns.stop - columns.start
        left, other = face[:, :width], face[:, : -width - 1 : -1]  # the latter in a mirror
        below = [(eye[-1, :, 2] > eye[-1, :, 0]).any() for eye in (left, other)]
        if below == [True, False]:
            left[:] = other
        elif below == [False, True]:
            other[:] = left
    return out if (out != frames).any() else frames
