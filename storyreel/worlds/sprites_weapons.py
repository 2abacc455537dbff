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

from storyreel.worlds import sprites_reader
from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_bows import with_bow
from storyreel.worlds.sprites_completion import MONSTERS
from storyreel.worlds.sprites_contrast import dressed_apart
from storyreel.worlds.sprites_figures import SIDE, ground_of, is_ground, side_of
from storyreel.worlds.sprites_free_words import HELD
from storyreel.worlds.sprites_grips import hands_in, put_fist, skin_in
from storyreel.worlds.sprites_parts import FRAMES, drawing_at
from storyreel.worlds.sprites_reader import implied, read_freely, tokens_of
from storyreel.worlds.sprites_shields import has_shield, with_shield
from storyreel.worlds.sprites_weapon_shapes import COLORS, OUTLINE, POLES, SHAPES, Shape

Held = tuple[float, float, float]  # row, column, degrees clockwise from "to the right"

LEAN = 32  # degrees up to which a weapon leans, so that its edges stay whole; beyond, it is turned
ABOVE_HEAD, AT_US = 12, 3  # rows; drawing of a thrust from which on a spear points at us
ROOM = 16  # columns that a frame gains on each side where a weapon needs them
CARRIED = {"down": -105.0, "up": -60.0, "right": 40.0}  # how a blade is carried, by the side it is seen from
DROPPED, LYING = 2, (59.0, 16.0)  # drawing of `hurt` from which on a weapon lies, and the row and column of its handle
ABOVE, LENGTH = 28, 42  # pixels of a pole that is carried: above the hand, and in all
CLEAR = {("walk", "right"): (0, 23), ("spellcast", "right"): (42, 64), ("spellcast", "down"): (0, 21)}
"""Columns of a pole in which it is before no face."""
BOW, CLAWS = "bow", "claws"
WITH_SHIELDS = ("walk", "thrust")  # actions of which there are drawings with one
STAFFS = ("staff", "quarterstaff")
CAST = tuple(("spellcast", staff) for staff in STAFFS)  # who casts a spell has a staff in hand, and nothing else

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
HANDS: dict[tuple[str, str, str], tuple[tuple[float, float] | None, ...]] = {  # row and column of what holds a weapon
    ("male", "walk", "up"): ((46, 43), (44, 43), (43, 43), (44, 43), (46, 43), (47, 43), (48, 43), (47, 43)),
    ("male", "walk", "down"): ((46, 20), (47, 20), (49, 21), (47, 19), (46, 20), (44, 20), (44, 20), (44, 20)),
    ("male", "walk", "right"): ((48, 30), (48, 28), (48, 22), (48, 21), (48, 19), (48, 21), (48, 24), (48, 26)),
    ("female", "walk", "up"): ((47, 42), (47, 41), (45, 41), (46, 42), (47, 42), (49, 41), (49, 40), (48, 42)),
    ("female", "walk", "down"): ((46, 21), (47, 22), (47, 23), (47, 21), (46, 21), (45, 21), (45, 22), (45, 21)),
    ("female", "walk", "right"): ((48, 31), (49, 28), (48, 23), (47, 21), (47, 20), (48, 21), (48, 23), (48, 27)),
    ("male", "spellcast", "up"): ((47, 43), (46, 43), (44, 44), (41, 47), (35, 53), (28, 52), (41, 47)),
    ("male", "spellcast", "down"): ((46, 20), (44, 20), (43, 28), (42, 17), (34, 10), (27, 11), (44, 18)),
    ("male", "spellcast", "right"): ((46, 39), (45, 40), (44, 38), (41, 41), (37, 43), (29, 42), (41, 41)),
    ("female", "spellcast", "up"): ((47, 42), (46, 42), (44, 43), (40, 46), (36, 50), (29, 50), (40, 46)),
    ("female", "spellcast", "down"): ((46, 21), (44, 21), (43, 28), (43, 19), (36, 13), (29, 13), (43, 19)),
    ("female", "spellcast", "right"): ((46, 39), (47, 39), (45, 38), (43, 41), (38, 43), (31, 42), (43, 41)),
}
TIPS: dict[str, tuple[Held, ...]] = {  # of a spear that is thrust, and where it points
    "up": ((47, 4, 180), (38, 4, -161), (20, 11, -135), (10, 40, -90), (5, 40, -90), (1, 40, -90),
                       (5, 40, -90), (10, 40, -90)),
    "down": ((47, 57, 0), (55, 57, 19), (62, 45, 45), (55, 26, 90), (58, 26, 90), (63, 26, 90),
                         (58, 26, 90), (55, 26, 90)),
    "right": ((46, 57, 0), (46, 57, 0), (45, 57, 0), (44, 54, 0), (44, 60, 0), (44, 63, 0), (44, 60, 0),
                          (44, 54, 0)),
}  # fmt: skip


BOOTS = {"maroon boots": "maroon shoes", "brown boots": "brown shoes"}
BY_THEIR_NAMES = (
    "bow",
    "longsword",
    "rapier",
    "saber",
    "mace",
    "dagger",
    "spear",
    "trident",
    "dragon spear",
)  # which look as they are called
BLADES = ("longsword", "rapier", "saber", "mace", "dagger")  # what may be read of a weapon that one hand holds
SHAFTS = ("spear", "trident", "dragon spear")  # and of a pole


@dataclass(frozen=True)
class Arms:
    """A weapon, or a shield, or both, drawn over what a model draws.

    weapon: of `SHAPES`, or None. drawn: the one that the model draws, or None. sex, action, facing: of who holds it.
    """

    weapon: str | None
    drawn: str | None
    sex: str
    action: str
    facing: str
    shield: bool = False

    @property
    def kind(self) -> str:
        return ", ".join(filter(None, (self.weapon, "shield" if self.shield else None)))

    @property
    def side(self) -> str:
        return side_of({"action": self.action, "facing": self.facing})

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with the weapon, wider by 16 columns
        on each side where it goes beyond the edge. Other frames come as they are."""
        if frames.shape[1:3] != (SIDE, SIDE):
            return frames
        if self.shield:
            frames = with_shield(frames, self.sex, self.action, self.facing)
        there = [self._drawn_in(i) for i in range(len(frames))]
        skin = skin_in(frames[0], self.side, self.facing == "left")
        outside = any((p[:, 1] < 0).any() or (p[:, 1] >= SIDE).any() for p, *_ in there if len(p))
        room = ROOM if outside else 0
        ground = ground_of(frames)
        out = np.empty((len(frames), SIDE, SIDE + 2 * room, frames.shape[-1]), np.uint8)
        out[:] = ground
        out[:, :, room : room + SIDE] = frames
        for i, (frame, (places, colors, grip)) in enumerate(zip(out, there, strict=True)):
            if not len(places):
                continue
            if (self.action, self.facing) == ("thrust", "down") and drawing_at("thrust", i % FRAMES, FRAMES) >= AT_US:
                frame[:ABOVE_HEAD] = ground  # the end of a spear
            before = frame.copy()
            self._put(frame, places + np.array([0, room]), colors, ground)
            if skin is None or self.action == "hurt":
                continue
            if grip is None:  # two hands, which the model drew on the shaft of a spear
                hands = hands_in(before, skin)
                frame[hands] = before[hands]
            else:
                put_fist(frame, grip[0], grip[1] + room, skin)
        return out

    def _put(self, frame: np.ndarray, places: np.ndarray, colors: np.ndarray, ground: np.ndarray) -> None:
        inside = ((places >= 0) & (places < frame.shape[:2])).all(1)
        rows, columns = places[inside].T
        if self.facing == "up" or self.action == "hurt":  # behind who is seen from behind, or falls onto it
            free = is_ground(frame[rows, columns], ground)
            rows, columns, inside = rows[free], columns[free], np.flatnonzero(inside)[free]
        frame[rows, columns, :3] = colors[inside]
        frame[rows, columns, 3:] = 255

    def _drawn_in(self, i: int) -> tuple[np.ndarray, np.ndarray, tuple[float, float] | None]:
        """(places (n, 2) as row and column, colors (n, 3)) of the weapon in frame `i`, none where it is not seen; and
        the place of the hand that holds it, None where two do."""
        falls = self.action == "hurt"
        side = self.side
        drawing = drawing_at(self.action, min(i, FRAMES - 1) if falls else i % FRAMES, FRAMES)
        longer, kind, hand = 0, self.weapon, None
        if kind is None:
            held = None
        elif self.action == "hurt" and drawing >= DROPPED:
            held, longer = (*LYING, 180), LENGTH - SHAPES[kind].column if kind in POLES else 0
        elif kind in POLES and self.action == "thrust":
            held = TIPS[side][drawing]
        elif self.action == "slash":
            held = DAGGERS[self.sex, self.action, side][drawing]
        else:
            hand = HANDS[self.sex, "walk" if falls else self.action, side][0 if falls else drawing]
            if hand and falls and drawing:  # a little lower already
                hand = (hand[0] + 3, hand[1])
            held = hand and (*hand, CARRIED["up" if kind == "torch" and side == "right" else side])
            if hand and kind == BOW:
                held = (*hand, -90)
            elif hand and kind in POLES:
                least, most = CLEAR.get((self.action, side), (0, SIDE))
                held = (max(2, hand[0] - ABOVE), min(max(hand[1], least), most), -90)
                longer = LENGTH - SHAPES[kind].column
        if held is None or kind is None:
            return np.zeros((0, 2), int), np.zeros((0, 3), np.uint8), None
        mirrored = self.facing == "left" and not falls
        places, colors = turned(kind, held[:2], held[2], mirrored=mirrored, longer=longer)
        up = max(0, places[:, 0].max() + 1 - SIDE)  # rather a hand further up than cut
        if (kind in POLES and self.action == "thrust") or (falls and drawing >= DROPPED):
            return places - [up, 0], colors, None
        row = hand[0] if hand else held[0]
        return places - [up, 0], colors, (row - (0 if hand else up), SIDE - 1 - held[1] if mirrored else held[1])


@dataclass(frozen=True)
class Archery:
    """The bow of who shoots, drawn over what a model draws."""

    attributes: Mapping[str, str]
    kind: str = BOW

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        return with_bow(frames, self.attributes)


def armed(prompt: str, attributes: Mapping[str, str]) -> tuple[dict[str, str], Arms | Archery | None]:
    """The attributes with the weapon that a model is to draw, and what is drawn over it; of these the same comes again.

    None where the prompt says no weapon of ours, or somebody does what nobody is drawn with it in hand. A shield beside
    a weapon is drawn, too, and one of somebody who is drawn with none.
    """
    found, kind, shield = dict(attributes), weapon_in(prompt), has_shield(prompt)
    action = found.get("action", "walk")
    if action == "shoot":
        return found, Archery(found)
    if kind is None and (not shield or action in WITH_SHIELDS):
        return found, None
    found.pop("weapon", None)
    attack = None if kind == BOW else "thrust" if kind in POLES else "slash"
    weapon = kind if action in ("walk", "hurt", attack) or (action, kind) in CAST else None
    if weapon is None and not shield:
        return found, None
    drawn = {"slash": "dagger", "thrust": "spear"}.get(action) if weapon and weapon != CLAWS else None
    if drawn:
        found["weapon"] = drawn
    return found, Arms(weapon, drawn, found.get("sex", "male"), action, found.get("facing", "down"), shield)


def shown_best(prompt: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes of somebody as most is seen: nobody is drawn who stabs with a blade, and from the side it is not
    before the belly, unless the prompt says from where; of these the same comes again."""
    found, kind = dict(attributes), weapon_in(prompt)
    if "feet" not in read_freely(prompt) and found.get("feet") in BOOTS:
        found["feet"] = BOOTS[found["feet"]]  # over which pants are seen
    found |= dressed_apart(prompt, found)
    if found.get("action") != "hurt":
        found.pop("cape", None)  # which is drawn, wings too
    free = "facing" not in read_freely(prompt)
    if free and found.get("body") in MONSTERS and found.get("facing") == "right":
        found["facing"] = "left"  # whose faces models draw from there
    if kind is None or kind in POLES or found.get("action") not in ("slash", "thrust"):
        return found
    found["action"] = "slash"
    if free and found.get("body") not in MONSTERS:
        found["facing"] = "right"
    return found


def lacking(prompt: str) -> dict[str, str]:
    """`sprites_reader.lacking`, and the stab of a blade, in whose place a slash is drawn (`shown_best`)."""
    found, kind = sprites_reader.lacking(prompt), weapon_in(prompt)
    if kind is not None and kind not in POLES and read_freely(prompt).get("action") == "thrust":
        stab = next((word for word in tokens_of(prompt) if read_freely(word).get("action") == "thrust"), None)
        found |= {f"{stab} with a blade": "a slash"} if stab else {}
    return found


@lru_cache(maxsize=512)
def weapon_in(prompt: str) -> str | None:
    """The kind of weapon that the prompt says, of `SHAPES`."""
    named = read_freely(prompt)
    read = {**implied(prompt, named), **named}.get("weapon")
    fitting = [kind for kind in HELD if read in (SHAFTS if kind in POLES else BLADES)]
    kinds = {tokens_of(phrase): kind for kind in fitting for phrase in HELD[kind]}
    tokens = tokens_of(prompt)
    runs = (tokens[i : i + n] for n in range(max(map(len, kinds), default=0), 0, -1) for i in range(len(tokens)))
    return next((kinds[run] for run in runs if run in kinds), read if read in BY_THEIR_NAMES else None)


def turned(
    kind: str, place: tuple[float, float], degrees: float, mirrored: bool, longer: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """(places (n, 2), colors (n, 3)) of a weapon whose hand, or whose tip, is at `place`, and which points there.
    longer: pixels of its shaft besides those of its shape."""
    shape = SHAPES[kind]
    rows = [line[0] * longer + line for line in shape.rows]
    shape = Shape(tuple(rows), shape.row, shape.column + longer)
    height, length = len(rows), max(map(len, rows))
    art = np.array([list(line.ljust(length, ".")) for line in rows])
    reach = height + length
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    top, left = round(place[0]) - reach, round(place[1]) - reach
    rows, columns = np.mgrid[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    dy, dx = rows - place[0], columns - place[1]
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    turn = round(degrees / 90) * 90  # of a shape that is upright or level, and then leans in whole steps
    if 0 < abs(degrees - turn) <= LEAN:
        cos, sin = round(math.cos(math.radians(turn))), round(math.sin(math.radians(turn)))
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        across = across - np.floor(along * math.tan(math.radians(degrees - turn)) + 0.5)
        along = along / math.cos(math.radians(degrees - turn))
    along = np.floor(along + shape.column + 0.5).astype(int)
    across = np.floor(across + shape.row + 0.5).astype(int)
    inside = (along >= 0) & (along < length) & (across >= 0) & (across < height)
    seen = np.where(inside, art[across.clip(0, height - 1), along.clip(0, length - 1)], ".")
    filled = seen != "."
    line = _around(filled & (seen != "t")) & ~filled
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
