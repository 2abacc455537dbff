"""Eyes in the color that a prompt says: models draw most of them blue, and are dyed where an eye is."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import LUMINANCE, rgb
from storyreel.worlds.sprites_dyes import RAMPS, VAMPIRES
from storyreel.worlds.sprites_figures import eyes
from storyreel.worlds.sprites_reader import read_freely

BLUER, REACH = 15, 200.0  # by how much blue is above red in an iris; its luminance that is the lightest of a color
VAMPIRE = re.compile(rf"\b(?:{VAMPIRES})\b")
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
