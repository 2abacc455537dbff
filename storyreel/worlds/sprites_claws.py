"""Creatures, who fight with claws where no weapon is said, and whose hands have the color of their fur."""

from __future__ import annotations

import re
from collections.abc import Mapping

from storyreel.worlds.sprites_completion import MONSTERS
from storyreel.worlds.sprites_dyes import RAMPS
from storyreel.worlds.sprites_grips import skin_of
from storyreel.worlds.sprites_reader import implied, other_colors, read_freely

CLAWED = re.compile(
    r"\b(?:were\w+|wol(?:f|ves)\w*|lycan\w*|gnolls?|bear\w*|cats?|tigers?|lions?|leopards?|panthers?|fox\w*|"
    r"rat\w*|lizard\w*|rept\w+|saurians?|dragonborns?|argonians?|kobolds?|beast\w*|monsters?|yetis?|bigfoot|sasquatch|"
    r"zombies?|ghouls?)\b"
)
ARMED = re.compile(
    r"\b(?:spear|axe|sword|bow|pike|swords|halberd)(?:wo)?m[ae]n\b|\barchers?\b|\bknights?\b|\bsoldiers?\b"
)
"""Callings that have a weapon."""


def has_claws(prompt: str) -> bool:
    """Whether the prompt says a creature and no weapon."""
    named = read_freely(prompt)
    body = {**implied(prompt, named), **named}.get("body")
    armed = "weapon" in named or ARMED.search(prompt.lower()) is not None
    return body in MONSTERS and not armed and CLAWED.search(prompt.lower()) is not None


def fur_in(prompt: str) -> str:
    """The colors of the hands of a creature that is dyed, dark to light; "" of others."""
    color = other_colors(prompt).get("body", ("", ""))[1]
    return " ".join(RAMPS[color].split()[1:]) if color in RAMPS else ""


def hands_of(prompt: str, attributes: Mapping[str, str]) -> str:
    """The colors of hands that are known, dark to light: of gloves, of fur, or as `skin_of`; "" of others."""
    gloves = skin_of({"hands": attributes.get("hands", "")})
    return gloves or fur_in(prompt) or skin_of(attributes)
