"""The face of orcs, drawn over what a model leaves smooth (`sprites_mends`).

It lies where the drawing of an action has it; where an arm is before the chin it ends above. The face is ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_beards import paint
from storyreel.worlds.sprites_figures import figures, side_of
from storyreel.worlds.sprites_hats import HOODS, headgear_in

RAMPS = {  # dark to light, and white
    "orc": "0a280b 19541d 228236 39aa4e 53bf71 f4f4ee",
    "red orc": "0f1c06 283510 355f21 568b33 77a552 f4f4ee",
}
FACE = (20, 23, """
    .......1111111.....
    .....1144444441....
    .1..114445554441...
    .11.1344455544441..
    ..133144445444441..
    ..123314444444441..
    ...12313444444441..
    ....1233444432221..
    ....1213444311111..
    .....11344443614441
    .....11344443614441
    ......1344443334331
    ......1134444446411
    ......1133444116114
    .......113344363311
    .......11133333331.
    ........111222211..
""")  # fmt: skip
FRONT = {  # by the place in the first drawing
    "male": (25, 25, """
        .344443344443.
        33444333344433
        32111133111123
        33661133116633
        34461144116443
        44444433444444
        44444133144444
        34464433446443
        31161111116113
        33344444444333
        .333333333333.
    """),
    "female": (23, 25, """
        .444444444444.
        .344444444443.
        .311113311113.
        34661144116643
        34461144116443
        44444444444444
        44444433444444
        34464433446443
        33161111116133
        .334444444433.
        ..3333333333..
    """),
}  # fmt: skip
BROW = 2  # row of it from which on it is seen below hair and hats
BELOW = (6, 7)  # row and column of that from the side from which on it is
CLOSED = ("metal helmet", "golden helmet", "chain hood", "cloth hood")  # heads that hide it, or much of it
BARE = "bare head"
CHIN = 12  # rows of it that are seen where an arm is before the rest
DRAWN = (5, 6, 7, 8)  # drawings in which a bow is drawn
MOVED = {  # (down, right) by drawing, of a face's first place
    ("male", "thrust"): dict.fromkeys((4, 5, 6), (0, 2)),
    ("male", "slash"): {1: (2, 1), 2: (0, 2), 3: (0, 3), 4: (0, 4), 5: (0, 4)},
    ("male", "shoot"): dict.fromkeys(range(13), (0, -1)),
    ("female", "walk"): dict.fromkeys((0, 1, 4, 5), (1, 0)),
    ("female", "spellcast"): {1: (1, 0)},
    ("female", "thrust"): {4: (0, 3), 5: (0, 3), 6: (0, 2), 7: (0, -1)},
    ("female", "slash"): {1: (3, 1), 2: (2, 2), 3: (0, 2), 4: (0, 2), 5: (1, 2)},
    ("female", "shoot"): {**dict.fromkeys(range(13), (0, -1)), 3: (2, -1)},
}


def with_face(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action of an orc from its beginning on -> the same with its face, in no closed
    helmet. Of one who falls it is drawn in the first drawing alone."""
    action, side, head = attributes.get("action", "walk"), side_of(attributes), attributes.get("head", BARE)
    sex = attributes.get("sex", "male")
    if side == "up" or head in CLOSED:
        return frames
    out, ramp = frames.copy(), RAMPS.get(attributes.get("body", ""), RAMPS["orc"])
    hooded = headgear_in(prompt)[0] in HOODS
    bare = hooded or (head == BARE and attributes.get("hair_style", "bald") == "bald")
    for view, drawing, moved in figures(out, attributes):
        if side == "right":
            whole = action != "shoot" or drawing not in DRAWN
            place = MOVED.get((sex, action), {}).get(drawing, (0, 0))
            paint(view, _profile(bare, whole), ramp, place)
        elif action != "hurt" or drawing == 0:
            paint(view, _front(sex, bare), ramp, (0, 0) if (sex, action) == ("male", "walk") else moved)
    return out


def _front(sex: str, bare: bool) -> tuple[int, int, str]:
    """What is drawn of a face from the front."""
    top, left, text = FRONT[sex]
    first = 0 if bare else BROW
    return top + first, left, "\n".join(text.split()[first:])


def _profile(bare: bool, whole: bool) -> tuple[int, int, str]:
    """What is drawn of a face from the side. whole: no arm is before the chin."""
    top, left, text = FACE
    first, before = (0, 0) if bare else BELOW
    rows = text.split()[first : None if whole else CHIN]
    return top + first, left, "\n".join("." * before + row[before:] for row in rows)
