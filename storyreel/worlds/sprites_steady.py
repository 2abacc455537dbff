"""Heads that are the same in all drawings of an action (`sprites_mends`): models draw them a little different in each.

In those drawings a head is moved and never changed, and by how much is known; so each of its pixels has the
color that it has in most frames.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_completion import MONSTERS
from storyreel.worlds.sprites_figures import SIDE, figures, side_of

HEAD = {  # boxes without arms and weapons: rows and columns, not moved
    ("walk", "down"): ((6, 36, 17, 47),),
    ("walk", "right"): ((6, 36, 17, 44),),
    ("walk", "up"): ((6, 35, 17, 47),),
    ("slash", "down"): ((6, 28, 17, 47), (28, 34, 21, 43)),
    ("slash", "right"): ((6, 26, 14, 47), (26, 34, 18, 42)),
    ("slash", "up"): ((6, 26, 17, 47), (26, 34, 21, 43)),
    ("thrust", "down"): ((14, 34, 21, 43),),  # a shaft is above
    ("thrust", "right"): ((6, 26, 14, 47), (26, 35, 18, 42)),
    ("spellcast", "down"): ((6, 20, 18, 46), (20, 36, 21, 43)),
    ("spellcast", "right"): ((6, 24, 16, 46), (24, 35, 23, 40)),
}
LOW = "dagger"  # the weapon that is carried below heads


def with_steady_head(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; who walks, slashes, thrusts or
    casts a spell has one head in all frames."""
    action, place = attributes.get("action", "walk"), (attributes.get("action", "walk"), side_of(attributes))
    walks, monster = action == "walk", attributes.get("body") in MONSTERS
    high = walks and attributes.get("weapon", LOW) != LOW
    odd = place not in HEAD or high or (monster and not walks)
    if odd or frames.shape[1:3] != (SIDE, SIDE) or len(frames) < 3:
        return frames
    out = frames.copy()
    still = walks and monster and attributes.get("sex", "male") == "male"
    for top, bottom, left, right in HEAD[place]:
        heads = [
            view[top + (down := 0 if still else moved[0]) : bottom + down, left + moved[1] : right + moved[1]]
            for view, _, moved in figures(out, attributes)
        ]
        steady = commonest(np.stack(heads))
        for head in heads:
            head[:] = steady
    return out


def commonest(pictures: np.ndarray) -> np.ndarray:
    """uint8 (n, h, w, c) -> (h, w, c): of each pixel the color in most of them; where there is none, that of the
    picture that is most like the others."""
    alike = (pictures[:, None] == pictures[None]).all(-1)  # (n, n, h, w)
    counts = alike.sum(1)
    best, middle = counts.argmax(0), int(counts.sum((1, 2)).argmax())
    place = np.where(counts.max(0) * 2 > len(pictures), best, middle)
    return np.take_along_axis(pictures, place[None, ..., None], 0)[0]
