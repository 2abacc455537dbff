"""Who lies on the ground, drawn over the last drawing of a fall: of that models make a heap of clothes.

They lie on their face, head towards the viewer, in the colors that they have while they stand.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_figures import figures, ground_of
from storyreel.worlds.sprites_grips import skin_in
from storyreel.worlds.sprites_limbs import Limb, put_limb, ramp_in

LYING = 5  # the drawing of `hurt` in which somebody lies
MIDDLE = 34.5  # column of the backbone
BOXES = {  # rows and columns of somebody who stands
    "head": (15, 22, 27, 37), "torso": (40, 45, 27, 37), "legs": (51, 56, 26, 38), "feet": (58, 62, 25, 39),
    "hands": (45, 49, 20, 23),
}  # fmt: skip
SLEEVELESS = (" dress", " corset", "bare chest", "leather armor")  # whose arms are bare
COVERED = ("torso", "legs")  # of which skin is seen beside them
GOWNS = (" dress", " robe")  # which cover legs
SIDES = (  # of the left side; the other one is its mirror image
    Limb("legs", (38.5, 31.0), (33.5, 26.0), 2.7),
    Limb("feet", (30.8, 23.2), (33.0, 22.4), 2.7),
    Limb("arms", (45.5, 27.0), (52.0, 23.4), 2.4),
    Limb("hands", (53.6, 22.0), (55.4, 21.2), 2.3),
)
BACK = (Limb("torso", (43.0, 31.5), (43.0, 37.5), 6.4),)
GOWN = (Limb("torso", (39.5, 29.0), (39.5, 40.0), 5.0), *BACK)
HEAD = Limb("head", (53.6, MIDDLE), (53.6, MIDDLE), 9.0)


def with_fallen(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; who has fallen lies there whole."""
    if attributes.get("action") != "hurt":
        return frames
    out, ground = frames.copy(), ground_of(frames)
    ramps = _ramps(frames[0], ground, attributes)
    gown = attributes.get("torso", "").endswith(GOWNS)
    parts = (*(part for part in SIDES if not (gown and part.name == "legs")), *(GOWN if gown else BACK), HEAD)
    for view, drawing, _ in figures(out, attributes):
        if drawing < LYING:
            continue
        view[:] = ground
        for part in parts:
            put_limb(view, part, ramps[part.name])
            if part in SIDES:
                mirrored = [(row, 2 * MIDDLE - column) for row, column in (part.start, part.end)]
                put_limb(view, Limb(part.name, *mirrored, part.radius), ramps[part.name])
    return out


def _ramps(frame: np.ndarray, ground: np.ndarray, attributes: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Limb -> its colors while somebody stands, uint8 (3, 3), the darkest first."""
    skin = skin_in(frame, "down", mirrored=False)
    bare = skin is None or "bare" in attributes.get("torso", "bare") or attributes.get("body") == "skeleton"
    ramps = {
        name: ramp_in(frame, box, ground, None if bare or name not in COVERED else skin) for name, box in BOXES.items()
    }
    if skin is not None and attributes.get("body") != "skeleton" and "hands" not in attributes:
        ramps["hands"] = skin
    if attributes.get("body") == "skeleton" and "torso" not in attributes:
        ramps |= dict.fromkeys(("torso", "legs"), ramps["hands"])
    ramps["arms"] = ramps["hands" if attributes.get("torso", "").endswith(SLEEVELESS) else "torso"]
    return ramps
