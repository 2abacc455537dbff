"""Arms that do not swing, as they carry a pole or a shield: as a model draws them in one frame of a walk."""

from __future__ import annotations

import numpy as np

from storyreel.worlds.sprites_figures import SIDE, figures
from storyreel.worlds.sprites_parts import FRAMES

NEAR, FAR = (3, (38, 52, 14, 36)), (0, (41, 52, 37, 50))  # frame; rows and columns of an arm, from the side


def with_still_arm(
    frames: np.ndarray, sex: str, action: str, facing: str, arm: tuple[int, tuple[int, int, int, int]]
) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; who walks to a side does not swing this
    arm, `NEAR` or `FAR`."""
    if action != "walk" or facing not in ("left", "right") or len(frames) % FRAMES or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    bearer, out = {"sex": sex, "action": action, "facing": facing}, frames.copy()
    at, (top, bottom, left, right) = arm
    seen = [(view, moved) for view, _, moved in figures(frames, bearer)]
    for i, (view, _, (down, _)) in enumerate(figures(out, bearer)):
        like, (there, _) = seen[i - i % FRAMES + at]
        moved = down - there
        view[top + moved : bottom + moved, left:right] = like[top:bottom, left:right]
    return out
