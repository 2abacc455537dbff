"""How sprites hold weapons: where hands are in each drawing of an action, and where what they hold points."""

from __future__ import annotations

from typing import NamedTuple

from storyreel.worlds.sprites_arms import SWUNG, Place
from storyreel.worlds.sprites_figures import SIDE
from storyreel.worlds.sprites_weapon_shapes import POLES, SHAPES

Held = tuple[float, float, float]  # row, column, degrees clockwise from "to the right"


class Hold(NamedTuple):
    """Of who is not mirrored. place: of the weapon's hand, or tip. degrees: where it points. hands: that are drawn,
    none where a model drew them. longer: pixels of its shaft besides those of its shape. lies: on the
    ground. flipped: its edge is on the other side."""

    place: Place
    degrees: float
    hands: tuple[Place, ...] = ()
    longer: int = 0
    lies: bool = False
    flipped: bool = False


BOW, WAND, CLAWS = "bow", "wand", "claws"
STILL = 3  # drawing of a walk in which an arm is back
HEAVY = ("axe", "battle axe", "hammer", "mace", "pickaxe", "club", "flail")  # which lean back over a shoulder
LEANING, UP_HAFT, LONGER = -135, 4, 5  # degrees; rows and columns from hand to shoulder; pixels of a longer haft
CARRIED = {"down": -105.0, "up": -60.0, "right": 30.0}  # how a blade is carried, by the side it is seen from
RAISED = {"down": -135.0, "up": -45.0, "right": -45.0}  # a wand
FALLING = (CARRIED["down"], -150.0)  # degrees of what is in hand, by drawing of `hurt`; after these it lies
LYING = (59.0, 16.0)  # row and column of its handle then
ABOVE, LENGTH = 28, 42  # pixels of a pole that is carried: above the hand, and in all
FISTS: tuple[tuple[Place, Place], ...] = (
    ((46.5, 19.8), (46.5, 43.2)), ((46.5, 19.8), (46.5, 43.2)), ((42.9, 24.5), (45.2, 29.0)),
    ((39.0, 24.0), (43.2, 26.5)), ((42.0, 25.0), (45.4, 28.0)), ((44.5, 25.0), (47.3, 28.0)),
    ((42.0, 25.0), (45.4, 28.0)), ((38.5, 24.0), (43.1, 26.5)),
)  # fmt: skip
"""Hands on one that is thrust to us, by drawing."""
WHOLE = 52  # pixels of one that is thrust to us, or away
ENDS = (6, 6, 6, 3, 9, 12, 9, 3)  # columns where one that is thrust to the side ends, as in the sheets
CLEAR = {("spellcast", "right"): (42, 64), ("spellcast", "down"): (0, 21)}
"""Columns of a pole in which it is before no face."""
GRASPS = ((26, 41), (26, 41), (24, 41), (23, 38), (33, 44), (35, 47), (33, 44), (23, 38))
"""Columns of both hands on a shaft that is thrust to the side."""
DROPPING = ((46, 20), (51, 21.5))  # row and column of what holds a weapon, by drawing of `hurt`
LEANS = ((ABOVE, 0), (20, 20))  # rows up and columns left from there to the tip of a pole

SWINGS: dict[str, tuple[float, ...]] = {  # degrees of a weapon that is swung, by drawing
    "up": (0, 0, 0, 0, -133, -90),
    "down": (180, 180, -135, 180, 45, 27),
    "right": (0, 27, 135, 45, 17, 0),
}
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
    "up": ((47, 4, 180), (48, 4, 180), (20, 11, -135), (10, 40, -90), (5, 40, -90), (1, 40, -90),
                       (5, 40, -90), (10, 40, -90)),
    "down": ((47, 57, 0), (47, 57, 0), (62, 45, 45), (58, 26, 90), (60, 26, 90), (63, 26, 90),
                         (60, 26, 90), (58, 26, 90)),
    "right": ((46, 56, 0), (46, 56, 0), (45, 55, 0), (44, 51, 0), (44, 62, 0), (44, 69, 0), (44, 64, 0),
                          (44, 54, 0)),  # further than in the sheets, in which a thrust is hardly seen
}  # fmt: skip


def hold(kind: str, sex: str, action: str, side: str, drawing: int) -> Hold | None:
    """How a weapon is held in this drawing of an action; None where it is not seen."""
    pole = kind in POLES
    if action == "hurt":
        return _falling(kind, drawing)
    if action == "thrust" and not pole:  # a stab
        hand = TIPS[side][drawing][0], GRASPS[drawing][1]
        return Hold(hand, 0, (hand,)) if side == "right" else None
    if action == "thrust":
        row, column, degrees = TIPS[side][drawing]
        if side != "right":
            hands = FISTS[drawing] if side == "down" else ()
            return Hold((row, column), degrees, hands, WHOLE - SHAPES[kind].column)
        hands = tuple((row, each) for each in GRASPS[drawing])
        return Hold((row, column), degrees, hands, int(column) - ENDS[drawing] - SHAPES[kind].column)
    if action == "slash":
        hand = SWUNG[sex, side][drawing]
        low = kind == CLAWS and side == "down" and drawing == 0
        return hand and Hold(hand, 90 if low else SWINGS[side][drawing], (hand,))
    still = pole and (action, side) == ("walk", "right")  # `with_still_arm`
    hand = HANDS[sex, action, side][STILL if still else drawing]
    if hand is None:
        return None
    if pole:
        least, most = CLEAR.get((action, side), (0, SIDE))
        column = min(max(hand[1], least), most)
        return Hold((max(2, hand[0] - ABOVE), column), -90, ((hand[0], column),), LENGTH - SHAPES[kind].column)
    if kind == BOW:
        return Hold(hand, -90, (hand,))
    if kind in HEAVY and side == "right":
        return Hold((hand[0] - UP_HAFT, hand[1] - UP_HAFT), LEANING, (hand,), LONGER)
    seen = "up" if kind == "torch" and side == "right" else side
    degrees = (RAISED if kind == WAND else CARRIED)[seen]
    return Hold(hand, degrees, (hand,), flipped=kind in HEAVY and side == "down")


def _falling(kind: str, drawing: int) -> Hold:
    """How somebody drops it who falls."""
    pole = kind in POLES
    longer = LENGTH - SHAPES[kind].column if pole else 0
    if drawing >= len(FALLING):
        return Hold(LYING, 180, (), longer, lies=True)
    hand, degrees = DROPPING[drawing], -90 if kind == BOW else FALLING[drawing]
    if not pole:
        return Hold(hand, degrees, (hand,), flipped=kind in HEAVY)
    up, left = LEANS[drawing]
    return Hold((hand[0] - up, hand[1] - left), -135 if left else -90, (hand,), longer)
