"""What a model loses of a sprite in motion, as it draws it in another frame of the same clip.

In the drawings of an action a head is moved and never changed, and by how much is known; so the head of a monster is
that of the first frame, which a model draws best.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_archers import with_foot
from storyreel.worlds.sprites_blonde import with_even_blonde
from storyreel.worlds.sprites_bones import with_bones
from storyreel.worlds.sprites_bows import without_bow
from storyreel.worlds.sprites_capes import with_cape
from storyreel.worlds.sprites_completion import MONSTERS
from storyreel.worlds.sprites_copper import with_copper_hair
from storyreel.worlds.sprites_curls import with_curls
from storyreel.worlds.sprites_ears import with_ears
from storyreel.worlds.sprites_extras import with_extras
from storyreel.worlds.sprites_eyes import with_eyes, with_whole_eyes
from storyreel.worlds.sprites_fallen import with_fallen
from storyreel.worlds.sprites_figures import MOVED, STILL
from storyreel.worlds.sprites_grips import with_gauntlets
from storyreel.worlds.sprites_islands import without_islands
from storyreel.worlds.sprites_knots import with_knot
from storyreel.worlds.sprites_long_hair import with_long_hair
from storyreel.worlds.sprites_orcs import with_face
from storyreel.worlds.sprites_parts import FRAMES, drawing_at
from storyreel.worlds.sprites_plumes import without_plume
from storyreel.worlds.sprites_reader import implied, read_freely
from storyreel.worlds.sprites_remains import without_weapon
from storyreel.worlds.sprites_skirts import with_skirt
from storyreel.worlds.sprites_spells import with_spell
from storyreel.worlds.sprites_steady import with_steady_head
from storyreel.worlds.sprites_tails import with_tails
from storyreel.worlds.sprites_thrusts import without_pole
from storyreel.worlds.sprites_weapon_shapes import POLES
from storyreel.worlds.sprites_weapons import weapon_in
from storyreel.worlds.sprites_wings import with_wings

ACTIONS = ("slash", "thrust")  # in which faces get lost, and no arm is before them
BOXES = {"down": (12, 46, 18, 46), "right": (12, 46, 20, 42)}  # rows and columns of a head in the first drawing
SHOULDERS = {"down": 39, "right": 29}  # row: from here on there is more in a box than the head, as an arm
LYING = 4  # drawing of `hurt` from which on no face is seen
SIDE = 64  # pixels of a frame


def mended(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same, mended, with what the prompt says of
    things that no sheet has."""
    action, facing = attributes.get("action", "walk"), attributes.get("facing", "down")
    side = "down" if action == "hurt" else {"left": "right"}.get(facing, facing)
    if frames.shape[1:3] != (SIDE, SIDE):
        return frames
    frames, weapon = without_islands(frames, attributes), weapon_in(prompt)
    if weapon and (action, side) == ("thrust", "right") and len(frames) % FRAMES == 0:
        frames = frames.copy()
        frames[::FRAMES] = frames[1::FRAMES]  # in the first the end of a shaft is bent, and a hand hangs
    if weapon and not (action == "thrust" and weapon in POLES):
        frames = without_weapon(frames, attributes)
    elif weapon:
        frames = without_pole(frames, attributes)
    frames = without_plume(with_foot(without_bow(frames, attributes), attributes), attributes, prompt)
    frames = with_whole_eyes(with_steady_head(frames, attributes), attributes)
    if attributes.get("body") == "skeleton":
        frames = with_bones(frames, attributes)
    monster = attributes.get("body") in MONSTERS
    if action == "hurt" and not monster:
        frames = _with_first_head(frames, action, side, mirrored=False, sex=attributes.get("sex", "male"))
    frames = with_fallen(with_even_blonde(frames, attributes), attributes, prompt)
    frames = with_copper_hair(frames, attributes, prompt)
    frames = with_extras(with_skirt(frames, attributes), attributes, prompt)
    frames = with_long_hair(with_cape(frames, attributes, prompt), attributes, prompt)
    frames = with_curls(with_tails(frames, attributes, prompt), attributes, prompt)
    frames = with_ears(with_knot(frames, attributes), attributes, prompt)
    frames = with_wings(frames, attributes, prompt)
    frames = with_spell(with_eyes(frames, attributes, prompt), attributes, prompt)
    if monster and side == "down":
        frames = with_face(frames, attributes, prompt)
    if monster and (action, side) == ("hurt", "down"):
        return _with_first_head(frames, action, side, mirrored=False)
    if monster and action in ACTIONS and side in BOXES:
        frames = _with_first_head(frames, action, side, mirrored=facing == "left")
    frames = with_gauntlets(frames, attributes)
    return with_face(frames, attributes, prompt) if monster and side == "right" else frames


def mirrored(prompt: str, attributes: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """The attributes as a model is to draw them, and whether the clip is then mirrored; of these the same comes again.

    Models draw the faces of monsters who look to the left, and lose those of monsters who look to the right.
    """
    named = read_freely(prompt)
    facing = {**implied(prompt, named), **named}.get("facing")
    if attributes.get("body") not in MONSTERS or facing != "right" or attributes.get("facing") not in ("left", "right"):
        return dict(attributes), False
    return {**attributes, "facing": "left"}, True


def _with_first_head(frames: np.ndarray, action: str, side: str, mirrored: bool, sex: str = "male") -> np.ndarray:
    out = frames.copy()
    views = out[:, :, ::-1] if mirrored else out
    ground = np.zeros(4, np.uint8) if frames.shape[-1] == 4 else frames[0, 0, 0]
    top, bottom, left, right = BOXES[side]
    falls, moves = action == "hurt", MOVED.get((sex, action, side), {})
    bottom = SHOULDERS[side] if falls else bottom
    for i, frame in enumerate(views):
        head = views[i - i % FRAMES, top:bottom, left:right]
        drawing = drawing_at(action, i % FRAMES, FRAMES)
        if falls and (drawing >= LYING or i >= FRAMES):
            break
        down, aside = (
            there - first for there, first in zip(moves.get(drawing, STILL), moves.get(0, STILL), strict=True)
        )
        there = frame[top + down : bottom + down, left + aside : right + aside]
        if falls:  # nothing of the head that was there is left above
            frame[: top + down, left + aside : right + aside] = ground
        solid = (head != ground).any(-1)
        solid[: SHOULDERS[side] - top] = True
        there[solid] = head[solid]
    return out
