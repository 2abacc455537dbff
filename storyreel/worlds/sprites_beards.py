"""Beards and mustaches of the sprites world, drawn onto faces: a model has seen few, and leaves most of them out.

A face lies where the drawing of an action has it, so its place is known of each frame; what is drawn is ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_dyes import COPPER, RAMPS, is_copper
from storyreel.worlds.sprites_hair_colors import SEEN_UNDER, colors_of
from storyreel.worlds.sprites_hairdos import braids_beard
from storyreel.worlds.sprites_parts import FRAMES, drawing_at

SHAPES = {  # rows of shades, 1 (dark) to 4 (light), by the top left pixel of a standing figure's: (row, column)
    ("beard", "down"): (33, 25, """
        12..233332..21
        12323333332321
        12333211233321
        .123343343321.
        ..1233443321..
        ...12344321...
        ....123321....
        .....1111.....
    """),
    ("beard", "right"): (33, 29, """
        1........1..
        12.....1221.
        123...123321
        12332233211.
        .12334334321
        ..1233443321
        ...12344321.
        .....12321..
        ......111...
    """),
    ("long beard", "down"): (33, 25, """
        12..233332..21
        12323333332321
        12333211233321
        .123343343321.
        .123343343321.
        ..1233443321..
        ..1233443321..
        ..1233443321..
        ...12344321...
        ...12344321...
        ...12344321...
        ....123321....
        ....123321....
        .....1221.....
        ......11......
    """),
    ("long beard", "right"): (33, 29, """
        1........1..
        12.....1221.
        123...123321
        12332233211.
        .12334334321
        .12334334321
        ..1233443321
        ...123343321
        ...123343321
        ....12344321
        ....12344321
        .....1234321
        ......123321
        ......12321.
        .......111..
    """),
    ("braided beard", "down"): (33, 25, """
        12..233332..21
        12323333332321
        12333211233321
        .123343343321.
        .123343343321.
        ..1233443321..
        ...12344321...
        ....134431....
        ....142241....
        ....134431....
        .....1331.....
        ....142241....
        ....134431....
        .....1331.....
        ....142241....
        ....134431....
        .....1111.....
        .....1331.....
        ......11......
    """),
    ("braided beard", "right"): (33, 29, """
        1........1..
        12.....1221.
        123...123321
        12332233211.
        .12334334321
        .12334334321
        ..1233443321
        ...123344321
        .....134431.
        .....142241.
        .....134431.
        ......1331..
        .....142241.
        .....134431.
        ......1331..
        .....142241.
        .....134431.
        ......1111..
        ......1331..
        .......11...
    """),
    ("big mustache", "down"): (32, 26, """
        ..12211221..
        .1233333321.
        123331133321
        .111....111.
    """),
    ("big mustache", "right"): (32, 32, """
        ...12221
        12233331
        12333211
        .111....
    """),
    ("mustache", "down"): (32, 28, """
        .122221.
        12333321
        121..121
    """),
    ("mustache", "right"): (32, 33, """
        .12221
        123331
        121.11
    """),
    ("thin mustache", "down"): (32, 28, """
        .12..21.
        12....21
        1......1
    """),
    ("thin mustache", "right"): (32, 33, """
        ..1221
        .12..1
        11....
    """),
}  # fmt: skip
MOVED = {  # (down, right) by which a head is moved, in those drawings of an action in which it is
    ("walk", "down"): {2: (1, 0), 6: (1, 0)},
    ("walk", "right"): {0: (1, 0), 4: (1, 0)},
    ("thrust", "down"): {4: (1, 0), 5: (1, 0), 6: (1, 0)},
    ("thrust", "right"): {4: (0, 2), 5: (0, 2), 6: (0, 2)},
    ("slash", "down"): {2: (2, -1), 3: (1, 2), 4: (0, 3), 5: (0, 3)},
    ("slash", "right"): {1: (2, 2), 2: (0, 2), 3: (0, 3), 4: (0, 4), 5: (0, 4)},
    ("shoot", "down"): dict.fromkeys(range(13), (0, -1)),
    ("shoot", "right"): dict.fromkeys(range(13), (0, -1)),
    ("hurt", "down"): {1: (1, 2), 2: (8, 2), 3: (12, 2)},
}
_LONG = re.compile(r"\b(long|flowing|huge|bushy|big)\W+(\w+\W+){0,2}(beard|bearded)\b")
SAMPLED = ("brown", "blue", "green", "purple", "pink")  # colors of hair of which there is more than one shade
BEFORE_FACE = (slice(29, 38), slice(41, 47))  # rows and columns, of who walks to the right
FALLEN = 4  # drawing of `hurt` from which on no face is seen
OWN = {"blonde": "6b4a16 a97b2e dcb35a f4dc98", "gray": "55555c 84848c a9a9b0 cdcdd2"}  # in which no cloth is dyed


def bearded(frames: np.ndarray, attributes: Mapping[str, str], prompt: str = "") -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same, with the facial hair that is named.
    prompt: says whether a beard is long or braided."""
    kind = attributes.get("facial_hair", "").partition(" ")[2]
    if kind == "beard" and braids_beard(prompt):
        kind = "braided beard"
    elif kind == "beard" and _LONG.search(prompt.lower()):
        kind = "long beard"
    action, facing = attributes.get("action", "walk"), attributes.get("facing", "down")
    side = "down" if action == "hurt" else {"left": "right"}.get(facing, facing)
    if (kind, side) not in SHAPES or frames.shape[1:3] != (64, 64):
        return frames
    ramp = _ramp_of(frames[:, :, ::-1] if facing == "left" else frames, attributes, side, prompt)
    out, ground = frames.copy(), frames[0, 0, 0] if frames.shape[-1] == 3 else np.zeros(4, np.uint8)
    for i, frame in enumerate(out):
        step = drawing_at(action, i % FRAMES, FRAMES)
        if action == "hurt" and (step >= FALLEN or i >= FRAMES):
            break
        view = frame[:, ::-1] if facing == "left" and action != "hurt" else frame
        down, right = MOVED.get((action, side), {}).get(step, (0, 0))
        if side == "right" and action == "walk" and "weapon" not in attributes:  # what a model has of it before a face
            rows, columns = BEFORE_FACE
            view[rows.start + down : rows.stop + down, columns.start + right : columns.stop + right] = ground
        paint(view, SHAPES[kind, side], ramp, (down, right))
    return out


def _ramp_of(views: np.ndarray, attributes: Mapping[str, str], side: str, prompt: str) -> str:
    """Its colors: those of the hair in the clip, where it is to be alike. views: as `colors_of` has them."""
    color = attributes["facial_hair"].partition(" ")[0]
    if color == "red" and is_copper(prompt):
        return COPPER
    alike = color == attributes.get("hair_color") and attributes.get("hair_style") != "bald"
    if not alike or color not in SAMPLED or attributes.get("head", SEEN_UNDER[0]) not in SEEN_UNDER:
        return {**RAMPS, **OWN}[color]
    return " ".join("".join(f"{channel:02x}" for channel in shade) for shade in colors_of(views, attributes, side))


def paint(frame: np.ndarray, shape: tuple[int, int, str], ramp: str, moved: tuple[int, int]) -> None:
    """Draw a shape of `SHAPES` into a frame, uint8 (64, 64, 3 or 4), in this ramp, moved by (down, right)."""
    top, left, text = shape
    shades = np.array([[0 if pixel == "." else int(pixel) for pixel in row] for row in text.split()])
    painted = np.array([(0, 0, 0), *rgb(ramp)], np.uint8)[shades]
    h, w = shades.shape
    there = frame[top + moved[0] : top + moved[0] + h, left + moved[1] : left + moved[1] + w]
    there[shades > 0, :3] = painted[shades > 0]
    there[shades > 0, 3:] = 255
