"""Ponytails, braids, buns, afros, mohawks and the like that a prompt says, of which a model makes a smear.

So it draws a head in short hair, and they are drawn over that (`sprites_tails`, `sprites_curls`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from storyreel.worlds.sprites_completion import MONSTERS
from storyreel.worlds.sprites_reader import implied, read_freely

KINDS = {  # hair_style -> what is drawn
    "ponytail": "ponytail",
    "pigtails": "pigtails",
    "long hair in a knot": "bun",
    "very long hair in a knot": "bun",
    "short hair in a knot": "bun",
}
OF_A_HEAD, HERS = ("head", "hair_color", "hair_style"), {"hair_color": "black", "hair_style": "long hair"}
HAIRDOS = {  # what is drawn in curls, locks and crests -> hair_style
    "afro": ("curly hair",),
    "dreadlocks": ("unkempt hair",),
    "mohawk": ("mohawk", "long mohawk", "short mohawk"),
    "curls": ("curly hair",),
}
_LOOK = {
    "afro": re.compile(r"\bafros?\b"), "dreadlocks": re.compile(r"\bdread"), "mohawk": re.compile(r"hawk|\bmohican"),
    "curls": re.compile(r"curl"),
}  # fmt: skip
_LONG_CURLS = re.compile(r"\blong\W+(?:\w+\W+){0,2}(?:curl|ringlet)|curl\w*\W+(?:\w+\W+)?long")
UNDER = "plain hair"  # what a model draws below them
_BRAID = re.compile(r"\b(?:braid|braids|braided|plait|plaits|plaited)\b(?!\W+(?:beard|mustache|moustache))")
_BEARDS = re.compile(
    r"\b(?:braid|plait)(?:ed|s)?\W+(?:\w+\W+)?(?:beard|bearded)\b|\bbeard\W+in\W+(?:\w+\W+)?(?:braid|plait)s?\b"
)
_LONG = re.compile(r"\blong\W+(?:\w+\W+){0,2}(?:ponytails?|pigtails|braids?|plaits?|bunches)\b")


class Hairdo(NamedTuple):
    """kind: "ponytail", "pigtails" or "bun"; "" where none is said. braided, long: of tails."""

    kind: str
    braided: bool
    long: bool


NONE = Hairdo("", braided=False, long=False)


@lru_cache(maxsize=512)
def hairdo_in(prompt: str) -> Hairdo:
    """The hairdo that the prompt says; a braid of a beard is none."""
    named, text = read_freely(prompt), prompt.lower()
    kind = KINDS.get({**implied(prompt, named), **named}.get("hair_style", ""), "")
    braided = _BRAID.search(_BEARDS.sub("beard", text)) is not None
    if _BEARDS.search(text) and not braided and kind in ("ponytail", "pigtails") and "tail" not in text:
        return NONE
    return Hairdo(kind, braided, _LONG.search(text) is not None) if kind else NONE


def braids_beard(prompt: str) -> bool:
    """Whether a beard is braided."""
    return _BEARDS.search(prompt.lower()) is not None


def without_hairdo(prompt: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes with the hair that a model draws below the hairdo that the prompt says; of an orc who is a woman
    with some, unless more is said of her head."""
    named = read_freely(prompt)
    known = {*OF_A_HEAD} & {*named, *attributes} - ({"head"} if attributes.get("head") == "bare head" else set())
    if attributes.get("body") in MONSTERS and attributes.get("sex") == "female" and not known:
        return {**attributes, **HERS}
    look, style = look_in(prompt)[0], attributes.get("hair_style", "")
    if look and style in HAIRDOS[look]:
        under = "bald" if look == "mohawk" else UNDER
        return {n: v for n, v in attributes.items() if under == UNDER or n != "hair_color"} | {"hair_style": under}
    shorn = style in KINDS and named.get("hair_style") in KINDS
    return {**attributes, "hair_style": UNDER} if shorn else dict(attributes)


@lru_cache(maxsize=512)
def look_in(prompt: str) -> tuple[str, bool]:
    """(which of `HAIRDOS` the prompt says, "" for none; whether that is long)."""
    named, text = read_freely(prompt), prompt.lower()
    style = {**implied(prompt, named), **named}.get("hair_style", "")
    found = (
        look for look, styles in HAIRDOS.items() if style in styles and (_LOOK[look].search(text) or look == "curls")
    )
    return next(found, ""), _LONG_CURLS.search(text) is not None


def named_color(prompt: str) -> str:
    """The color of hair that the prompt says; black where it says none."""
    named = read_freely(prompt)
    return {**implied(prompt, named), **named}.get("hair_color", "black")
