"""The sheet of one character of the sprites world: the animations of the universal LPC layout, and what each shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from storyreel.worlds.sheet_layout import Attributes, DrawnCycle, SheetLayout
from storyreel.worlds.sprites_completion import HAIRLESS, completed
from storyreel.worlds.sprites_parts import (
    ACTIONS,
    BELTS,
    CAPES,
    FACINGS,
    FEET,
    HANDS,
    HEADS,
    LEGS,
    ROWS,
    SEXES,
    TORSOS,
    WEAPONS,
)  # fmt: skip

COLUMNS = 13
STANDING = {"up": 0, "left": 7, "down": 0, "right": 7}  # the frame of a walk that is nearest to the standing one
ONCE = {"hurt": ("down",)}  # who falls does so towards the viewer
TURN = ("down", "left", "up", "right")  # facings in the order of a turn
STRICTEST = "shoot"  # whose clothes every other action has as well
BEHIND = ("eyes", "facial_hair")  # not seen from behind
WORN = (TORSOS, LEGS, FEET, HEADS, HANDS, BELTS, CAPES)
BOWS = ("bow", "great bow", "recurve bow")


def hide_what_is_covered(seen: dict[str, str | None]) -> None:
    """Parts that are drawn but of which next to nothing is left to see are neither told nor judged."""
    if seen["facing"] == "up" and seen["cape"]:
        seen["torso"] = seen["belt"] = seen["legs"] = None
    if seen["facing"] == "up" and seen["head"] == "tiara":
        seen["head"] = None
    if seen["torso"] in ("chain mail", "purple tabard"):
        seen["legs"] = None


def posed(character: Attributes, action: str, facing: str) -> dict[str, str]:
    """What is seen of a character who does this: a weapon in the attacks that it is made for alone, and a bow in every
    shot."""
    seen: dict[str, str | None] = dict.fromkeys(("torso", "belt", "legs", "head", "cape", "weapon"))
    seen |= {**character, "action": action, "facing": facing}
    if not any(part.label == seen["weapon"] and action not in part.lacks for part in WEAPONS):
        seen["weapon"] = BOWS[0] if action == "shoot" else None
    if action == "hurt":
        seen["hands"] = None
    return _from_side(seen, facing)


def after(facing: str) -> list[str]:
    """All facings in the order of a turn that begins with this one."""
    at = TURN.index(facing)
    return [*TURN[at:], *TURN[:at]]


def views(character: Attributes) -> list[dict[str, str]]:
    """What is seen of a character from each side, in the order of a turn that begins with the facing."""
    return [_from_side(character, facing) for facing in after(str(character["facing"]))]


def _from_side(character: Mapping[str, str | None], facing: str) -> dict[str, str]:
    seen: dict[str, str | None] = dict.fromkeys(("torso", "belt", "legs", "head", "cape"))
    seen |= {**character, "facing": facing}
    if facing == "up":
        seen |= dict.fromkeys(BEHIND)
    hide_what_is_covered(seen)
    return {name: value for name, value in seen.items() if value is not None}


def _sexes(character: Attributes) -> list[str]:
    """Those for whom there is all that is said to be worn."""
    worn = [[part for part in parts if part.label == character.get(parts[0].group)] for parts in WORN]
    return [sex for sex in SEXES if all(any(sex in part.sexes for part in same) for same in worn if same)]


def sheet_layout(draw: Callable[[np.random.Generator], Mapping[str, str | None]]) -> SheetLayout:
    """draw: the attributes of a random character."""

    def dressed(named: Attributes, rng: np.random.Generator) -> dict[str, str]:
        own = {name: value for name, value in named.items() if name not in ("action", "facing")}
        if "facial_hair" in own and own.get("body") not in HAIRLESS:
            own.setdefault("hair_color", own["facial_hair"].split()[0])  # as their beard
        if "sex" not in own and len(sexes := _sexes(own)) == 1:
            own |= {"sex": sexes[0]}
        return own | completed({**own, "action": STRICTEST, "facing": "down"}, rng, draw)

    cycles = {
        action: DrawnCycle(
            steps=len(ROWS[action][1]),
            facings=ONCE.get(action, FACINGS),
            still=STANDING if ROWS[action][1].start else {},
            repeats=action == "walk",
        )
        for action in ACTIONS
    }
    return SheetLayout(actions=cycles, facings=FACINGS, columns=COLUMNS, dressed=dressed, posed=posed)
