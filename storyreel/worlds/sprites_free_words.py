"""What people say of sprites besides the words of the captions: read, never written.

No training caption has these words (`sprites_free_words.toml`), so a model does not know them; `sprites_reader` says
what they mean, and a prompt is restated in words that the model knows. They count only where nothing more definite is
said: a wizard is a man unless the prompt says "girl", and wears a robe unless it says what is worn.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from storyreel.worlds.sprites_wardrobe import COLOR, GARMENT, SHADE

Meaning = tuple[tuple[str, str], ...]

_FUR = re.compile(r" (\w+) (?:fur|furred|pelt|coat of fur) ")  # and its color
_FILE = Path(__file__).with_suffix(".toml")


def _phrases(table: Mapping[str, Any]) -> dict[str, Any]:
    """Lists in place of texts with bars between the phrases, in tables too."""
    return {
        key: _phrases(value) if isinstance(value, dict) else [" ".join(phrase.split()) for phrase in value.split("|")]
        for key, value in table.items()
    }


_WORDS = _phrases(tomllib.loads(_FILE.read_text("utf-8")))
PRONOUNS = {word: sex for sex, words in _WORDS["pronouns"].items() for word in words}
CLAD_IN: list[str] = _WORDS["clad_in"]  # before a color that all clothes have
AFTER_CLOTHES: list[str] = _WORDS["after_clothes"]  # after it, where no garment is named
HOLDING: list[str] = _WORDS["holding"]  # before what is carried
DENYING: list[str] = _WORDS["denying"]  # before what is not there
BETWEEN: list[str] = _WORDS["between"]  # words that may stand between
ADJECTIVES: list[str] = _WORDS["adjectives"]  # that may stand between a color and its garment
ORDINARY: list[str] = _WORDS["ordinary"]  # words that are no slips of known ones
FISTS: list[str] = _WORDS["fists"]  # whoever fights so has nothing in hand
STANDING = frozenset(_WORDS["standing"])
SEVERAL = frozenset(["two", "three", "four", "five", "six", "many", "several"])  # of people, of whom one is drawn
UNSEEN = ("young", "youthful")  # of people, all of whom look so; between a skin and who has it
CLAD = {name for color, names in _WORDS["outfits"].items() if color != "nouns" for name in names}
"""Who wears clothes of one color."""
UNDRAWN: list[str] = _WORDS["undrawn"]  # of garments, which are all whole, clean and of one color
GROWN: list[str] = _WORDS["grown"]  # children, of whom there are none
PLAIN: dict[str, list[str]] = _WORDS["plain"]  # "attribute=value" -> nouns of garments that say no color
LIKE = frozenset(name for names in _WORDS["like"].values() for name in names)  # who is not in the world
WHISKERS: dict[str, list[str]] = _WORDS["whiskers"]
HAIR_STYLES: dict[str, list[str]] = _WORDS["styles"]  # after its color
HAIR_IS: list[str] = _WORDS["hair_is"]  # between "hair" and its color
BEARDS = {"beard": "beard", "bearded": "beard", "goatee": "beard", "mustache": "mustache", "moustache": "mustache"}
HAIR_COLORS: dict[str, list[str]] = _WORDS["hair"]
HAIR_NOUNS: list[str] = _WORDS["locks"]  # after its color
ONE_COLOR = {noun: tuple(key.split("=")) for key, nouns in _WORDS["one_color"].items() for noun in nouns}
"""noun -> attribute, value, its own colors: garments that come in one color."""
SKINS: dict[str, list[str]] = _WORDS["skins"]  # a color -> who is drawn as an orc, and dyed in it
OF_STEEL: list[str] = _WORDS["of_steel"]  # between a color and armor
HELD: dict[str, list[str]] = _WORDS["held"]  # a weapon that is drawn in place of another -> what says it
STAVES = [name for kind in ("staff", "quarterstaff") for name in HELD[kind] if " " not in name]
"""With which people walk."""
TOPPED: dict[str, list[str]] = _WORDS["topped"]  # headgear that is drawn on -> what says it
TOPPED_LIKE: dict[str, list[str]] = _WORDS["topped_like"]  # and who wears it
NEAR = {tuple(key.split("=")): words for key, words in _WORDS["near"].items()}  # (attribute, value): what there is not


def meanings() -> Iterator[tuple[str, Meaning]]:
    """(phrase, (attribute, value) pairs), the more definite first."""
    yield from ((phrase, ()) for phrase in _WORDS["nothing"]["words"])
    for skin, noun in product(_WORDS["skin"], (*_WORDS["skin_nouns"], "skin", "complexion")):
        yield from ((f"{word} {noun}", (("body", skin), *sexed(noun))) for word in _WORDS["skin"][skin])
    yield from _each(_WORDS["sex"], "sex")
    yield from _each(_WORDS["names"], "sex")
    yield from _each(_WORDS["body"], "body")
    yield from _each(_WORDS["haired"], "hair_color")
    for color, names in HAIR_COLORS.items():
        for name, (word, kind) in product(names, BEARDS.items()):
            yield f"{name} {word}", (("facial_hair", f"{color} {kind}"),)
    yield from ((phrase, (("sex", "male"),)) for phrase in _WORDS["bearded"])
    for attribute, values in _WORDS["worn"].items():
        yield from _each(values, attribute)
    yield from _colored()
    yield from _each(_WORDS["done"], "action")
    for action, verbs in _WORDS["deeds"].items():
        yield from ((form, (("action", action),)) for verb in verbs for form in inflected(verb))
    for phrase, meaning in _each(_WORDS["facing"], "facing"):
        yield from ((phrase.format(us=us), meaning) for us in (_WORDS["us"] if "{us}" in phrase else [""]))


def nearest() -> Iterator[tuple[str, Meaning]]:
    """(phrase for what the world has not, what comes nearest)."""
    yield from ((word, (near,)) for near, words in NEAR.items() for word in words)  # pyright: ignore[reportReturnType]
    yield from _colored(alike=False)
    yield from ((phrase, worn) for phrase, worn, _ in outfits())
    yield from ((phrase, (worn,)) for phrase, worn, _ in in_other_colors())


def colors() -> Iterator[str]:
    """Words for the colors of garments."""
    for color in (*COLOR, *_WORDS["nearest"]):
        yield from (color, *_other_names(color))


def _other_names(color: str) -> tuple[str, ...]:
    return (*(COLOR[color].all if color in COLOR else ()), *_WORDS["colors"].get(color, ()))


def appearances() -> Iterator[tuple[str, Meaning]]:
    """(calling, what somebody of it looks like)."""
    for look, names in (*_WORDS["like"].items(), *_WORDS["looks"].items()):
        meaning = tuple((a, v) for a, _, v in (part.partition("=") for part in look.split(", ")))
        yield from ((name, meaning) for name in names)


def skin_of(tokens: tuple[str, ...], body: str) -> str | None:
    """The color in which somebody is dyed who is drawn as an orc: a demon red, and a red orc, who is drawn green."""
    text = f" {' '.join(tokens)} "
    named = (color for color, names in SKINS.items() if any(f" {name} " in text for name in names))
    skin = next(named, "red" if body == "red orc" and "red" in tokens else None)
    fur = _FUR.search(text)
    return color_words().get(fur[1], skin) if skin and fur else skin


def inflected(verb: str) -> tuple[str, ...]:
    """walk -> walk, walks, walking, walked: regular forms; a short vowel doubles the consonant (stab, stabbing)."""
    third = f"{verb}es" if re.search(r"(s|sh|ch|x|z|o)$", verb) else re.sub(r"(?<=[^aeiou])y$", "ie", verb) + "s"
    stem = verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb
    if re.search(r"(^|[^aeiou])[aeiou][bdgmnpt]$", verb) and len(verb) < 5:
        stem += verb[-1]
    ing = f"{verb[:-2]}ying" if verb.endswith("ie") else f"{stem}ing"
    return verb, third, ing, f"{re.sub(r'(?<=[^aeiou])y$', 'i', stem)}ed"


def sexed(noun: str) -> Meaning:
    """The sex that a noun says by itself: a spearman is a man, a shaman may be anybody."""
    if noun in ("girl", "lady", "lass", "chick", "maiden", "gal", "damsel", "female") or noun.endswith("woman"):
        return (("sex", "female"),)
    male = noun in ("guy", "boy", "lad", "fellow", "gentleman", "dude", "bloke", "chap", "male")
    return (("sex", "male"),) if male or (noun.endswith("man") and noun not in ("human", "shaman")) else ()


def _each(values: Mapping[str, list[str]], attribute: str) -> Iterator[tuple[str, Meaning]]:
    for value, phrases in values.items():
        yield from ((phrase, ((attribute, value),)) for phrase in phrases)


def _alike(kinds: str, label: str) -> bool:
    """Whether a garment may go by the name of the first of these kinds: a shirt is a tunic, pants are no skirt."""
    kind = kinds.split(" or ")[0]
    return kind not in ("skirt", "dress") or label.endswith(kind)


def _colored(alike: bool = True) -> Iterator[tuple[str, Meaning]]:
    """Garments by color: those that there are, by all nouns and colors that come near. alike: or what is worn
    instead."""
    groups = {label: group for group, worn in GARMENT.items() for label in worn}
    for kinds, nouns in _WORDS["garments"].items():
        labels = (f"{color} {kind}" for kind in kinds.split(" or ") for color in COLOR)
        for label in (label for label in labels if label in groups and _alike(kinds, label) == alike):
            color = label.split()[0]
            colors = (color, *SHADE.get(label, COLOR[color]).all, *_WORDS["colors"].get(color, ()))
            yield from ((f"{color} {noun}", ((groups[label], label),)) for color, noun in product(colors, nouns))


@cache
def color_words() -> dict[str, str]:
    """A word for a color of garments -> the color: "crimson" -> "red"."""
    known = _WORDS["nearest"]
    return {word: color for color in known for word in _other_names(color)} | {color: color for color in known}


def in_other_colors() -> Iterator[tuple[str, tuple[str, str], str]]:
    """Garments in colors that they do not come in: in the one that comes nearest, as a yellow dress in white; and the
    color."""
    groups = {label: group for group, worn in GARMENT.items() for label in worn}
    for more in (False, True):  # the colors' own names before words that may mean another
        for (kinds, nouns), (color, order) in product(_WORDS["garments"].items(), _WORDS["nearest"].items()):
            there = (f"{other} {kind}" for kind in kinds.split(" or ") for other in order)
            label = next(filter(groups.__contains__, there), None)
            if label:
                names = product(_other_names(color) if more else (color,), nouns)
                yield from ((f"{word} {noun}", (groups[label], label), color) for word, noun in names)


def outfits() -> Iterator[tuple[str, Meaning, str]]:
    """Clothes of one color, and who wears them: a shirt and pants, in the color that comes nearest; and the color."""
    groups = {label: group for group, worn in GARMENT.items() for label in worn}
    for color, order in _WORDS["nearest"].items():
        kinds = ([f"{other} {kind}" for other in (color, *order)] for kind in ("shirt", "pants"))
        labels = [label for there in kinds if (label := next(filter(groups.__contains__, there), None))]
        worn = tuple((groups[label], label) for label in labels)
        colored = product((color, *_other_names(color)), _WORDS["outfits"]["nouns"])
        yield from ((f"{word} {noun}", worn, color) for word, noun in colored)
        yield from ((name, worn, color) for name in _WORDS["outfits"].get(color, ()))
