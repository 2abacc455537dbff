"""Stories for the world `sprites`: one character, who changes what they do and where they face.

Falling (`hurt`) is left out: who has fallen has nothing more to do for the rest of the part. A weapon is held while
the character does what it was drawn for, since the world knows no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.worlds import sprites_language
from storyreel.worlds.sprites import Character, Sprites, draw_character, held_out
from storyreel.worlds.sprites_parts import FACINGS, ROWS

STREAM = 0x57  # of random numbers, apart from the world's own


@dataclass(frozen=True)
class Part:
    """One part of a story: its prompt, how long, and the attributes that the prompt tells."""

    prompt: str
    seconds: float
    expected: dict[str, Any]
    action: str
    facing: str

    def frames(self, fps: Fraction) -> int:
        return max(1, round(self.seconds * fps))


@dataclass(frozen=True)
class Script:
    """A character, and what they do."""

    who: Character
    parts: tuple[Part, ...]

    @property
    def story(self) -> list[tuple[str, float]]:
        return [(part.prompt, part.seconds) for part in self.parts]


def write_script(seed: int, count: int, seconds: float) -> Script:
    """Story number `seed`: `count` parts; no two neighbours do the same in the same direction."""
    rng = np.random.default_rng([seed, STREAM])
    who = draw_character(rng)
    while not _fit(who):
        who = draw_character(rng)
    parts, before = [], ("", "")
    while len(parts) < count:
        now = str(rng.choice(_actions(who))), str(rng.choice(FACINGS))
        if now == before:
            continue
        before, seen = now, _seen(who, *now)
        prompt, mentioned = sprites_language.caption(seen, rng, full=True)
        parts.append(Part(prompt, seconds, {name: seen[name] for name in mentioned}, *now))
    return Script(who, tuple(parts))


def act(source: Path, script: Script, fps: Fraction, cycle: int) -> Clip:
    """The same story as the sheets have it: each action from its beginning, again and again."""
    poses = []
    for part in script.parts:
        steps = len(ROWS[part.action][1])
        poses += [
            (part.action, part.facing, (2 * (i % cycle) + 1) * steps // (2 * cycle)) for i in range(part.frames(fps))
        ]
    return Clip(Sprites(source=source)._render(script.who, poses), fps)


def _fit(who: Character) -> bool:
    """Seen from a side that shows everything, of a combination that training had, and able to do a few things."""
    seen = who.attributes
    turned = seen["facing"] == "up" or seen["action"] == "hurt"
    return not turned and not held_out(seen) and len(_actions(who)) >= 3


def _actions(who: Character) -> list[str]:
    """What all sheets of the character can do; shooting needs its bow."""
    drawn = who.attributes["action"]
    return [a for a in who.weapons if a != "hurt" and (a != "shoot" or drawn == "shoot")]


def _seen(who: Character, action: str, facing: str) -> dict[str, str | None]:
    """The attributes of the character in this pose, as the world would give them."""
    seen = dict(who.attributes)
    seen["weapon"] = seen["weapon"] if action == who.attributes["action"] else None
    seen |= {"action": action, "facing": facing}
    if facing == "up":
        seen["facial_hair"] = seen["eyes"] = None
        if seen["cape"]:
            seen["torso"] = seen["belt"] = None  # the cape covers the back
    return seen
