"""The foot and the quiver of an archer who is seen from behind, drawn over what a model draws (`sprites_mends`): models
make somebody with one leg.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_figures import figures, ground_of, is_ground, side_of
from storyreel.worlds.sprites_limbs import Limb, put_limbs, ramp_in

LEG = Limb("legs", (50.5, 29.5), (53.0, 28.5), 1.8)
FOOT = Limb("feet", (54.5, 28.0), (56.3, 28.3), 1.9)
QUIVER = Limb("quiver", (40.5, 33.5), (46.5, 28.0), 2.2)
STRAP = tuple((37 + i, 36 - i) for i in range(13))  # from the right shoulder to the left hip
FLETCHES = ((38, 35), (37, 35), (37, 36), (36, 36), (36, 37), (35, 37))
FEATHER = rgb("ece6d6")[0]
BROWN = "3a1d12 5e3120 7d4a2e"
BOXES = {"legs": (50, 57, 30, 37), "feet": (58, 63, 30, 39)}
GOWNS = (" dress", " robe")  # below which no leg is seen


def with_foot(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; who shoots away from us has two feet and
    a quiver."""
    if attributes.get("action") != "shoot" or side_of(attributes) != "up":
        return frames
    out, ground = frames.copy(), ground_of(frames)
    ramps = {name: ramp_in(frames[0], box, ground) for name, box in BOXES.items()}
    for view, _, _ in figures(out, attributes):
        put_limbs(view, (FOOT,), ramps["feet"], ground)
        if not attributes.get("torso", "").endswith(GOWNS):
            put_limbs(view, (LEG,), ramps["legs"], ground)
        _put_quiver(view, ground)
    return out


def _put_quiver(view: np.ndarray, ground: np.ndarray) -> None:
    """On the back, with a strap; hair, a hood and a cape that are drawn later cover it."""
    brown = np.array(rgb(BROWN), np.uint8)
    rows, columns = np.array(STRAP).T
    worn = ~is_ground(view[rows, columns], ground)
    view[rows[worn], columns[worn], :3] = brown[0]
    put_limbs(view, (QUIVER,), brown)
    rows, columns = np.array(FLETCHES).T
    view[rows, columns, :3] = FEATHER
    view[rows, columns, 3:] = 255
