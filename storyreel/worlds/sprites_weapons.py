"""Weapons of the sprites world, drawn into hands: a model has seen most of them cut by the edge of its pictures.

Where a hand or a shaft is in each drawing of an action, and where it points, is known. So the model draws the weapon
that it draws best, a dagger or a spear, and what the prompt says is drawn over that. The weapons are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from storyreel.worlds import sprites_reader
from storyreel.worlds.sprites_arms import put_arm, put_hand, sleeve_in
from storyreel.worlds.sprites_blades import BLADES
from storyreel.worlds.sprites_bows import with_bow
from storyreel.worlds.sprites_claws import hands_of, has_claws
from storyreel.worlds.sprites_completion import MONSTERS
from storyreel.worlds.sprites_contrast import dressed_apart
from storyreel.worlds.sprites_figures import SIDE, ground_of, is_ground, side_of
from storyreel.worlds.sprites_free_words import HELD
from storyreel.worlds.sprites_grips import put_fist, skin_in
from storyreel.worlds.sprites_holds import BOW, CLAWS, LEANING, WAND, Hold, hold
from storyreel.worlds.sprites_materials import dyes_of, ramp_in
from storyreel.worlds.sprites_parts import FRAMES, drawing_at
from storyreel.worlds.sprites_reader import implied, read_freely, tokens_of
from storyreel.worlds.sprites_shields import has_shield, with_shield
from storyreel.worlds.sprites_still_arms import FAR, NEAR, with_still_arm
from storyreel.worlds.sprites_turning import turned
from storyreel.worlds.sprites_weapon_shapes import POLES

LOW = 47  # row from which on a pole that is thrust away is before a leg
ROOM = 16  # columns that a frame gains on each side where a weapon needs them
UP, DOWN = -90, 90  # degrees
CHIN = 37  # row above which what leans over a shoulder is behind a head
SIDES = ("left", "right")  # to which blades are thrust
WITH_SHIELDS = ("walk", "thrust")  # actions of which there are drawings with one
STAFFS = ("staff", "quarterstaff")
CAST = tuple(("spellcast", kind) for kind in (*STAFFS, WAND))  # who casts a spell has such in hand, and nothing else
BOOTS = {"maroon boots": "maroon shoes", "brown boots": "brown shoes"}
BY_THEIR_NAMES = (
    "bow",
    "longsword",
    "rapier",
    "saber",
    "mace",
    "dagger",
    "wand",
    "spear",
    "trident",
    "dragon spear",
)  # which look as they are called
HAND_HELD = ("longsword", "rapier", "saber", "mace", "dagger", "wand")  # what may be read of what one hand holds
SHAFTS = ("spear", "trident", "dragon spear")  # and of a pole


@dataclass(frozen=True)
class Arms:
    """A weapon, or a shield, or both, drawn over what a model draws.

    weapon: of `KINDS`, or None. drawn: the one that the model draws, or None. sex, action, facing: of who holds it.
    dyes: letters of its shape in other colors. wood: of the shield, in another color, or None.
    skin: colors of hands, where they are known (`hands_of`). monster: whose arms a model does not draw to the end.
    """

    weapon: str | None
    drawn: str | None
    sex: str
    action: str
    facing: str
    shield: bool = False
    dyes: tuple[tuple[str, str], ...] = ()
    wood: tuple[str, str, str] | None = None
    skin: str = ""
    monster: bool = False

    @property
    def kind(self) -> str:
        return ", ".join(filter(None, (self.weapon, "shield" if self.shield else None)))

    @property
    def side(self) -> str:
        return side_of({"action": self.action, "facing": self.facing})

    @property
    def mirrored(self) -> bool:
        return self.facing == "left" and self.action != "hurt"

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with the weapon, wider by 16 columns
        on each side where it goes beyond the edge. Other frames come as they are."""
        if frames.shape[1:3] != (SIDE, SIDE):
            return frames
        if self.weapon in POLES:
            frames = with_still_arm(frames, self.sex, self.action, self.facing, NEAR)
        if self.shield:
            frames = with_still_arm(frames, self.sex, self.action, self.facing, FAR)
            frames = with_shield(frames, self.sex, self.action, self.facing, self.wood)
        held = [self._held_in(i) for i in range(len(frames))]
        there = [None if each is None else self._pixels_of(each) for each in held]
        skin = skin_in(frames[0], self.side, self.mirrored, self.skin)
        outside = any((p[0][:, 1] < 0).any() or (p[0][:, 1] >= SIDE).any() for p in there if p)
        room = ROOM if outside else 0
        ground = ground_of(frames)
        sleeve = sleeve_in(frames[0], self.side, self.mirrored, ground) if self.action == "slash" else None
        out = np.empty((len(frames), SIDE, SIDE + 2 * room, frames.shape[-1]), np.uint8)
        out[:] = ground
        out[:, :, room : room + SIDE] = frames
        for i, (frame, each, pixels) in enumerate(zip(out, held, there, strict=True)):
            if each is None or pixels is None:
                continue
            (places, colors, up), view = pixels, self._view(frame, room)
            hands = [(row - up, column) for row, column in each.hands]
            if sleeve is not None and hands:
                drawing = drawing_at(self.action, i % FRAMES, FRAMES)
                put_arm(view, self.sex, self.side, drawing, hands[0], sleeve, ground, self.monster)
            self._put(frame, places + np.array([0, room]), colors, ground, each)
            if skin is None or each.lies:
                continue
            for row, column in hands:
                if self.action == "slash" or (self.action, self.side) == ("thrust", "down"):
                    put_hand(view, (row, column), skin)
                else:
                    put_fist(view, row, column, skin)
        return out

    def _view(self, frame: np.ndarray, room: int) -> np.ndarray:
        """What is not beyond the edges, as it is where nobody is mirrored."""
        inner = frame[:, room : room + SIDE]
        return inner[:, ::-1] if self.mirrored else inner

    def _put(self, frame: np.ndarray, places: np.ndarray, colors: np.ndarray, ground: np.ndarray, hold: Hold) -> None:
        inside = ((places >= 0) & (places < frame.shape[:2])).all(1)
        places, colors = places[inside], colors[inside]
        free = is_ground(frame[tuple(places.T)], ground)
        if self.facing != "up" and not hold.lies:  # else it is behind who is seen from behind, or falls onto it
            free |= places[:, 0] >= CHIN if hold.degrees in (LEANING, DOWN) else True
        elif (self.action, hold.degrees) == ("thrust", UP):
            free |= places[:, 0] >= LOW
        rows, columns = places[free].T
        frame[rows, columns, :3] = colors[free]
        frame[rows, columns, 3:] = 255

    def _held_in(self, i: int) -> Hold | None:
        at = min(i, FRAMES - 1) if self.action == "hurt" else i % FRAMES
        drawing = drawing_at(self.action, at, FRAMES)
        return hold(self.weapon, self.sex, self.action, self.side, drawing) if self.weapon else None

    def _pixels_of(self, hold: Hold) -> tuple[np.ndarray, np.ndarray, int]:
        """(places (n, 2) as row and column, colors (n, 3)) of the weapon, and how many rows up it is held, or down,
        rather than cut at the bottom, or at the top."""
        dyes = dict(self.dyes)
        kind, place = str(self.weapon), hold.place
        places, colors = turned(kind, place, hold.degrees, self.mirrored, hold.longer, dyes, hold.flipped)
        up = max(min(0, int(places[:, 0].min())), int(places[:, 0].max()) + 1 - SIDE)
        return places - [up, 0], colors, up


@dataclass(frozen=True)
class Archery:
    """The bow of who shoots, drawn over what a model draws. wood: of another color, or None. hands: their colors, where
    they are known."""

    attributes: Mapping[str, str]
    wood: tuple[str, str, str] | None = None
    kind: str = BOW
    hands: str = ""

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        return with_bow(frames, self.attributes, self.wood, self.hands)


def armed(prompt: str, attributes: Mapping[str, str]) -> tuple[dict[str, str], Arms | Archery | None]:
    """The attributes with the weapon that a model is to draw, and what is drawn over it; of these the same comes again.

    None where the prompt says no weapon of ours, or somebody does what nobody is drawn with it in hand. A shield beside
    a weapon is drawn, too, and one of somebody who is drawn with none.
    """
    found, kind, shield = dict(attributes), weapon_in(prompt), has_shield(prompt)
    action = found.get("action", "walk")
    if action == "shoot":
        return found, Archery(found, ramp_in(prompt), hands=hands_of(prompt, found))
    wood = ramp_in(prompt, shield=True)
    if kind is None and (not shield or (action in WITH_SHIELDS and wood is None)):
        return found, None
    found.pop("weapon", None)
    attack = None if kind == BOW else "thrust" if kind in POLES else "slash"
    stab = action == "thrust" and stabs(kind) and found.get("facing") in SIDES
    weapon = kind if stab or action in ("walk", "hurt", attack) or (action, kind) in CAST else None
    if weapon is None and not shield:
        return found, None
    drawn = {"slash": "dagger", "thrust": "spear"}.get(action) if weapon and weapon != CLAWS and not stab else None
    if drawn:
        found["weapon"] = drawn
    dyes = tuple(dyes_of(prompt, weapon).items()) if weapon else ()
    sex, facing = found.get("sex", "male"), found.get("facing", "down")
    return found, Arms(
        weapon,
        drawn,
        sex,
        action,
        facing,
        shield,
        dyes,
        wood,
        hands_of(prompt, found),
        found.get("body") in MONSTERS,
    )


def shown_best(prompt: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes of somebody as most is seen: a pole is thrust, a blade is thrust to a side, all else slashes; and
    from the side it is not before the belly, unless the prompt says from where; of these the same comes again."""
    found, kind = dict(attributes), weapon_in(prompt)
    if found.get("feet") in BOOTS and ("feet" not in read_freely(prompt) or "legs" in read_freely(prompt)):
        found["feet"] = BOOTS[found["feet"]]  # over which pants are seen
    found |= dressed_apart(prompt, found)
    found.pop("cape", None)  # which is drawn, wings too
    free = "facing" not in read_freely(prompt)
    if free and found.get("body") in MONSTERS and found.get("facing") == "right":
        found["facing"] = "left"  # whose faces models draw from there
    if (
        kind is None
        or found.get("action") not in ("slash", "thrust")
        or (kind in POLES and found["action"] == "thrust")
    ):
        return found
    stab = found["action"] == "thrust" and stabs(kind) and (free or found.get("facing") in SIDES)
    found["action"] = "thrust" if stab or kind in POLES else "slash"
    if free and (found["action"] == "thrust" or found.get("body") not in MONSTERS):
        found["facing"] = "left" if found.get("body") in MONSTERS else "right"
    return found


def stabs(kind: str | None) -> bool:
    """Whether such a weapon is drawn in the hand of who thrusts to a side."""
    return kind in BLADES


def lacking(prompt: str) -> dict[str, str]:
    """`sprites_reader.lacking`, and a stab in whose place a slash is drawn, or the other way round (`shown_best`)."""
    found, kind, named = sprites_reader.lacking(prompt), weapon_in(prompt), read_freely(prompt)
    action, side = named.get("action"), named.get("facing", SIDES[0]) in SIDES
    drawn = "thrust" if kind in POLES or (action == "thrust" and stabs(kind) and side) else "slash"
    if kind is not None and action in ("slash", "thrust") and action != drawn:
        stem = next((word for word in tokens_of(prompt) if read_freely(word).get("action") == action), None)
        found |= {f"{stem} with a {'pole' if kind in POLES else 'blade'}": f"a {drawn}"} if stem else {}
    return found


@lru_cache(maxsize=512)
def weapon_in(prompt: str) -> str | None:
    """The kind of weapon that the prompt says, of `KINDS`."""
    named = read_freely(prompt)
    read = {**implied(prompt, named), **named}.get("weapon")
    if read == "shield":  # beside which a spearman has a spear
        read = implied(prompt, {name: value for name, value in named.items() if name != "weapon"}).get("weapon", read)
    if read and has_claws(prompt):
        return CLAWS
    fitting = [kind for kind in HELD if read in (SHAFTS if kind in POLES else HAND_HELD)]
    kinds = {tokens_of(phrase): kind for kind in fitting for phrase in HELD[kind]}
    tokens = tokens_of(prompt)
    runs = (tokens[i : i + n] for n in range(max(map(len, kinds), default=0), 0, -1) for i in range(len(tokens)))
    return next((kinds[run] for run in runs if run in kinds), read if read in BY_THEIR_NAMES else None)
