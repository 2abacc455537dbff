"""Reads a prompt about the sprites world: which attributes it says, and which words mean nothing here.

The thesaurus is searched for the longest phrase at each place. It is a lexicon and no parser: it does not know what
"not" denies, and of two people it makes one. `read` knows the words of the captions alone, `read_freely` also those of
`sprites_free_words`, which count where nothing more definite is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, product

from storyreel.wording import nearest
from storyreel.worlds import sprites_free_words as free_words
from storyreel.worlds import sprites_language
from storyreel.worlds import sprites_words as words
from storyreel.worlds.sprites_captions import BRITISH
from storyreel.worlds.sprites_completion import COVERED
from storyreel.worlds.sprites_free_words import Meaning
from storyreel.worlds.sprites_phrases import BARE
from storyreel.worlds.sprites_wardrobe import GARMENT
from storyreel.worlds.sprites_words import VERBS, Phrases

Lexicon = dict[tuple[str, ...], Meaning]  # phrase, as tokens -> what it says
SPELLING = {british: american for american, british in BRITISH.items()} | {
    "armoured": "armored",
    "towards": "toward",
    "greyish": "grayish",
    "jewelled": "jeweled",
}
MENS = ("bare chest", "formal suit")  # of which there is no drawing for women
CARRIED = ("spear", "dagger", "shield")  # weapons that walking people are drawn with
SIDEWAYS = ("slash", "thrust", "shoot")  # attacks that are seen best from the side
UNARMED = {"slash": "saber", "thrust": "spear"}  # what an attack with no weapon is made with
CLOSED_HELMET, OPEN_HELMET = "metal helmet", "kettle hat"
FIGHTING = frozenset(form for verb in ("attack", "fight", "strike") for form in free_words.inflected(verb))
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
    said: dict[str, str] = {}
    conflicts, rest = [], []
    for words_, meaning in _phrases(prompt, lexicon):
        if meaning is None:
            rest += [word for word in words_ if word[0].isalnum()]
        for name, value in meaning or ():
            if said.setdefault(name, value) != value:
                conflicts.append((name, value))
    if "action" not in said and any(word in VERBS["attack"] or word == "attack" for word in rest):
        said |= _attack_with(said.get("weapon"))
    return Reading(said, tuple(conflicts), tuple(rest))


def read_freely(prompt: str) -> dict[str, str]:
    """The same in words that no caption has: "a drow priestess, back to us" -> {"body": "dark elf", "sex": "female",
    "facing": "up"}. What such words say gives way to what the captions' words say."""
    known = lexicon()
    said: dict[str, str] = {}
    less: dict[str, str] = {}
    fighting = False
    for phrase, meaning in _phrases(_spelled(prompt), _free_lexicon):
        if meaning is None:
            meaning = free_words.sexed(phrase[0])  # a fisherwoman
        definite = known.get(phrase)
        for name, value in definite or meaning or ():
            definite_words = definite is not None and not (name == "sex" and phrase[-1] in _roles())
            (said if definite_words else less).setdefault(name, value)
        fighting |= bool(FIGHTING & set(phrase))
    weak = {name: value for name, value in less.items() if name not in said}
    action = _attack_with(said.get("weapon") or weak.get("weapon")) or {"action": "slash"}
    weapon, holding = weak.get("weapon", said.get("weapon")), set(tokens_of(prompt)) & set(free_words.HOLDING)
    if holding and not fighting and "action" not in said and weapon in (None, *CARRIED):
        weak.setdefault("action", "walk")
    weak |= dict(_one_color(prompt, {**weak, **said}))
    pronouns = ({"sex": free_words.PRONOUNS[word]} for word in tokens_of(prompt) if word in free_words.PRONOUNS)
    return _open_faced(next(pronouns, {}) | (action if fighting else {}) | weak | said)


def _open_faced(said: dict[str, str]) -> dict[str, str]:
    """A beard is seen under no closed helmet: whoever has both wears the iron hat that leaves the face free."""
    return said | {"head": OPEN_HELMET} if "facial_hair" in said and said.get("head") == CLOSED_HELMET else said


def _one_color(prompt: str, said: Mapping[str, str]) -> Meaning:
    """ "a ninja in black": a robe, or a woman's dress, of that color; () where clothes are named."""
    if "torso" in said:
        return ()
    tokens, known = tokens_of(prompt), _free_lexicon()
    garment = "dress" if said.get("sex") == "female" else "robe"
    for before, color, after in zip(tokens, tokens[1:], (*tokens[2:], "."), strict=False):
        worn = known.get((color, garment))
        ends = not after[0].isalnum() or after in free_words.AFTER_CLOTHES
        ends |= any(name in ("action", "facing") for name, _ in known.get((after,)) or ())
        if worn and before in free_words.CLAD_IN and ends:
            return worn
    return ()


def implied(prompt: str, said: Mapping[str, str]) -> dict[str, str]:
    """What goes with what is said: a knight's armor, a mage's spell, the thrust of a spear; never what is said."""
    found: dict[str, str] = {}
    for _, meaning in _phrases(prompt, _callings):
        for name, value in meaning or ():
            if name not in said:
                found.setdefault(name, value)
    if said.get("body") == "skeleton":  # nobody sees of what sex a skeleton is, and an archer of bones wears no leather
        found = {name: value for name, value in found.items() if name == "action" or value == "red bandana"}
    if said.get("sex", found.get("sex")) == "female" and found.get("torso") in MENS:
        found.pop("torso")
    if said.get("head", found.get("head")) in COVERED:
        found.pop("hair_color", None)  # of an old knight's hair nothing is seen
    if "action" not in said:
        found |= _attack_with(said.get("weapon", found.get("weapon")))
    action = said.get("action", found.get("action"))
    if action in UNARMED and not {"weapon"} & {*said, *found}:
        found["weapon"] = UNARMED[action]  # else a blade is seen in some frames
    if "facing" not in said and (action in SIDEWAYS or "spear" in (said.get("weapon"), found.get("weapon"))):
        found["facing"] = "right"  # from the front, blades are cut and shafts are dots
    beard = said.get("facial_hair")
    covered = said.get("head", found.get("head")) in COVERED
    if beard and not covered and "hair_color" not in said:
        found["hair_color"] = beard.split()[0]
    elif not beard and (kind := _whiskers(prompt)):
        color = said.get("hair_color") or found.get("hair_color", "brown")
        found |= {"facial_hair": f"{color} {kind}"} | ({} if covered or "hair_color" in said else {"hair_color": color})
    return found | ({"ears": "elven"} if said.get("body") == "dark elf" else {})


def _whiskers(prompt: str) -> str | None:
    """ "a bearded man" -> "beard", of a color that is not said."""
    return next((kind for kind, names in free_words.WHISKERS.items() if set(names) & set(tokens_of(prompt))), None)


def _spelled(prompt: str) -> str:
    """The prompt with long words that are nearly words of the thesaurus spelled as these are."""
    return " ".join(map(_nearly, tokens_of(prompt)))


@lru_cache(maxsize=4096)
def _nearly(word: str) -> str:
    known = _vocabulary()
    if len(word) <= 5 or word in known or word.endswith(("'s", "woman")):  # a fisherwoman is no fisherman
        return word
    return nearest(word, known, 0.9) or word


def _phrases(prompt: str, words_of: Callable[[], Lexicon]) -> Iterator[tuple[tuple[str, ...], Meaning | None]]:
    """The prompt cut into the longest phrases that are known, with their meanings, and single words (None)."""
    tokens, known, longest, at = tokens_of(prompt), words_of(), _longest(words_of), 0
    while at < len(tokens):
        lengths = range(min(longest, len(tokens) - at), 0, -1)
        length = next((n for n in lengths if tokens[at : at + n] in known), 1)
        phrase = tokens[at : at + length]
        yield phrase, known.get(phrase)
        at += length


@lru_cache
def _longest(words_of: Callable[[], Lexicon]) -> int:
    """Words of its longest phrase."""
    return max(map(len, words_of()))


def tokens_of(text: str) -> tuple[str, ...]:
    """Lower-case words in American spelling and marks of punctuation; a hyphen divides words."""
    return tuple(SPELLING.get(t) or t for t in _TOKEN.findall(text.lower().replace("-", " ").replace("’", "'")))


def _attack_with(weapon: str | None) -> dict[str, str]:
    """ "attacking with a mace" says how, since each weapon is made for one attack."""
    ways = (*words.ATTACKS.items(), *words.ATTACKS_TOO.items())
    return next(({"action": action} for action, weapons in ways if weapon in weapons), {})


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Phrase, as tokens -> what it says. ValueError where a phrase would say two different things."""
    found: Lexicon = {}
    for phrase, meaning in chain(people(), _hair(), _things(), deeds()):
        key = tokens_of(phrase)
        if found.setdefault(key, meaning) != meaning:
            raise ValueError(f"{phrase!r} says both {found[key]} and {meaning}")
    return found


@lru_cache(maxsize=1)
def _free_lexicon() -> Lexicon:
    """The captions' words, those of the first captions, and those that no caption has; the first meaning counts."""
    found = dict(lexicon())
    for phrase, meaning in chain(_first_captions(), _free_hair(), free_words.meanings()):
        found.setdefault(tokens_of(phrase), meaning)
    return found


def thesaurus() -> dict[str, object]:
    """All that `read_freely` and `implied` know, as JSON: phrases with what they say, [attribute, value] pairs after
    a 1 where a caption has the phrase and a 0 where none has it, and the lists that their rules look into."""
    definite, free, callings = lexicon(), _free_lexicon(), _callings()
    ways = (*words.ATTACKS.items(), *words.ATTACKS_TOO.items())
    return {
        "phrases": {" ".join(key): [int(key in definite), *meaning] for key, meaning in free.items()},
        "callings": {" ".join(key): meaning for key, meaning in callings.items()},
        "roles": sorted(_roles()),
        "fighting": sorted(FIGHTING),
        "pronouns": free_words.PRONOUNS,
        "spelling": SPELLING,
        "mens": MENS,
        "helmets": {CLOSED_HELMET: OPEN_HELMET},
        "attacks": {weapon: action for action, weapons in reversed(ways) for weapon in weapons},
        "covered": COVERED,
        "clad_in": free_words.CLAD_IN,
        "after_clothes": free_words.AFTER_CLOTHES,
        "whiskers": free_words.WHISKERS,
        "sideways": SIDEWAYS,
        "unarmed": UNARMED,
        "carried": CARRIED,
        "holding": free_words.HOLDING,
    }


def _free_hair() -> Iterator[tuple[str, Meaning]]:
    """ "azure locks", "hair as black", "mint-haired", "white hair in a bun"."""
    more = {word: (("hair_color", value),) for value, names in free_words.HAIR_COLORS.items() for word in names}
    for color, meaning in ({**more, **_hair_colors()}).items():
        if color:
            yield from ((f"{color} {noun}", meaning) for noun in ("hair", "haired", "hairs", *free_words.HAIR_NOUNS))
            yield from ((f"hair {be} {color}", meaning) for be in ("", *free_words.HAIR_IS))
        for style, names in free_words.HAIR_STYLES.items():
            patterns = (name if "{c}" in name else f"{{c}} {name}" for name in names)
            yield from ((" ".join(p.format(c=color).split()), (("hair_style", style), *meaning)) for p in patterns)


@lru_cache(maxsize=1)
def _roles() -> frozenset[str]:
    """The last words of callings: a wizard is a man unless more is said."""
    return frozenset(tokens_of(noun)[-1] for kinds in words.ROLES.values() for kind in kinds for noun in kind.all)


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    return frozenset(chain.from_iterable((*_free_lexicon(), *_callings())))


@lru_cache(maxsize=1)
def _callings() -> Lexicon:
    return {tokens_of(name): meaning for name, meaning in free_words.looks()}


def _first_captions() -> Iterator[tuple[str, Meaning]]:
    """Other words for labels that `sprites_language` has, and hair as it says it: "gray long hair in a knot"."""
    for group, labels in GARMENT.items():
        for label in labels:
            first, _, last = label.rpartition(" ")
            parts = (sprites_language.WORDS.get(part, (part,)) for part in (first, last) if part)
            spoken = (*sprites_language.WORDS.get(label, ()), *map(" ".join, product(*parts)))
            yield from ((phrase, ((group, label),)) for phrase in spoken)
    for color, meaning in _hair_colors().items():
        for style in words.HAIR_STYLE if color else ():
            yield f"{color} {style}", (("hair_style", style), *meaning)
        for kind in words.FACIAL_HAIR if color else ():
            yield f"{color} {kind}", (("facial_hair", f"{meaning[0][1]} {kind}"),)
    for action, doing in sprites_language.DOING.items():
        for form in chain.from_iterable(doing):
            yield form, (("action", action), *((("weapon", "bow"),) if form.endswith(" bow") else ()))
    for skin in words.SKIN:
        for phrase, ear, (sex, nouns) in product(words.SKIN[skin].all, words.ELVEN.all, words.SEX.items()):
            yield from (
                (f"{phrase} {ear} {noun}", (("body", skin), ("ears", "elven"), ("sex", sex))) for noun in nouns.all
            )


def _hair_colors() -> dict[str, Meaning]:
    colors: dict[str, Meaning] = {"": ()}
    for value, said in words.HAIR_COLOR.items():
        colors |= {phrase: (("hair_color", value),) for phrase in (*said.all, *sprites_language.WORDS.get(value, ()))}
    return colors


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
    colors = _hair_colors()
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
