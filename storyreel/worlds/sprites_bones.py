"""The face of a skull and the ribs of skeletons, drawn over what a model leaves smooth (`sprites_mends`).

Head and chest lie where the drawing of an action has them; where arms are before the chest it stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_beards import paint
from storyreel.worlds.sprites_figures import MOVED
from storyreel.worlds.sprites_parts import FRAMES, drawing_at

SKULL, RIBS = "1b1622 5d5668 b8b0a4 f1ecdd", "2f2a3a 6b6474 b3aba2 dcd5c6"
FACES = {  # as `sprites_beards.SHAPES`: by the place on a skeleton who walks and does not step
    "down": (26, 25, """
        .222......222.
        21112....21112
        11111....11111
        11111.22.11111
        .111.2112.111.
        .....1221.....
        ..3444444443..
        ..4144114414..
        ...31411413...
    """),
    "right": (26, 33, """
        ..222...
        .21112..
        .111112.
        .111112.
        ..1112.1
        .......1
        .3444442
        .4144141
        ..31413.
    """),
}  # fmt: skip
CHESTS = {
    "down": (35, 24, """
        .34444311344443.
        .11111144111111.
        2344443223444432
        .11111144111111.
        .23444422444432.
        ..111114411111..
        ..234432234432..
        ...1111441111...
        ...1111221111...
        ....11144111....
    """),
    "right": (35, 29, """
        .22111112.
        .234444443
        ..11111111
        .234444443
        ..11111111
        .234444443
        ..1111111.
        ..2344443.
        ...11111..
    """),
    "up": (36, 24, """
        ..344442244443..
        ..111114411111..
        ..234442244432..
        ...1111441111...
        ..234432234432..
        ...1111441111...
        ...2333223332...
        ....11144111....
        .....112211.....
        .....114411.....
    """),
}  # fmt: skip
FALLEN = 3  # drawing of `hurt` from which on no face is seen
CHEST_SEEN = {  # drawings of an action in which no arm is before a chest, where that is not all of them
    ("spellcast", "down"): (0, 1, 3, 4, 5, 6),
    ("thrust", "down"): (0, 1),
    ("slash", "down"): (0, 1, 3, 4, 5),
    ("hurt", "down"): (0, 1, 2, 3),
    ("thrust", "up"): (0,),
    ("shoot", "up"): (),
}
BENT = {2: 6, 3: 4}  # drawing of `hurt` in which a chest is bent -> the rows of it that are seen
TURNED = {  # how a chest is moved where that is not as its head
    ("slash", "right"): {2: (1, 3), 3: (1, 4), 4: (1, 5), 5: (1, 5)},
}
BEFORE = ("spear", "shield", "trident", "dragon spear")  # what is seen before a chest


def with_bones(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action of a skeleton from its beginning on -> the same with a skull's face, and
    with ribs where the chest is bare."""
    action, facing = attributes.get("action", "walk"), attributes.get("facing", "down")
    side = "down" if action == "hurt" else {"left": "right"}.get(facing, facing)
    bare = attributes.get("torso", "bare chest") == "bare chest" and attributes.get("weapon") not in BEFORE
    out = frames.copy()
    for i, frame in enumerate(out):
        drawing = drawing_at(action, i % FRAMES, FRAMES)
        if action == "hurt" and (drawing > max(BENT) or i >= FRAMES):
            break
        view = frame[:, ::-1] if facing == "left" and action != "hurt" else frame
        moved = MOVED.get(("male", action, side), {}).get(drawing, (0, 0))
        lower = int(action != "walk")  # all other drawings stand a pixel lower
        if side in FACES and (action != "hurt" or drawing < FALLEN):
            paint(view, FACES[side], SKULL, (moved[0] + lower, moved[1]))
        if bare and drawing in CHEST_SEEN.get((action, side), (drawing,)):
            chest = TURNED.get((action, side), {}).get(drawing, moved)
            top, left, text = CHESTS[side]
            rows = text.split()[: BENT.get(drawing) if action == "hurt" else None]
            paint(view, (top, left, "\n".join(rows)), RIBS, (chest[0] + lower, chest[1]))
    return out
