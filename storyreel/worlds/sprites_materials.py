"""What weapons are made of, where a prompt says it right before one: a golden staff, a black bow, a red spear."""

from __future__ import annotations

import re
from functools import lru_cache

from storyreel.worlds.sprites_blades import BLADES
from storyreel.worlds.sprites_weapon_shapes import POLES, SHAPES

RAMPS = {  # words -> colors from dark to light
    "gold|golden|gilded": ("a8781c", "e0b03a", "fbe590"),
    "silver|silvery": ("9aa3b5", "d3d9e6", "fbfcff"),
    "bronze|copper|brass": ("7a4420", "b8703a", "e8a868"),
    "black|dark|obsidian|ebony": ("211e29", "3a3744", "625e70"),
    "white|ivory|bone": ("b4aea4", "e4dfd6", "fdfbf6"),
    "red|crimson|scarlet": ("7c161c", "c4282c", "f0685c"),
    "blue|azure": ("1f3f96", "3f7fe0", "a0d0ff"),
    "green|emerald": ("1c5c28", "3aa048", "8ee080"),
    "purple|violet": ("4a1f7c", "8a44c8", "cc98f4"),
    "wooden|wood|brown": ("55311a", "7a4a24", "a06a38"),
}
METALS = ("gold", "silver", "bronze")  # of which heads of poles are
STEEL, IRON, WOOD = ("d", "s", "w"), ("I", "i"), ("B", "b", "l")  # letters of shapes, from dark to light
BETWEEN = "glowing|shining|shiny|magic|magical|enchanted|long|short|big|large|huge|great|giant|heavy|sharp|curved|old"
NOUNS = (
    r"\w*sword|blade|claymore|saber|sabre|scimitar|cutlass|machete|katana|rapier|dagger|knife|knives|axe|ax|battleaxe|"
    r"hatchet|\w*hammer|mace|club|flail|pickaxe|sickle|spear|lance|pike|trident|pitchfork|halberd|glaive|polearm|scythe|"
    r"staff|quarterstaff|cane|wand|rod|broom|broomstick|shovel|hoe|rake|bow|longbow|claws"
)
SHIELDS = "shield|buckler"


def _before(nouns: str) -> re.Pattern[str]:
    colors = "|".join(f"({words})" for words in RAMPS)
    return re.compile(rf"\b(?:{colors})(?:[ -](?:{BETWEEN}|battle|war|two[- ]handed))*[ -](?:{nouns})s?\b")


_WEAPON, _SHIELD = _before(NOUNS), _before(SHIELDS)


@lru_cache(maxsize=512)
def ramp_in(prompt: str, shield: bool = False) -> tuple[str, str, str] | None:
    """The colors, dark to light, of the weapon that a prompt says, or of the shield."""
    found = (_SHIELD if shield else _WEAPON).search(prompt.lower())
    return list(RAMPS.values())[(found.lastindex or 1) - 1] if found else None


def dyes_of(prompt: str, kind: str) -> dict[str, str]:
    """Letter -> color, of the main part of this kind of weapon, as the prompt says; nothing where it says none."""
    ramp = ramp_in(prompt)
    if ramp is None:
        return {}
    letters = {*"".join(SHAPES[kind].rows if kind in SHAPES else BLADES[kind].edges)}
    metal = any(ramp == RAMPS[words] for words in RAMPS if words.startswith(METALS))
    hard = next((part for part in (STEEL, IRON) if letters & {*part}), WOOD)
    part = hard if metal or kind not in POLES else WOOD
    return dict(zip(part, ramp, strict=False))
