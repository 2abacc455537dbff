"""Pointed ears of elves, drawn over what a model draws (`sprites_mends`), which hides them below hair.

They are in the color of the skin, stick out beside a head, and are seen over the hair from the side. They are ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_figures import SIDE, figures, side_of
from storyreel.worlds.sprites_hats import FEMALE_UP, HOODS, LYING, LYING_ASIDE, headgear_in

HIDING = ("metal helmet", "golden helmet", "chain hood", "cloth hood")  # heads of which no ears are seen
UPSIDE_DOWN = -15  # rows by which a head that lies is moved, as seen in a mirror that is below
SKINS = {  # body -> outline, dark to light
    "light": "281820 d28560 eaa377 fdd5b7",
    "tanned": "281820 d28560 ecc479 fdd082",
    "dark": "120e10 5f4539 9c663e ba8454",
    "dark elf": "16171b 6b6e7e aeb3ca c9d0ee",
}
EARS = {  # row and column of the first pixel, and shades; but for that from the side there are two
    "down": (25, 17, """
        11......
        1431....
        .14431..
        .1244331
        ..124221
        ...12231
        ....111.
    """),
    "up": (25, 17, """
        11.....
        1431...
        .14431.
        .124431
        ..12431
        ...1221
        ....11.
    """),
    "right": (24, 22, """
        11.......
        1431.....
        .14431...
        .1344432.
        ..1344322
        ..1244432
        ...124432
        ....12322
        .....122.
    """),
}  # fmt: skip


def with_ears(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action of an elf from its beginning on -> the same with pointed ears; not under a
    hood or a closed helmet."""
    body, hat = attributes.get("body", ""), headgear_in(prompt)[0]
    elven = attributes.get("ears") == "elven" or body == "dark elf"
    hidden = attributes.get("head") in HIDING or hat in HOODS or hat.endswith(" head")
    if not elven or hidden or body not in SKINS or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out, side, sex = frames.copy(), side_of(attributes), attributes.get("sex", "")
    lower = FEMALE_UP[0] if (sex, side) == ("female", "up") else 0
    for view, drawing, (down, right) in figures(out, attributes):
        if attributes.get("action") == "hurt" and drawing >= LYING:
            _put(view[::-1], "up", (UPSIDE_DOWN, LYING_ASIDE.get(sex, 0)), SKINS[body])
        else:
            _put(view, side, (down + lower, right), SKINS[body])
    return out


def _put(frame: np.ndarray, side: str, moved: tuple[int, int], ramp: str) -> None:
    colors = rgb(ramp)
    top, left, text = EARS[side]
    for i, row in enumerate(text.split()):
        for j, letter in enumerate(row):
            for first in (left + j, SIDE - 1 - left - j)[: 1 + (side != "right")]:
                y, x = top + moved[0] + i, first + moved[1]
                if letter != "." and 0 <= y < SIDE and 0 <= x < SIDE:
                    frame[y, x, :3] = colors[int(letter) - 1]
                    frame[y, x, 3:] = 255
