"""The arm that swings a weapon, drawn over what a model draws: it leaves the arms of monsters without a forearm, and a
second hand beside ours.

Where its joints are in each drawing is known. It has the colors of the lower arm in the first one.
"""

from __future__ import annotations

import numpy as np

from storyreel.worlds.sprites_figures import is_ground
from storyreel.worlds.sprites_limbs import Limb, put_limbs, ramp_in

Place = tuple[float, float]  # row and column

SWUNG: dict[tuple[str, str], tuple[Place | None, ...]] = {  # middle of the hand that holds a weapon, by drawing
    ("male", "down"): ((46.1, 43.2), (46.1, 36.9), (47.2, 29.0), (46.1, 39.9), (43.1, 50.9), (40.2, 54.0)),
    ("male", "right"): ((46.0, 39.0), (48.0, 43.0), (46.2, 40.4), (44.0, 48.5), (32.9, 51.9), (32.2, 48.7)),
    ("male", "up"): (None, None, None, None, (31.2, 50.2), (35.7, 53.1)),
    ("female", "down"): ((46.2, 42.1), (50.1, 37.5), (48.2, 30.0), (47.9, 39.1), (45.1, 47.9), (42.1, 50.0)),
    ("female", "right"): ((45.8, 38.3), (50.0, 42.0), (48.2, 40.4), (44.1, 47.5), (33.9, 48.9), (32.1, 48.2)),
    ("female", "up"): (None, None, None, None, (31.2, 49.2), (34.7, 52.1)),
}  # fmt: skip
JOINTS: dict[tuple[str, str], tuple[tuple[Place, Place] | None, ...]] = {  # shoulder and elbow, where they are seen
    ("male", "down"): (None, ((36.5, 42.0), (41.5, 42.0)), ((38.5, 37.5), (43.5, 37.5)), ((36.5, 42.5), (41.5, 43.0)),
                       ((35.5, 42.5), (38.5, 47.0)), ((35.0, 42.5), (37.0, 47.5))),
    ("male", "right"): (None, None, None, ((38.0, 42.0), (41.0, 45.0)), ((38.0, 43.0), (36.0, 47.5)),
                        ((39.0, 43.0), (35.5, 46.5))),
    ("female", "down"): (None, ((38.5, 39.5), (43.5, 40.0)), ((39.0, 36.5), (44.0, 36.5)),
                         ((37.0, 40.5), (42.0, 41.5)), ((36.5, 41.0), (40.5, 45.0)), ((36.0, 41.0), (39.0, 45.5))),
    ("female", "right"): (None, None, None, ((39.5, 41.0), (41.0, 44.0)), ((37.5, 41.5), (36.5, 44.0)),
                          ((38.0, 41.5), (35.5, 44.5))),
}  # fmt: skip
LOWER = {"down": (37, 45, 41, 46), "right": (38, 45, 22, 27)}  # rows and columns of a lower arm in the first drawing
THICK, FIST = 1.7, 2.4  # radii
BESIDE = slice(36, 53)  # rows of what a model draws of an arm beyond ours


def sleeve_in(frame: np.ndarray, side: str, mirrored: bool, ground: np.ndarray) -> np.ndarray | None:
    """uint8 (3, 3), dark to light: the colors of a lower arm in the first frame, uint8 (64, 64, 3 or 4); None from
    behind."""
    return ramp_in(frame[:, ::-1] if mirrored else frame, LOWER[side], ground) if side in LOWER else None


def put_arm(
    view: np.ndarray,
    sex: str,
    side: str,
    drawing: int,
    hand: Place,
    ramp: np.ndarray,
    ground: np.ndarray,
    always: bool = False,
) -> None:
    """Draw the arm to this hand, in a view, uint8 (64, 64, 3 or 4), of who slashes and is not mirrored, in place of
    that of a model; or only where there is none between elbow and hand. ramp: `sleeve_in`."""
    joints = JOINTS.get((sex, side), (None,) * 6)[drawing]
    if joints is None:
        return
    shoulder, elbow = joints
    if always:
        view[BESIDE, max(round(shoulder[1]), round(elbow[1])) + 3 :] = ground
    else:
        rows, columns = np.linspace(elbow, hand, 8).round().astype(int).T
        if not is_ground(view[rows, columns], ground).any():
            return
    put_limbs(view, (Limb("upper arm", shoulder, elbow, THICK), Limb("lower arm", elbow, hand, THICK)), ramp)


def put_hand(view: np.ndarray, hand: Place, skin: np.ndarray) -> None:
    """Draw the hand, as large as that of a model, which it hides. skin: uint8 (3, 3), dark to light."""
    put_limbs(view, (Limb("hand", hand, hand, FIST),), skin)
