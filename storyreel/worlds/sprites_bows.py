"""Bows of those who shoot, drawn over what a model draws (`sprites_mends`): of a bow and of a face behind an arm it
makes pieces.

Somebody stands the same in most drawings of a shot and only an arm moves. So all frames are put together of those that
a model draws best, without its bow, and ours is drawn where the hands are. It is seen aslant from before and behind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_figures import SIDE, figures, ground_of, is_ground, side_of
from storyreel.worlds.sprites_grips import BARE as BARE_HANDS
from storyreel.worlds.sprites_grips import put_fist, skin_in, skin_of
from storyreel.worlds.sprites_limbs import Limb, put_limbs, ramp_in
from storyreel.worlds.sprites_parts import FRAMES

Box = tuple[int, int, int, int]  # rows and columns, from and to
Place = tuple[float, float]  # row and column

OUTLINE, DARK, LIGHT, STRING = "17121f", "7a4a24", "c48a48", "f4efdf"
SHAFT, STEEL, SHINE = "9a6a3a", "8a93a4", "f2f4f8"
REST = 6  # frame in which somebody has shot and no arrow is in hand
ARMS = {  # by side: of each frame, the one whose drawing arm is best
    "right": (6, 2, 2, 5, 5, 5, 6, 6), "down": (6, 2, 2, 2, 2, 2, 6, 6), "up": (6, 2, 2, 4, 4, 4, 6, 6),
}  # fmt: skip
ARM: dict[str, Box] = {"right": (29, 50, 0, 31), "down": (26, 46, 0, 26), "up": (24, 50, 36, 64)}
HEADS: dict[str, tuple[Box, ...]] = {  # of the first frame, before which no bow is
    "right": ((0, 32, 0, 64), (32, 35, 29, 38)),
    "down": ((0, 28, 0, 64), (28, 36, 25, 42)),
    "up": ((0, 24, 0, 64),),
}
BARE: dict[str, tuple[Box, ...]] = {  # where nobody is, but quivers and bows are
    "right": ((31, 39, 47, 64), (39, 42, 41, 64), (42, 55, 38, 64), (55, 64, 41, 64), (60, 64, 0, 20)),
    "down": ((30, 64, 39, 64), (47, 56, 37, 64), (44, 64, 0, 22), (58, 64, 0, 28), (62, 64, 0, 64)),
    "up": ((39, 64, 0, 24),),
}
PIECES: dict[str, tuple[tuple[int, Box, int], ...]] = {  # frame, what is better in it, and by how much it is moved
    "right": ((5, (35, 44, 33, 39), 0), (4, (44, 60, 33, 41), 0)),
    "down": ((0, (36, 42, 25, 38), 0), (0, (36, 44, 39, 46), -7)),
}
SEAMS: dict[str, tuple[tuple[int, int, int, int, int], ...]] = {  # rows, and columns: filled to the right, as which
    "right": ((44, 56, 34, 37, 33),),
    "down": ((42, 47, 27, 33, 26), (47, 57, 26, 29, 25), (47, 62, 28, 34, 34)),
}
EDGES: dict[str, tuple[tuple[int, int, int], ...]] = {  # rows, and column of a line
    "right": ((44, 55, 37),),
    "down": ((49, 62, 28),),
}
LINE = rgb("2b1318")[0]
SPECK, ABOUT = 12, 4  # pixels, and how far around one they are counted


class Bow(NamedTuple):
    """grip: what the hand holds. aim: degrees clockwise from "to the right". half: pixels from there to a tip. back:
    by how much tips are behind the grip. nocks: of each frame, what the drawing hand holds, None where nothing. rest:
    frames in which an arrow is held and the string is not drawn."""

    grip: Place
    aim: float
    half: float
    back: float
    nocks: tuple[Place | None, ...]
    rest: tuple[int, ...] = (0, 7)


BOWS = {
    "right": Bow((35, 49), 0, 21, 7, ((42, 26), (37, 29), (37, 29), (35, 26), (35, 26), (35, 26), None, (42, 26))),
    "down": Bow((44, 33), 68, 18, 6, ((39, 20), *[(37, 22)] * 5, None, (39, 20))),
    "up": Bow((34, 17), 180, 20, 4, (None,) * FRAMES),  # its string is drawn towards us, and its arrow not seen
}
FAR_ARM, SLEEVE = Limb("far arm", (39.0, 26.0), (34.5, 18.0), 1.7), (33, 42, 39, 45)  # from behind
ARM_UP = 3  # frame in which the other arm is there
ARROW = 27  # its length
FLEX = 3  # by how much further tips are back when it is drawn


def without_bow(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same without the bow of who shoots, and with
    clean faces."""
    if attributes.get("action") != "shoot" or len(frames) % FRAMES or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out, side, ground = frames.copy(), side_of(attributes), ground_of(frames)
    seen = [view for view, _, _ in figures(frames, attributes)]
    aside = -1 if (attributes.get("sex"), side) in (("female", "down"), ("female", "up")) else 0
    for i, (view, _, _) in enumerate(figures(out, attributes)):
        first, at = i - i % FRAMES, i % FRAMES
        view[:] = seen[first + REST]
        _copy(view, seen[first + ARMS[side][at]], ARM[side])
        for frame, (top, bottom, left, right), moved in PIECES.get(side, ()):
            _part(view, (top, bottom, left + moved, right + moved))[:] = seen[first + frame][top:bottom, left:right]
        for top, bottom, left, right, like in SEAMS.get(side, ()):
            view[top:bottom, left:right] = view[top:bottom, like, None]
        for top, bottom, column in EDGES.get(side, ()):
            view[top:bottom, column, :3] = LINE
            view[top:bottom, column, 3:] = 255
        for box in BARE[side]:
            _part(view, box)[:] = ground
        for box in HEADS[side]:
            _copy(view, np.roll(seen[first], aside, 1), box)
        _drop_specks(view, ground)
    return out


def with_bow(
    frames: np.ndarray, attributes: Mapping[str, str], wood: tuple[str, str, str] | None = None, hands: str = ""
) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with the bow of who shoots. wood: its
    colors, dark to light; hands: those of hands, where they are known."""
    if attributes.get("action") != "shoot" or len(frames) % FRAMES or frames.shape[1:3] != (SIDE, SIDE):
        return frames
    out, side, ground = frames.copy(), side_of(attributes), ground_of(frames)
    mirrored = attributes.get("facing") == "left"
    known = hands or skin_of(attributes) or (BARE_HANDS.get(attributes.get("body", ""), "") if side == "up" else "")
    skin = np.array(rgb(known), np.uint8) if known else skin_in(frames[0], side, mirrored)
    sleeve = ramp_in(frames[ARM_UP], SLEEVE, ground)
    bow = BOWS[side]
    for i, (view, _, _) in enumerate(figures(out, attributes)):
        before, at = view.copy(), i % FRAMES
        body = ~is_ground(before, ground)
        _draw_bow(view, bow, at, wood[:2] if wood else (DARK, LIGHT))
        _draw_arrow(view, bow, at)
        if side == "up":
            put_limbs(view, (FAR_ARM,), sleeve)
            view[body] = before[body]
        if skin is not None:
            for hand in (bow.grip, bow.nocks[at]):
                if hand:
                    put_fist(view, *hand, skin)
    return out


def _part(view: np.ndarray, box: Box) -> np.ndarray:
    top, bottom, left, right = box
    return view[top:bottom, left:right]


def _copy(view: np.ndarray, other: np.ndarray, box: Box) -> None:
    _part(view, box)[:] = _part(other, box)


def _drop_specks(view: np.ndarray, ground: np.ndarray) -> None:
    """Pixels with at most `SPECK` about them become ground."""
    solid = ~is_ground(view, ground)
    size = 2 * ABOUT + 1
    around = sliding_window_view(np.pad(solid, ABOUT), (size, size)).sum((2, 3))
    view[solid & (around <= SPECK)] = ground


def _ahead(bow: Bow) -> np.ndarray:
    turn = math.radians(bow.aim)
    return np.array([math.sin(turn), math.cos(turn)])


def _draw_bow(view: np.ndarray, bow: Bow, at: int, shades: tuple[str, str]) -> None:
    ahead, nock = _ahead(bow), None if at in bow.rest else bow.nocks[at]
    along = np.array([-ahead[1], ahead[0]])
    back, half = (bow.back + FLEX, bow.half - 1.5) if nock else (bow.back, bow.half)
    t = np.linspace(-1, 1, 241)[:, None]
    limb = np.array(bow.grip) + t * half * along - (np.abs(t) ** 1.7) * back * ahead
    outer, inner = _pixels(limb), _pixels(limb - ahead)
    wood = outer | inner
    middle = np.array(nock) if nock else (limb[0] + limb[-1]) / 2
    rim = {(r + down, c + right) for r, c in wood for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0))}
    _put(view, rim - wood, OUTLINE)
    string = (_pixels(_line(limb[0], middle)) | _pixels(_line(middle, limb[-1]))) - wood
    _put(view, string, STRING)
    _put(view, inner, shades[0])
    _put(view, outer, shades[1])


def _draw_arrow(view: np.ndarray, bow: Bow, at: int) -> None:
    nock = bow.nocks[at]
    if nock is None:
        return
    tail = np.array(nock)
    toward = np.array(bow.grip) - tail
    ahead = toward / np.hypot(*toward)
    beside = np.array([abs(ahead[1]), -abs(ahead[0])])
    shaft, head = _line(tail, tail + ahead * ARROW), _line(tail + ahead * (ARROW - 3), tail + ahead * ARROW)
    barbs = head[: len(head) // 4]
    _put(view, _pixels(shaft + beside), OUTLINE)
    _put(view, _pixels(shaft), SHAFT)
    _put(view, _pixels(barbs + beside) | _pixels(barbs - beside), STEEL)
    _put(view, _pixels(head), SHINE)


def _line(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Places whose pixels are a thin line."""
    steps = math.ceil(np.abs(end - start).max()) + 1
    return start + np.linspace(0, 1, steps)[:, None] * (end - start)


def _pixels(points: np.ndarray) -> set[tuple[int, int]]:
    return {(round(r), round(c)) for r, c in points.tolist()}


def _put(view: np.ndarray, pixels: set[tuple[int, int]], color: str) -> None:
    inside = [(r, c) for r, c in pixels if 0 <= r < SIDE and 0 <= c < SIDE]
    if inside:
        rows, columns = np.array(inside).T
        view[rows, columns, :3] = rgb(color)[0]
        view[rows, columns, 3:] = 255
