"""What each phrase of the sprites' captions says: people, hair, what they wear and hold, deeds and directions."""

from __future__ import annotations

from collections.abc import Iterator

from storyreel.worlds import sprites_language
from storyreel.worlds import sprites_words as words
from storyreel.worlds.sprites_free_words import Meaning
from storyreel.worlds.sprites_phrases import BARE
from storyreel.worlds.sprites_wardrobe import GARMENT
from storyreel.worlds.sprites_words import VERBS, Phrases


def hair_colors() -> dict[str, Meaning]:
    """Words for colors of hair, and "" for none, with what they say."""
    colors: dict[str, Meaning] = {"": ()}
    for value, phrases in words.HAIR_COLOR.items():
        colors |= {
            phrase: (("hair_color", value),) for phrase in (*phrases.all, *sprites_language.WORDS.get(value, ()))
        }
    return colors


def people() -> Iterator[tuple[str, Meaning]]:
    """What people are called, and their skin and ears."""
    persons: dict[str, Meaning] = {noun: () for noun in words.SOMEBODY}
    for sex, phrases in words.SEX.items():
        persons |= {noun: (("sex", sex),) for noun in phrases.all}
    for neutral, male, female in words.ROLES.values():
        persons |= dict.fromkeys(neutral.all, ())
        persons |= {noun: (("sex", sex),) for sex, own in (("male", male), ("female", female)) for noun in own.all}
    yield from persons.items()
    for skin, phrases in words.SKIN.items():
        for phrase in phrases.all:
            if phrase not in words.BEFORE_NOUN:
                yield phrase, (("body", skin),)
                continue
            yield from ((f"{phrase} {noun}", (("body", skin), *meaning)) for noun, meaning in persons.items())
    yield from _each(words.PEOPLE, "body")
    for phrase in (*words.ELVEN.all, *words.ELF.all, *words.EARS.all):
        yield phrase, (("ears", "elven"),)
    yield from _each(words.COMPLEXION, "body")
    yield from ((noun, (("hair_color", color),)) for color, noun in words.HEADS.items())


def hair() -> Iterator[tuple[str, Meaning]]:
    """Hair, beards and eyes."""
    colors = hair_colors()
    yield from ((f"{c} {end}".strip(), m) for c, m in colors.items() if c for end in ("hair", "haired"))
    yield from _each(words.HAIRED, "hair_color")
    for style, phrases in words.HAIR_STYLE.items():
        for pattern in phrases.all:
            for color, meaning in colors.items() if "{c}" in pattern else [("", ())]:
                yield pattern.format(c=color).removeprefix("a ").strip(), (("hair_style", style), *meaning)
    yield from ((phrase, (("hair_style", "bald"),)) for phrase in words.BALD.all)
    for color, phrases in words.HAIR_COLOR.items():
        for c in phrases.all:
            yield f"{c} bearded", (("facial_hair", f"{color} beard"),)
            for kind, patterns in words.FACIAL_HAIR.items():
                yield from ((p.format(c=c), (("facial_hair", f"{color} {kind}"),)) for p in patterns.all)
    for color in words.EYES:
        yield from ((f"{color} {end}", (("eyes", color),)) for end in ("eyes", "eyed"))


def things() -> Iterator[tuple[str, Meaning]]:
    """What they wear and hold."""
    for group, labels in GARMENT.items():
        yield from _each(labels, group)
    for label, phrases in BARE.items():
        group = next(g for g, labels in GARMENT.items() if label in labels)
        yield from ((phrase, ((group, label),)) for phrase in phrases.all)
    yield from _each(words.WEAPON, "weapon")


def deeds() -> Iterator[tuple[str, Meaning]]:
    """What they do, and where they face."""
    for action, phrases in words.ACTION.items():
        armed = words.ARMED[action].all if action in words.ARMED else ()
        shared = {"attack"}
        plain = (p.split(" {w}")[0].removesuffix(" with").removesuffix(" from") for p in armed)
        for base in dict.fromkeys([*phrases.all, *(p for p in plain if p not in shared)]):
            verb, _, more = base.partition(" ")
            yield from ((f"{form} {more}".strip(), (("action", action),)) for form in (verb, *VERBS[verb]))
    for value, kinds in words.FACING.items():
        for phrases in kinds.values():
            for phrase in phrases.all:
                yield from ((phrase.format(p=p), (("facing", value),)) for p in ("her", "his", "their", "the", "its"))


def _each(values: dict[str, Phrases], attribute: str) -> Iterator[tuple[str, Meaning]]:
    for value, phrases in values.items():
        yield from ((phrase, ((attribute, value),)) for phrase in phrases.all)
