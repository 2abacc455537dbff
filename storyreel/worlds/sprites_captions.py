"""Captions of the sprites world, composed from a grammar: `caption(attributes, rng)`.

A caption is true of its clip, and what it mentions is known by construction. Most mention every attribute that can be
seen. Two phrasings: "training", and "held-out", whose sentence forms and words training never has
(sprites_words, sprites_wardrobe, sprites_forms). `sprites_language` has the captions of the first version.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from storyreel.worlds.sprites_forms import FORMS, HELD_OUT_FORMS, short
from storyreel.worlds.sprites_language import MENTION
from storyreel.worlds.sprites_phrases import Speaker

PHRASINGS = ("training", "held-out")
BARE = {"torso": "bare chest", "feet": "bare feet", "head": "bare head"}
MENTIONED_WHEN_BARE = {"torso": 0.85, "feet": 0.7, "head": 0.25}
LEAST = ("eyes", "belt", "hands", "hair_style", "facial_hair", "ears")  # left out first
LONGEST = 300  # characters; about 70 tokens
BRITISH = {
    "gray": "grey",
    "armor": "armour",
    "mustache": "moustache",
    "saber": "sabre",
    "colored": "coloured",
    "traveler": "traveller",
}


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Shares of the kinds of captions; what is left over mentions every attribute that can be seen.

    partial: each attribute as often as people mention it. short: one to three attributes. typos: one letter wrong.
    british: British spelling. lower: all in lower case.
    """

    partial: float = 0.15
    short: float = 0.12
    typos: float = 0.02
    british: float = 0.35
    lower: float = 0.7

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected a share from 0 to 1, got {getattr(self, name)}")
        if self.partial + self.short > 1:
            raise ValueError(f"partial + short: expected at most 1, got {self.partial + self.short:g}")


class Caption(NamedTuple):
    """text; the attributes that it mentions, sorted; the sentence form and the choices that it is composed of."""

    text: str
    mentions: tuple[str, ...]
    template: str


def caption(
    seen: dict[str, str | None],
    rng: np.random.Generator,
    *,
    full: bool | None = None,
    phrasing: str = "training",
    mix: Mix = Mix(),
) -> Caption:
    """A caption of a character with these attributes (None: cannot be seen).

    full: whether it mentions every attribute that can be seen; None leaves it to `mix`.
    ValueError for an unknown phrasing.
    """
    if phrasing not in PHRASINGS:
        raise ValueError(f"phrasing: expected {' or '.join(PHRASINGS)}, got {phrasing!r}")
    draw = random.Random(int(rng.integers(2**62)))
    kind = draw.random()
    if full:
        kind = 1.0
    elif full is not None:
        kind *= mix.partial + mix.short
    brief = mix.partial <= kind < mix.partial + mix.short
    mentioned = _short(seen, draw) if brief else _mentioned(seen, draw, everything=kind >= mix.partial + mix.short)
    while True:
        spoken = _speak(seen, set(mentioned), draw, phrasing == "held-out", brief)
        if len(spoken.text) <= LONGEST:
            break
        mentioned = _shortened(mentioned)
    return spoken._replace(text=_finish(spoken.text, draw, mix))


def restated(seen: Mapping[str, str], rng: np.random.Generator) -> str:
    """A caption that says all of these attributes, in the commonest words of training."""
    there = {**dict.fromkeys((*MENTION, "body", "sex"), None), **seen}
    draw = random.Random(int(rng.integers(2**62)))
    tried = [_speak(there, {n for n in MENTION if there[n]}, draw, False, False, commonest=True) for _ in range(8)]
    return max(tried, key=lambda one: len(one.mentions)).text


def _mentioned(seen: dict[str, str | None], draw: random.Random, everything: bool) -> set[str]:
    mentioned = {n for n in MENTION if seen.get(n) is not None and (everything or draw.random() < MENTION[n])}
    for name, share in MENTIONED_WHEN_BARE.items():
        if name in mentioned and seen[name] == BARE[name] and draw.random() >= share:
            mentioned.remove(name)
    return mentioned


def _short(seen: dict[str, str | None], draw: random.Random) -> set[str]:
    there = [n for n in MENTION if seen.get(n) not in (None, BARE.get(n)) and n not in ("eyes", "belt", "ears")]
    draw.shuffle(there)
    return set(there[: 1 + int(draw.random() * 3)])


def _shortened(mentioned: set[str]) -> set[str]:
    """Without the attribute that is missed least."""
    gone = next((name for name in LEAST if name in mentioned), None)
    return mentioned - {gone or min(mentioned)}


def _speak(
    seen: dict[str, str | None],
    mentioned: set[str],
    draw: random.Random,
    held_out: bool,
    brief: bool,
    *,
    commonest: bool = False,
) -> Caption:
    speaker = Speaker(seen, mentioned, draw, held_out, commonest)
    form = (
        FORMS[0]
        if commonest
        else speaker.one(HELD_OUT_FORMS if held_out else (*FORMS, short, short, short, short) if brief else FORMS)
    )
    text = _tidy(form(speaker))
    return Caption(text, tuple(sorted(speaker.mentioned)), " ".join([form.__name__, *speaker.template]))


_MARKS = (",", ";", ":", ".", "?")


def _tidy(text: str) -> str:
    """Single spaces, none before a mark, and one mark where phrases that are not there leave several."""
    text = " ".join(text.split())
    for mark in _MARKS:
        if f" {mark}" in text:
            text = text.replace(f" {mark}", mark)
    for mark in _MARKS:
        for empty in ",;:":
            while f"{empty}{mark}" in text or f"{empty} {mark}" in text:
                text = text.replace(f"{empty} {mark}", mark).replace(f"{empty}{mark}", mark)
    return text.strip(" ,;:")


def _finish(text: str, draw: random.Random, mix: Mix) -> str:
    if draw.random() < mix.british:
        for american, british in BRITISH.items():
            text = text.replace(american, british)
    if draw.random() < mix.typos:
        text = with_typo(text, draw)
    if draw.random() >= mix.lower:
        text = re.sub(r"(^|[.] )([a-z])", lambda m: m[1] + m[2].upper(), text)
        if draw.random() < 0.05:
            text = text.upper()
    if draw.random() < 0.25 and text[-1] not in ".?":
        text += "."
    return text


def with_typo(text: str, draw: random.Random) -> str:
    """One inner letter of a word of six letters or more swapped with the next, left out or doubled."""
    long = [m for m in re.finditer(r"[a-z]{6,}", text)]
    if not long:
        return text
    word = long[int(draw.random() * len(long))]
    at = word.start() + 1 + int(draw.random() * (len(word[0]) - 3))
    kind = draw.random()
    if kind < 0.4:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text[:at] + text[at + 1 :] if kind < 0.8 else text[:at] + text[at] + text[at:]
