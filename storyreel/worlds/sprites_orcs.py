"""The face of orcs who are seen from the side, drawn over what a model leaves smooth (`sprites_mends`).

It lies where the drawing of an action has it; where an arm is before the chin it ends above. The face is ours.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_beards import paint
from storyreel.worlds.sprites_figures import figures

RAMPS = {  # dark to light, and white
    "orc": "0a280b 19541d 228236 39aa4e 53bf71 f4f4ee",
    "red orc": "0f1c06 283510 355f21 568b33 77a552 f4f4ee",
}
FACE = (20, 23, """
    .......1111111.....
    .....1144444441....
    .1..114445554441...
    .11.1344455544441..
    ..13314444544444.1.
    ..123314444444441..
    ...12313444444441..
    ....1233444432221..
    ....1213444321116..
    .....11344442161441
    .....11344446344441
    ......1344446334331
    ......1134446444411
    ......1133446411114
    .......113346333311
    .......11133333331.
    ........111222211..
""")  # fmt: skip
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


def with_face(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action of an orc from its beginning on -> the same with its face, where it is seen
    from the side and bareheaded."""
    action, facing = attributes.get("action", "walk"), attributes.get("facing", "down")
    bare = attributes.get("head", "bare head") == "bare head" and attributes.get("hair_style", "bald") == "bald"
    if action == "hurt" or facing not in ("left", "right") or not bare:
        return frames
    out, moved = frames.copy(), MOVED.get((attributes.get("sex", "male"), action), {})
    ramp = RAMPS.get(attributes.get("body", ""), RAMPS["orc"])
    top, left, text = FACE
    for view, drawing, _ in figures(out, attributes):
        rows = text.split()[: CHIN if action == "shoot" and drawing in DRAWN else None]
        paint(view, (top, left, "\n".join(rows)), ramp, moved.get(drawing, (0, 0)))
    return out
