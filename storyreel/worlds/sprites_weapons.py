"""Weapons of the sprites world, drawn into hands: a model has seen most of them cut by the edge of its pictures.

Where a hand or a shaft is in each drawing of an action, and where it points, is known. So the model draws the weapon
that it draws best, a dagger or a spear, and what the prompt says is drawn over that. The weapons are ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_free_words import HELD
from storyreel.worlds.sprites_parts import drawing_at
from storyreel.worlds.sprites_reader import implied, read_freely, tokens_of
from storyreel.worlds.sprites_weapon_shapes import COLORS, OUTLINE, POLES, SHAPES

Held = tuple[float, float, float]  # row, column, degrees clockwise from "to the right"

FRAMES = 8  # of a clip that shows an action once
SIDE = 64  # pixels of a frame
ROOM = 16  # columns that a frame gains on each side where a weapon needs them
UPRIGHT = -105.0  # how a weapon is carried, by the hand on the left of the picture

DAGGERS: dict[tuple[str, str, str], tuple[Held | None, ...]] = {  # the end of its handle, and where it points
    ("male", "slash", "up"): (None, None, None, None, (29.6, 49.5, -133), (34.1, 52.6, -90)),
    ("male", "slash", "down"): ((47.6, 42.1, 180), (46.6, 36.1, 180), (45.7, 27.5, -135), (46.6, 38.1, 180),
                                (44.9, 50.6, 90), (40.3, 54.5, 45)),
    ("male", "slash", "right"): ((45.6, 39.9, 0), (47.5, 43.3, 45), (45.5, 41.7, 135), (43.3, 48.5, 45),
                                 (32.6, 51.1, 17), (32.4, 50.9, 0)),
    ("female", "slash", "up"): (None, None, None, None, (28.5, 48.5, -133), (33.1, 52.6, -90)),
    ("female", "slash", "down"): ((47.6, 41.1, 180), (50.6, 36.1, 180), (46.7, 27.5, -135), (48.6, 38.1, 180),
                                  (45.9, 47.6, 90), (42.3, 50.5, 45)),
    ("female", "slash", "right"): ((44.6, 39.9, 0), (51.5, 43.3, 45), (48.5, 40.7, 135), (44.3, 48.5, 45),
                                   (34.6, 48.1, 17), (31.4, 50.9, 0)),
}  # fmt: skip
HANDS = {  # (row, column) of the hand that holds the weapon while somebody walks
    ("male", "up"): ((46, 43), (44, 43), (43, 43), (44, 43), (46, 43), (47, 43), (48, 43), (47, 43)),
    ("male", "down"): ((46, 20), (47, 20), (49, 21), (47, 19), (46, 20), (44, 20), (44, 20), (44, 20)),
    ("male", "right"): ((48, 30), (48, 28), (48, 22), (48, 21), (48, 19), (48, 21), (48, 24), (48, 26)),
    ("female", "up"): ((47, 42), (47, 41), (45, 41), (46, 42), (47, 42), (49, 41), (49, 40), (48, 42)),
    ("female", "down"): ((46, 21), (47, 22), (47, 23), (47, 21), (46, 21), (45, 21), (45, 22), (45, 21)),
    ("female", "right"): ((48, 31), (49, 28), (48, 23), (47, 21), (47, 20), (48, 21), (48, 23), (48, 27)),
}
TIPS: dict[tuple[str, str], tuple[Held, ...]] = {  # of a spear, and where it points
    ("thrust", "up"): ((47, 4, 180), (38, 4, -161), (20, 11, -135), (10, 40, -90), (5, 40, -90), (1, 40, -90),
                       (5, 40, -90), (10, 40, -90)),
    ("thrust", "down"): ((47, 57, 0), (55, 57, 19), (62, 45, 45), (55, 26, 90), (58, 26, 90), (63, 26, 90),
                         (58, 26, 90), (55, 26, 90)),
    ("thrust", "right"): ((37, 60, -19), (46, 57, 0), (45, 57, 0), (44, 54, 0), (44, 60, 0), (44, 63, 0), (44, 60, 0),
                          (44, 54, 0)),
    ("walk", "up"): ((35, 7, -161), (17, 14, -135), (7, 41, -90), (16, 14, -135), (36, 7, -161), (18, 13, -135),
                     (7, 41, -90), (18, 13, -135)),
    ("walk", "down"): ((57, 50, 19), (63, 36, 45), (59, 52, 19), (63, 35, 45), (57, 50, 19), (60, 36, 45),
                       (60, 35, 45), (56, 50, 19)),
    ("walk", "right"): ((20, 58, -45), (38, 62, -19), (49, 56, 0), (49, 55, 0), (60, 55, 19), (49, 55, 0),
                        (38, 58, -19), (20, 55, -45)),
}  # fmt: skip


AS_SAID = ("longsword", "rapier", "saber", "mace", "dagger", "trident", "dragon spear")  # which look as they are called
BLADES = ("longsword", "rapier", "saber", "mace", "dagger")  # what may be read of a weapon that one hand holds
SHAFTS = ("spear", "trident", "dragon spear")


@dataclass(frozen=True)
class Arms:
    """A weapon that is drawn over what a model draws.

    kind: of `SHAPES`. drawn: the weapon that the model draws, or None. sex, action, facing: of who holds it.
    """

    kind: str
    drawn: str | None
    sex: str
    action: str
    facing: str

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with the weapon, wider by 16 columns
        on each side where it goes beyond the edge. Other frames come as they are."""
        if frames.shape[1:3] != (SIDE, SIDE):
            return frames
        there = [self._drawn_in(i) for i in range(len(frames))]
        outside = any((p[:, 1] < 0).any() or (p[:, 1] >= SIDE).any() for p, _ in there if len(p))
        room = ROOM if outside else 0
        ground = frames[0, 0, 0] if frames.shape[-1] == 3 else np.zeros(4, np.uint8)
        out = np.empty((len(frames), SIDE, SIDE + 2 * room, frames.shape[-1]), np.uint8)
        out[:] = ground
        out[:, :, room : room + SIDE] = frames
        for frame, (places, colors) in zip(out, there, strict=True):
            if len(places):
                self._put(frame, places + np.array([0, room]), colors, ground)
        return out

    def _put(self, frame: np.ndarray, places: np.ndarray, colors: np.ndarray, ground: np.ndarray) -> None:
        inside = ((places >= 0) & (places < frame.shape[:2])).all(1)
        rows, columns = places[inside].T
        if self.facing == "up":  # behind who is seen from behind
            free = (frame[rows, columns] == ground).all(-1) if len(ground) == 3 else frame[rows, columns, 3] < 128
            rows, columns, inside = rows[free], columns[free], np.flatnonzero(inside)[free]
        frame[rows, columns, :3] = colors[inside]
        frame[rows, columns, 3:] = 255

    def _drawn_in(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """(places (n, 2) as row and column, colors (n, 3)) of the weapon in frame `i`; none where it is not seen."""
        held = self._held(drawing_at(self.action, i % FRAMES, FRAMES))
        if held is None:
            return np.zeros((0, 2), int), np.zeros((0, 3), np.uint8)
        row, column, degrees = held
        return turned(self.kind, (row, column), degrees, mirrored=self.facing == "left")

    def _held(self, drawing: int) -> Held | None:
        side = "right" if self.facing == "left" else self.facing
        if self.kind in POLES:
            return TIPS[self.action, side][drawing]
        if self.action == "slash":
            return DAGGERS[self.sex, self.action, side][drawing]
        row, column = HANDS[self.sex, side][drawing]
        return row, column, UPRIGHT if side != "up" else -180 - UPRIGHT


def armed(prompt: str, attributes: Mapping[str, str]) -> tuple[dict[str, str], Arms | None]:
    """The attributes with the weapon that a model is to draw, and what is drawn over it; of these the same comes again.

    None where the prompt says no weapon of ours, or somebody does what nobody is drawn with it in hand.
    """
    found, kind = dict(attributes), weapon_in(prompt)
    action, facing = found.get("action", "walk"), found.get("facing", "down")
    if kind is None or (action == "thrust" and kind not in POLES):
        return found, None
    found.pop("weapon", None)
    if action not in ("slash", "thrust", "walk") or (action == "slash" and kind in POLES):
        return found, None  # nobody is drawn with it
    drawn = "spear" if kind in POLES else "dagger" if action == "slash" else None
    if drawn:
        found["weapon"] = drawn
    return found, Arms(kind, drawn, found.get("sex", "male"), action, facing)


@lru_cache(maxsize=512)
def weapon_in(prompt: str) -> str | None:
    """The kind of weapon that the prompt says, of `SHAPES`."""
    named = read_freely(prompt)
    read = {**implied(prompt, named), **named}.get("weapon")
    fitting = [kind for kind in HELD if read in (SHAFTS if kind in POLES else BLADES)]
    said = {tokens_of(phrase): kind for kind in fitting for phrase in HELD[kind]}
    tokens = tokens_of(prompt)
    runs = (tokens[i : i + n] for n in range(max(map(len, said), default=0), 0, -1) for i in range(len(tokens)))
    return next((said[run] for run in runs if run in said), read if read in AS_SAID else None)


def turned(kind: str, place: tuple[float, float], degrees: float, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """(places (n, 2), colors (n, 3)) of a weapon whose hand, or whose tip, is at `place`, and which points there."""
    shape = SHAPES[kind]
    height, length = len(shape.rows), max(map(len, shape.rows))
    art = np.array([list(line.ljust(length, ".")) for line in shape.rows])
    reach = height + length
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    top, left = round(place[0]) - reach, round(place[1]) - reach
    rows, columns = np.mgrid[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    dy, dx = rows - place[0], columns - place[1]
    along = np.floor(dx * cos + dy * sin + shape.column + 0.5).astype(int)
    across = np.floor(dy * cos - dx * sin + shape.row + 0.5).astype(int)
    inside = (along >= 0) & (along < length) & (across >= 0) & (across < height)
    seen = np.where(inside, art[across.clip(0, height - 1), along.clip(0, length - 1)], ".")
    filled = seen != "."
    line = _around(filled) & ~filled
    colors = np.zeros((*rows.shape, 3), np.uint8)
    for letter in set(seen[filled].tolist()):
        colors[seen == letter] = rgb(COLORS[letter])[0]
    colors[line] = rgb(OUTLINE)[0]
    whole = filled | line
    x = SIDE - 1 - columns[whole] if mirrored else columns[whole]
    return np.stack([rows[whole], x], 1), colors[whole]


def _around(mask: np.ndarray) -> np.ndarray:
    """The mask and its four neighbors."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    return out
