"""Reads a prompt about the sprites world: which attributes it says, and which words mean nothing here.

The thesaurus is searched for the longest phrase at each place. It is a lexicon and no parser: it does not know what
"not" denies, and of two people it makes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from storyreel.worlds import sprites_words as words
from storyreel.worlds.sprites_captions import BRITISH
from storyreel.worlds.sprites_phrases import BARE
from storyreel.worlds.sprites_wardrobe import GARMENT
from storyreel.worlds.sprites_words import VERBS, Phrases

Meaning = tuple[tuple[str, str], ...]  # (attribute, value) pairs
SPELLING = {british: american for american, british in BRITISH.items()} | {
    "armoured": "armored",
    "towards": "toward",
    "greyish": "grayish",
    "jewelled": "jeweled",
}
_TOKEN = re.compile(r"[^\W_]+(?:'s)?|[,.;:/|!?()\n]")


@dataclass(frozen=True)
class Reading:
    """attributes: the value of each that the prompt says, the first where it says two.

    conflicts: (attribute, value) of the others. rest: the words that belong to no phrase of the thesaurus, in order.
    """

    attributes: dict[str, str]
    conflicts: tuple[tuple[str, str], ...]
    rest: tuple[str, ...]


def read(prompt: str) -> Reading:
    """What the prompt says of a character: "a raven-haired orc" -> {"hair_color": "black", "body": "orc"}."""
    tokens, known, longest = tokens_of(prompt), lexicon(), _longest()
    said: dict[str, str] = {}
    conflicts, rest, at = [], [], 0
    while at < len(tokens):
        for length in range(min(longest, len(tokens) - at), 0, -1):
            meaning = known.get(tokens[at : at + length])
            if meaning is not None:
                for name, value in meaning:
                    if said.setdefault(name, value) != value:
                        conflicts.append((name, value))
                at += length
                break
        else:
            if tokens[at][0].isalnum():
                rest.append(tokens[at])
            at += 1
    if "action" not in said and any(word in VERBS["attack"] or word == "attack" for word in rest):
        said |= _attack_with(said.get("weapon"))
    return Reading(said, tuple(conflicts), tuple(rest))


def tokens_of(text: str) -> tuple[str, ...]:
    """Lower-case words in American spelling and marks of punctuation; a hyphen divides words."""
    return tuple(SPELLING.get(t) or t for t in _TOKEN.findall(text.lower().replace("-", " ").replace("’", "'")))


def _attack_with(weapon: str | None) -> dict[str, str]:
    """ "attacking with a mace" says how, since each weapon is made for one attack."""
    if weapon in ("longsword", "mace", "rapier", "saber", "dagger", "wand"):
        return {"action": "slash"}
    return {"action": "thrust"} if weapon in ("spear", "trident", "dragon spear", "shield") else {}


@lru_cache(maxsize=1)
def lexicon() -> dict[tuple[str, ...], Meaning]:
    """Phrase, as tokens -> what it says. ValueError where a phrase would say two different things."""
    found: dict[tuple[str, ...], Meaning] = {}
    for phrase, meaning in chain(people(), _hair(), _things(), deeds()):
        key = tokens_of(phrase)
        if found.setdefault(key, meaning) != meaning:
            raise ValueError(f"{phrase!r} says both {found[key]} and {meaning}")
    return found


@lru_cache(maxsize=1)
def _longest() -> int:
    return max(map(len, lexicon()))


def people() -> Iterator[tuple[str, Meaning]]:
    """What people are called, and their skin and ears."""
    persons: dict[str, Meaning] = {noun: () for noun in words.SOMEBODY}
    for sex, said in words.SEX.items():
        persons |= {noun: (("sex", sex),) for noun in said.all}
    for neutral, male, female in words.ROLES.values():
        persons |= dict.fromkeys(neutral.all, ())
        persons |= {noun: (("sex", sex),) for sex, own in (("male", male), ("female", female)) for noun in own.all}
    yield from persons.items()
    for skin, said in words.SKIN.items():
        for phrase in said.all:
            if phrase not in words.BEFORE_NOUN:
                yield phrase, (("body", skin),)
                continue
            yield from ((f"{phrase} {noun}", (("body", skin), *meaning)) for noun, meaning in persons.items())
    yield from _each(words.PEOPLE, "body")
    for phrase in (*words.ELVEN.all, *words.ELF.all, *words.EARS.all):
        yield phrase, (("ears", "elven"),)
    yield from _each(words.COMPLEXION, "body")
    yield from ((noun, (("hair_color", color),)) for color, noun in words.HEADS.items())


def _hair() -> Iterator[tuple[str, Meaning]]:
    colors: dict[str, Meaning] = {"": ()}
    for value, said in words.HAIR_COLOR.items():
        colors |= {phrase: (("hair_color", value),) for phrase in said.all}
    yield from ((f"{c} {end}".strip(), m) for c, m in colors.items() if c for end in ("hair", "haired"))
    yield from _each(words.HAIRED, "hair_color")
    for style, said in words.HAIR_STYLE.items():
        for pattern in said.all:
            for color, meaning in colors.items() if "{c}" in pattern else [("", ())]:
                yield pattern.format(c=color).removeprefix("a ").strip(), (("hair_style", style), *meaning)
    yield from ((phrase, (("hair_style", "bald"),)) for phrase in words.BALD.all)
    for color, said in words.HAIR_COLOR.items():
        for c in said.all:
            yield f"{c} bearded", (("facial_hair", f"{color} beard"),)
            for kind, patterns in words.FACIAL_HAIR.items():
                yield from ((p.format(c=c), (("facial_hair", f"{color} {kind}"),)) for p in patterns.all)
    for color in words.EYES:
        yield from ((f"{color} {end}", (("eyes", color),)) for end in ("eyes", "eyed"))


def _things() -> Iterator[tuple[str, Meaning]]:
    for group, labels in GARMENT.items():
        yield from _each(labels, group)
    for label, said in BARE.items():
        group = next(g for g, labels in GARMENT.items() if label in labels)
        yield from ((phrase, ((group, label),)) for phrase in said.all)
    yield from _each(words.WEAPON, "weapon")


def deeds() -> Iterator[tuple[str, Meaning]]:
    """What they do, and where they face."""
    for action, said in words.ACTION.items():
        armed = words.ARMED[action].all if action in words.ARMED else ()
        shared = {"attack"}
        plain = (p.split(" {w}")[0].removesuffix(" with").removesuffix(" from") for p in armed)
        for base in dict.fromkeys([*said.all, *(p for p in plain if p not in shared)]):
            verb, _, more = base.partition(" ")
            yield from ((f"{form} {more}".strip(), (("action", action),)) for form in (verb, *VERBS[verb]))
    for value, kinds in words.FACING.items():
        for said in kinds.values():
            for phrase in said.all:
                yield from ((phrase.format(p=p), (("facing", value),)) for p in ("her", "his", "their", "the", "its"))


def _each(values: dict[str, Phrases], attribute: str) -> Iterator[tuple[str, Meaning]]:
    for value, said in values.items():
        yield from ((phrase, ((attribute, value),)) for phrase in said.all)
