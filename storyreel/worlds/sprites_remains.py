"""What a model draws of its own weapon where another is drawn over it: it goes where nobody has a body."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_completion import MONSTERS
from storyreel.worlds.sprites_figures import SIDE, figures, ground_of, side_of

BODIES = {  # first and last column of all bodies, clothes and hair of the sheets, by drawing
    ("slash", "up"): ((15, 47), (14, 47), (13, 46), (16, 48), (17, 53), (17, 56)),
    ("slash", "down"): ((15, 48), (16, 48), (15, 47), (17, 50), (18, 54), (18, 57)),
    ("slash", "right"): ((10, 45), (11, 47), (12, 47), (12, 52), (12, 55), (12, 52)),
    ("spellcast", "up"): ((15, 47), (15, 47), (15, 47), (14, 49), (7, 56), (8, 55), (14, 49)),
    ("spellcast", "down"): ((16, 48), (16, 48), (16, 48), (14, 49), (7, 56), (8, 55), (15, 48)),
    ("spellcast", "right"): ((10, 45), (10, 45), (10, 45), (10, 45), (10, 49), (10, 52), (10, 45)),
    ("thrust", "right"): (*[(10, 45)] * 4, (12, 48), (12, 51), (12, 48), (10, 45)),
    ("walk", "up"): ((15, 48),) * 8,
    ("walk", "down"): ((15, 48),) * 8,
    ("walk", "right"): ((10, 45),) * 8,
}
LOW = {
    ("slash", "down"): (4, 47, 46)
}  # drawing, and first row and column of where a dagger points down beside somebody
HAIRLESS = ("skeleton", *MONSTERS)
BALD = {("slash", "right"): 19, ("thrust", "right"): 17}  # first column of those
BACK, BEHIND = slice(40, 53), 21  # rows and first column of the backs of those who thrust to the side


def without_weapon(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same, without what is beside bodies. What lies
    stays."""
    seen = attributes.get("action", "walk"), side_of(attributes)
    bodies, least = BODIES.get(seen), BALD.get(seen, 0) if attributes.get("body") in HAIRLESS else 0
    if bodies is None or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out, ground, hair = frames.copy(), ground_of(frames), attributes.get("hair_style", "")
    for view, drawing, _ in figures(out, attributes):
        first, last = bodies[drawing]
        view[:, : max(first, least)] = ground
        view[:, last + 1 :] = ground
        if seen in LOW and drawing == LOW[seen][0]:
            view[LOW[seen][1] :, LOW[seen][2] :] = ground
        if seen == ("thrust", "right") and not (attributes.keys() & {"cape"} or "long" in hair):
            view[BACK, :BEHIND] = ground
    return out
