"""A round shield on the arm of who has another weapon in hand, or does what no sheet has a shield for.

It goes with the body as the head does. It is ours, of wood, with a rim and a boss of iron.
"""

from __future__ import annotations

import re

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_figures import SIDE, figures, ground_of, is_ground, side_of

PLACES = {"down": (43, 43), "right": (42, 40), "up": (41, 18)}  # of its middle, on somebody who stands
SIZES = {"down": (21, 15), "right": (21, 19), "up": (21, 15)}  # height and width
FALLEN = 3  # drawing of `hurt` from which on it lies on the ground
LYING, LYING_SIZE = (57, 50), (9, 19)
OUTLINE, RIM, WOOD, GRAIN, BOSS, LIGHT = "17121f", "6d7180", "8a5a30", "6b4220", "9aa0ad", "d5d9e2"
WITH_SHIELD = re.compile(r"\b(shields?|bucklers?|targe)\b")


def has_shield(prompt: str) -> bool:
    """Whether the prompt says one: no shield-maiden, who may have none."""
    return bool(WITH_SHIELD.search(re.sub(r"shield[- ]?maidens?|without an? shield|no shield", "", prompt.lower())))


def with_shield(
    frames: np.ndarray, sex: str, action: str, facing: str, wood: tuple[str, str, str] | None = None
) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with a shield on the left arm. wood: its
    colors, dark to light."""
    bearer = {"sex": sex, "action": action, "facing": facing}
    side, ground, out = side_of(bearer), ground_of(frames), frames.copy()
    shades = wood[:2] if wood else (GRAIN, WOOD)
    for view, drawing, (down, right) in figures(out, bearer):
        if action == "hurt" and drawing >= FALLEN:
            _put(view, LYING, LYING_SIZE, None, shades)
        else:
            place = PLACES[side][0] + down, PLACES[side][1] + right
            _put(view, place, SIZES[side], None if side == "down" else ground, shades)
    return out


def _put(
    frame: np.ndarray, place: tuple[int, int], size: tuple[int, int], behind: np.ndarray | None, shades: tuple[str, str]
) -> None:
    """behind: the ground, where a shield is on the far arm, and seen only beside whoever bears it. shades: of its wood,
    the grain first."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    y, x = (rows - place[0]) / (size[0] / 2), (columns - place[1]) / (size[1] / 2)
    far = np.hypot(y, x)
    free = True if behind is None else is_ground(frame, behind)
    grain = (columns - place[1]) % 5 == 0
    for inside, color in (
        (far <= 1, OUTLINE), (far <= 0.9, RIM), (far <= 0.72, shades[1]), ((far <= 0.72) & grain, shades[0]),
        (far <= 0.3, OUTLINE), (far <= 0.24, BOSS), (np.hypot(y + 0.1, x + 0.1) <= 0.11, LIGHT),
    ):  # fmt: skip
        frame[inside & free, :3] = rgb(color)[0]
    frame[(far <= 1) & free, 3:] = 255
