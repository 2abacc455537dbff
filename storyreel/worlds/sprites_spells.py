"""Magic that a prompt says, drawn at the hands of who casts a spell: in the sheets hands are all that is seen of one.

It is lit before the belly and grows at the hands, or flies off to the side. The drawing is ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import RGB, rgb
from storyreel.worlds.sprites_figures import figures, side_of
from storyreel.worlds.sprites_free_words import NEAR
from storyreel.worlds.sprites_reader import implied, read_freely, tokens_of
from storyreel.worlds.sprites_weapons import CAST, weapon_in

KINDS = {  # a kind of magic -> the words that say it, and its colors from the rim to the core
    "fire": (r"fire\w*|flam\w+|burn\w*|infern\w+|pyro\w*|lava|meteor\w*|hellfire|embers?",
             "b3260b f06a12 fdb62c fff3b0"),
    "ice": (r"ice|icy|frost\w*|freez\w+|snow\w*|cold|blizzard|water\w*|hail", "2a62b8 55a8ea a8e0fa f4fdff"),
    "lightning": (r"lightning|thunder\w*|electric\w*|shock\w*|storm\w*|sparks?|wind|air",
                  "8a6a10 e0b41c fbe668 fffde0"),
    "dark": (r"dark|shadow\w*|necro\w*|curs\w+|hex\w*|death|evil|unholy|void|blood|demonic|soul\w*|lich|warlock\w*",
             "2c0a44 6a1e9c a648d8 e3b0fb"),
    "healing": (r"heal\w*|holy|light|bless\w*|divine|sacred|pray\w*|priest\w*|cleric\w*|paladin\w*|angel\w*",
                "a5761a e8bc3c fbe88e fffdf0"),
    "nature": (r"nature|druid\w*|poison\w*|acid\w*|vines?|leaves|plants?|toxic|earth\w*|growth",
               "14541c 2f9a38 7ad64e e4fbb0"),
    "arcane": (r"", "2b3fae 4f7df0 93bcfb f0f7ff"),
}  # fmt: skip
_WORDS = {kind: re.compile(rf"\b(?:{words})\b") for kind, (words, _) in KINDS.items() if words}
_RAMPS = {kind: rgb(colors) for kind, (_, colors) in KINDS.items()}

Orb = tuple[int, int, int]  # row, column, radius
ORBS: dict[str, tuple[tuple[Orb, ...], ...]] = {  # by the drawing of the action
    "down": ((), ((45, 32, 1),), ((45, 32, 2),), ((36, 16, 2), (36, 47, 2)), ((28, 9, 3), (28, 54, 3)),
             ((19, 11, 4), (19, 52, 4)), ((36, 16, 1), (36, 47, 1))),
    "up": ((), (), (), ((36, 16, 2), (36, 47, 2)), ((28, 10, 3), (28, 53, 3)), ((19, 11, 4), (19, 52, 4)),
           ((36, 16, 1), (36, 47, 1))),
    "right": ((), ((45, 44, 1),), ((45, 45, 2),), ((43, 46, 3),), ((41, 51, 4),), ((38, 57, 5),), ((37, 61, 2),)),
}  # fmt: skip
MIDDLE = 32  # column
SPARKS = ((-2, -6), (5, 3), (-6, 2), (3, -5), (-4, 5), (6, -2))  # (row, column) beside an orb, two a frame


def spell_in(prompt: str) -> str:
    """The kind of magic that the prompt says, of `KINDS`: the first that it names."""
    found = [(match.start(), kind) for kind, words in _WORDS.items() if (match := words.search(prompt.lower()))]
    return min(found)[1] if found else "arcane"


def casts(prompt: str) -> bool:
    """Whether the prompt says a spell, or who casts some; not who waves, which is drawn alike."""
    named = read_freely(prompt)
    if set(NEAR["action", "spellcast"]) & {*tokens_of(prompt)}:
        return False
    return {**implied(prompt, named), **named}.get("action") == "spellcast" or spell_in(prompt) != "arcane"


def with_spell(frames: np.ndarray, attributes: Mapping[str, str], prompt: str) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with the magic of who casts a spell."""
    side = side_of(attributes)
    if attributes.get("action") != "spellcast" or side not in ORBS or not casts(prompt):
        return frames
    out, ramp = frames.copy(), _RAMPS[spell_in(prompt)]
    armed = ("spellcast", weapon_in(prompt)) in CAST and side != "right"
    for view, drawing, _ in figures(out, attributes):
        for orb in ORBS[side][drawing]:
            if not armed or (orb[1] >= MIDDLE) == (side == "down"):  # of the hand that holds no staff
                put_orb(view, orb, ramp, drawing)
    return out


def put_orb(frame: np.ndarray, orb: Orb, ramp: tuple[RGB, ...], step: int) -> None:
    """A round light with sparks about it."""
    row, column, radius = orb
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    away = np.hypot(rows - row, columns - column) / (radius + 0.4)
    for shade, reach in enumerate((1.0, 0.8, 0.6, 0.35)):
        frame[away <= reach, :3] = ramp[shade]
    lit = away <= 1
    for i in (step % 3, step % 3 + 3):
        at = row + SPARKS[i][0] * (radius + 2) // 5, column + SPARKS[i][1] * (radius + 2) // 5
        if 0 <= at[0] < frame.shape[0] and 0 <= at[1] < frame.shape[1] and not lit[at]:
            frame[at][:3] = ramp[2]
            lit[at] = True
    frame[lit, 3:] = 255
