"""Heads that are the same in all steps of a walk (`sprites_mends`): models draw them a little different in each.

In the drawings of a walk a head is moved and never changed, and by how much is known; so each of its pixels has the
color that it has in most frames.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_completion import MONSTERS
from storyreel.worlds.sprites_figures import SIDE, figures, side_of

HEAD = {"down": (6, 36, 17, 47), "right": (6, 36, 17, 44), "up": (6, 35, 17, 47)}  # rows and columns, not moved
LOW = "dagger"  # the weapon that is carried below heads


def with_steady_head(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; who walks has one head in all frames."""
    high = attributes.get("weapon", LOW) != LOW
    if attributes.get("action", "walk") != "walk" or high or frames.shape[1:3] != (SIDE, SIDE) or len(frames) < 3:
        return frames
    out = frames.copy()
    top, bottom, left, right = HEAD[side_of(attributes)]
    still = attributes.get("body") in MONSTERS and attributes.get("sex", "male") == "male"
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
