"""Long hair, drawn over what a model draws (`sprites_mends`), of which it makes a cap.

It falls over both shoulders, down the back, and from the side behind the neck, in the colors of the head in the clip.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_cloth import Drape, hang, sway_at
from storyreel.worlds.sprites_completion import COVERED, HAIRLESS
from storyreel.worlds.sprites_figures import figures, side_of
from storyreel.worlds.sprites_hair_colors import DYED, colors_of
from storyreel.worlds.sprites_hats import HOODS, headgear_in

ENDS = {"long hair": 45, "loose hair": 45, "very long hair": 52}  # the last row
LOCKS = {
    "down": (Drape(27, 2.5, 2.2, 23.5), Drape(27, 2.5, 2.2, 39.5)),
    "up": (Drape(25, 9.0, 7.5, 31.5),),
    "right": (Drape(25, 4.0, 2.2, 25.5, drift=-1.0),),
}


def with_long_hair(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with whole hair on who has it long, and
    not under a hood."""
    end = ENDS.get(attributes.get("hair_style", ""))
    action, side = attributes.get("action", "walk"), side_of(attributes)
    hidden = attributes.get("head") in COVERED or attributes.get("body") in HAIRLESS
    if end is None or action == "hurt" or hidden or headgear_in(prompt)[0] in HOODS:
        return frames
    out = frames.copy()
    seen = [*figures(out, attributes)]
    ramp = DYED.get(attributes.get("hair_color", "")) or colors_of(
        np.stack([view for view, _, _ in seen]), attributes, side
    )
    for view, drawing, (down, right) in seen:
        for lock in LOCKS[side]:
            lower = Drape(lock.top + down, lock.above, lock.below, lock.middle + right, lock.drift, end + down)
            hang(view, lower, ramp, 0, sway_at(action, drawing) / 2)
    return out
