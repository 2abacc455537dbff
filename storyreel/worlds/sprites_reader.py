"""Reads a prompt about the sprites world: which attributes it says, and which words mean nothing here.

The thesaurus is searched for the longest phrase at each place. It is a lexicon and no parser: of two people it makes
one. `read` knows the words of the captions alone, `read_freely` also those of `sprites_free_words`, which count where
nothing more definite is said; it mends slips of the pen and leaves out what is denied (`sprites_spelling`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain, pairwise, product

import numpy as np

from storyreel.worlds import sprites_free_words as free_words
from storyreel.worlds import sprites_language
from storyreel.worlds import sprites_words as words
from storyreel.worlds.sprites_captions import BRITISH, restated
from storyreel.worlds.sprites_completion import COVERED, MONSTERS
from storyreel.worlds.sprites_free_words import SEVERAL, Meaning
from storyreel.worlds.sprites_lexicon import deeds, hair, hair_colors, people, things
from storyreel.worlds.sprites_spelling import Phrase, affirmed, color_first, spelled
from storyreel.worlds.sprites_wardrobe import GARMENT
from storyreel.worlds.sprites_words import VERBS

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
FRONT = ("longsword", "rapier", "mace", "shield")  # seen in all frames from the front alone
UNARMED = {"slash": "longsword", "thrust": "spear"}  # what an attack with no weapon is made with
CLOSED_HELMET, OPEN_HELMET = "metal helmet", "kettle hat"
NAKED = {"head": "bare head", "feet": "bare feet"}  # where something on them is denied
FIGHTING = frozenset(form for verb in ("attack", "fight", "strike") for form in free_words.inflected(verb))
THROWING = frozenset(form for verb in ("throw", "hurl", "toss") for form in free_words.inflected(verb))
GILDED = {f"metal {part}": f"golden {part}" for part in ("helmet", "greaves", "gloves", "boots")}  # with golden armor
_WITH = re.compile(r"\bw/(o\b)?")  # a knight w/o helmet
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
    named: dict[str, str] = {}
    conflicts, rest = [], []
    for words_, meaning in _phrases(tokens_of(prompt), lexicon):
        if meaning is None:
            rest += [word for word in words_ if word[0].isalnum()]
        for name, value in meaning or ():
            if named.setdefault(name, value) != value:
                conflicts.append((name, value))
    if "action" not in named and any(word in VERBS["attack"] or word == "attack" for word in rest):
        named |= _attack_with(named.get("weapon"))
    return Reading(named, tuple(conflicts), tuple(rest))


def read_freely(prompt: str) -> dict[str, str]:
    """The same in words that no caption has: "a drow priestess, back to us" -> {"body": "dark elf", "sex": "female",
    "facing": "up"}. What such words say gives way to what the captions' words say."""
    known, kinds = lexicon(), free_words.PLAIN
    named: dict[str, str] = {}
    less: dict[str, str] = {}
    plain: list[str] = []
    fighting = throwing = noun = False
    tokens, denied = _words(prompt)
    for phrase, meaning in _named_phrases(tokens):
        plain += [kind for kind in kinds if phrase[-1] in kinds[kind] and not meaning]
        if meaning is None:
            meaning = free_words.sexed(phrase[0])  # a fisherwoman
        definite = known.get(phrase)
        sexed = False
        for name, value in definite or meaning or ():
            definite_words = definite is not None and not (name == "sex" and phrase[-1] in _roles())
            if name == "sex" and not definite_words:
                sexed = True
                if noun:  # of a barbarian queen, the queen counts
                    less.pop("sex", None)
            target = named if definite_words else less
            if value != "shield" and target.get(name) == "shield":
                target[name] = value  # of a sword and a shield, the sword
            target.setdefault(name, value)
        noun = sexed
        fighting |= bool(FIGHTING & set(phrase))
        throwing |= bool(THROWING & set(phrase))
    if named.get("weapon") == "shield" and "weapon" in less:
        named["weapon"] = less["weapon"]
    weak = {name: value for name, value in less.items() if name not in named}
    for name, value in chain(_plain(plain, tokens), ((n, NAKED[n]) for n in _denied(denied) if n in NAKED)):
        if name not in named:
            weak.setdefault(name, value)
    action = _attack_with(named.get("weapon") or weak.get("weapon")) or {"action": "slash"}
    fighting |= throwing and "weapon" in {**weak, **named}
    weapon, holding = weak.get("weapon", named.get("weapon")), set(tokens) & set(free_words.HOLDING)
    if holding and not fighting and "action" not in named and weapon in (None, *CARRIED):
        weak.setdefault("action", "walk")
    weak |= dict(_one_color(tokens, {**weak, **named}))
    pronouns = ({"sex": free_words.PRONOUNS[word]} for word in tokens if word in free_words.PRONOUNS)
    found = next(pronouns, {}) | (action if fighting else {}) | weak | named
    if found.get("head") == CLOSED_HELMET and ("facial_hair" in found or _whiskers(tokens)):
        found["head"] = OPEN_HELMET  # a beard is seen under no closed helmet
    return found


def _named_phrases(tokens: Phrase) -> list[tuple[Phrase, Meaning | None]]:
    """The phrases of a prompt, but for a verb right before who is named first: a fire mage fires nothing."""
    found = list(_phrases(tokens, _free_lexicon))
    first = next((i for i, each in enumerate(found) if _is_somebody(*each)), 0)
    if first and found[first - 1][0][0] in VERBS and len(found[first - 1][0]) == 1:
        del found[first - 1]
    return found


def _is_somebody(phrase: Phrase, meaning: Meaning | None) -> bool:
    implications = meaning or free_words.sexed(phrase[0])
    return phrase[-1] in _roles() or phrase in _callings() or any(name in ("sex", "body") for name, _ in implications)


def _plain(kinds: list[str], tokens: Phrase) -> Iterator[tuple[str, str]]:
    """Garments of no color: in the one that a calling has, as the robe of a wizard is blue, or a plain one."""
    worn = [value for _, meaning in _phrases(tokens, _callings) for _, value in meaning or ()]
    for kind in kinds:
        attribute, _, label = kind.partition("=")
        alike = (value for value in worn if value.split()[-1] == label.split()[-1])
        yield attribute, next(alike, label)


def _denied(phrases: tuple[Phrase, ...]) -> set[str]:
    """The attributes that these phrases would say."""
    whiskers = {word for names in free_words.WHISKERS.values() for word in names}
    names = {name for phrase in phrases for name, _ in _free_lexicon().get(phrase) or ()}
    return names | ({"facial_hair"} if any(whiskers & set(phrase) for phrase in phrases) else set())


def _one_color(tokens: Phrase, named: Mapping[str, str]) -> Meaning:
    """ "a ninja in black": a robe, or a woman's dress, of that color; () where clothes are named."""
    if "torso" in named:
        return ()
    known = _free_lexicon()
    garment = "dress" if named.get("sex") == "female" else "robe"
    clad = any("torso" in dict(meaning or ()) for _, meaning in _phrases(tokens, _callings))
    found: Meaning = ()
    for before, color, after in zip(tokens, tokens[1:], (*tokens[2:], "."), strict=False):
        worn = known.get((color, garment), ())
        ends = not after[0].isalnum() or after in free_words.AFTER_CLOTHES or after.endswith("ing")
        ends |= any(name in ("action", "facing") for name, _ in known.get((after,)) or ())
        if not worn or not ends or not (before in free_words.CLAD_IN or (found and before == "and")):
            continue
        if (color, garment) not in _stand_ins():
            return worn
        found = found or worn
    return () if clad else found  # a jester in yellow wears what jesters wear


def lacking(prompt: str) -> dict[str, str]:
    """What the prompt says that the world has not -> what is read in its place, or "": {"zombie": "skeleton"}."""
    named, tokens = read_freely(prompt), _words(prompt)[0]
    everything = {**implied(prompt, named), **named}
    phrases = list(_phrases(tokens, _free_lexicon))
    pairs = ((a[-1], b, meaning) for (a, _), (b, meaning) in pairwise(phrases))
    found = {f"{a} {' '.join(b)}": "one at a time" for a, b, m in pairs if a in SEVERAL and _is_somebody(b, m)}
    for phrase, _ in phrases:
        for name, value in _stand_ins().get(phrase, ()):
            if named.get(name) == value and phrase[0] not in free_words.CLAD:
                found.setdefault(" ".join(phrase), value)
        if ("head", "tiara") in (_free_lexicon().get(phrase) or ()) and everything.get("sex") == "male":
            found[" ".join(phrase)] = "bare head" if "facial_hair" in everything else "golden helmet"
        if phrase[-1] in free_words.GROWN:
            found[" ".join(phrase)] = "a grown person"
    found |= {word: "" for word in tokens if word in free_words.UNDRAWN}
    for phrase, meaning in _phrases(tokens, _callings):
        if " ".join(phrase) in free_words.LIKE:
            look = {name: value for name, value in meaning or () if everything.get(name) == value}
            found[" ".join(phrase)] = restated(look or dict(meaning or ()), np.random.default_rng(0))
    return found


def other_colors(prompt: str) -> dict[str, tuple[str, str]]:
    """Attribute -> a garment and the color that it does not come in: "a boy in a green tunic" -> {"torso": ("tunic",
    "green")}; a hood, armor and what else is of one color likewise."""
    named, tokens, known = read_freely(prompt), _words(prompt)[0], _stand_in_colors()
    garment = "dress" if named.get("sex") == "female" else "robe"
    clad = ((after, garment) for before, after in pairwise(tokens) if before in free_words.CLAD_IN)
    found: dict[str, tuple[str, str]] = {}
    for phrase in chain((phrase for phrase, _ in _phrases(tokens, _free_lexicon)), clad):
        for name, value in _stand_ins().get(phrase, ()):
            if phrase in known and named.get(name) == value:
                found.setdefault(name, (value.rpartition(" ")[2], known[phrase]))
    between = {*free_words.OF_STEEL, *free_words.ADJECTIVES, "suit", "of"}
    for word, noun in pairwise(token for token in tokens if token not in between):
        name, label, own = free_words.ONE_COLOR.get(noun, ("", "", ""))
        color = free_words.color_words().get(word)
        if color and color not in own.split() and (named.get(name) == label or (name == "legs" and name in named)):
            found[name] = (label if name == "body" else label.rpartition(" ")[2], color)
    if (body := named.get("body", "orc")) in MONSTERS and (skin := free_words.skin_of(tokens, body)):
        found.setdefault("body", (body, skin))
    return found


def stands(prompt: str) -> bool:
    """Whether the prompt says of somebody that they stand, and no deed: "an idle guard", no "archer who stands
    shooting"."""
    tokens = _words(prompt)[0]
    deeds = [phrase for phrase, meaning in _named_phrases(tokens) if any(name == "action" for name, _ in meaning or ())]
    return bool(deeds) and all(free_words.STANDING & set(phrase) for phrase in deeds)


def implied(prompt: str, named: Mapping[str, str]) -> dict[str, str]:
    """What goes with what is said: a knight's armor, a mage's spell, the thrust of a spear; never what is said."""
    found: dict[str, str] = {}
    tokens, denied = _words(prompt)
    for _, meaning in _phrases(tokens, _callings):
        for name, value in meaning or ():
            if name not in named:
                found.setdefault(name, value)
    for name in _denied(denied):
        found.pop(name, None)
    if found.get("head") in COVERED and {"hair_color", "hair_style"} & set(named):
        found.pop("head")  # whose hair is said has it seen
    if named.get("sex", found.get("sex")) == "female":
        found = {n: v for n, v in found.items() if n != "facial_hair" and not (n == "torso" and v in MENS)}
    if named.get("body") == "skeleton":  # its sex is not to be seen, and an archer of bones wears no leather
        found = {n: v for n, v in found.items() if n in ("action", "facing", "weapon") or v == "red bandana"}
    if named.get("head", found.get("head")) in COVERED:
        found.pop("hair_color", None)  # of an old knight's hair nothing is seen
    if "action" not in named:
        armed = named.get("weapon", found.get("weapon"))
        walks = armed == "shield" or not {*tokens}.isdisjoint(free_words.STAVES)
        found |= {"action": "walk"} if walks else _attack_with(armed)
    action = named.get("action", found.get("action"))
    if action in UNARMED and not {"weapon"} & {*named, *found} and not set(tokens) & set(free_words.FISTS):
        found["weapon"] = UNARMED[action]  # else a blade is seen in some frames
    if "facing" not in {*named, *found} and (
        side := _best_side(action, named.get("weapon", found.get("weapon")), named.get("body"))
    ):
        found["facing"] = side
    beard = named.get("facial_hair")
    covered = named.get("head", found.get("head")) in COVERED or named.get("hair_style") == "bald"  # no hair is seen
    if beard and not covered and "hair_color" not in named:
        found["hair_color"] = beard.split()[0]
    elif not beard and (kind := _whiskers(tokens)):
        color = named.get("hair_color") or found.get("hair_color", "brown")
        found |= {"facial_hair": f"{color} {kind}"} | (
            {} if covered or "hair_color" in named else {"hair_color": color}
        )
    elif found.get("facial_hair") and "hair_color" in named:
        found["facial_hair"] = f"{named['hair_color']} {found['facial_hair'].partition(' ')[2]}"
    if "facial_hair" in {*named, *found} and found.get("head") == CLOSED_HELMET:
        found["head"] = OPEN_HELMET
    if named.get("torso") == "golden armor" and action != "hurt":  # in which no golden helmet is drawn
        found = {name: GILDED.get(value, value) for name, value in found.items()}
    return found | ({"ears": "elven"} if named.get("body") == "dark elf" else {})


def _best_side(action: str | None, weapon: str | None, body: str | None) -> str | None:
    """Where somebody faces in whose deed most is seen; None where that is nowhere in particular."""
    if weapon in FRONT or (action == "slash" and body in MONSTERS):
        return "down"  # aside a mace is cut, a sword hidden, an orc who swings has no face
    return "right" if action in SIDEWAYS or weapon == "spear" else None  # blades in front are cut and shafts are dots


def _whiskers(tokens: Phrase) -> str | None:
    """ "a bearded man" -> "beard", of a color that is not said."""
    return next((kind for kind, names in free_words.WHISKERS.items() if set(names) & set(tokens)), None)


@lru_cache(maxsize=512)
def _words(prompt: str) -> tuple[Phrase, tuple[Phrase, ...]]:
    """(the words of the prompt as the thesaurus spells them, without what is denied; the phrases that are denied)."""
    tokens = tuple(word for each in tokens_of(prompt) for word in _nearly(each) if word not in free_words.UNSEEN)
    tokens = color_first(tokens, _free_lexicon().keys(), _garments(), _colors(), free_words.ADJECTIVES)
    longest = max(_longest(_free_lexicon), _longest(_callings))
    return affirmed(tokens, _all_phrases(), longest, free_words.DENYING, free_words.BETWEEN)


@lru_cache(maxsize=1)
def _all_phrases() -> frozenset[Phrase]:
    return frozenset(_free_lexicon().keys() | _callings().keys())


@lru_cache(maxsize=4096)
def _nearly(word: str) -> Phrase:
    return tuple(SPELLING.get(each, each) for each in spelled(word, _vocabulary(), _nouns(), _ordinary()))


@lru_cache(maxsize=1)
def _ordinary() -> frozenset[str]:
    return frozenset(free_words.ORDINARY)


@lru_cache(maxsize=1)
def _nouns() -> frozenset[str]:
    """Words that say what somebody is, wears or has in hand by themselves."""
    known = chain(_free_lexicon().items(), _callings().items())
    found = {phrase[0] for phrase, meaning in known if len(phrase) == 1 and meaning}
    return frozenset(found - {phrase[0] for phrase, _ in _deeds() if len(phrase) == 1})


@lru_cache(maxsize=1)
def _deeds() -> tuple[tuple[Phrase, Meaning], ...]:
    found = _free_lexicon().items()
    return tuple((p, m) for p, m in found if any(name in ("action", "facing") for name, _ in m))


@lru_cache(maxsize=1)
def _garments() -> frozenset[Phrase]:
    """("red", "dress") and the like."""
    known, colors = _free_lexicon().items(), _colors()
    return frozenset(p for p, m in known if len(p) == 2 and p[0] in colors and m and m[0][0] in GARMENT)


@lru_cache(maxsize=1)
def _colors() -> frozenset[str]:
    """Single words for colors of garments."""
    return frozenset(word for word in free_words.colors() if " " not in word and "-" not in word)


def _phrases(tokens: Phrase, words_of: Callable[[], Lexicon]) -> Iterator[tuple[Phrase, Meaning | None]]:
    """The words cut into the longest phrases that are known, with their meanings, and single words (None)."""
    known, longest, at = words_of(), _longest(words_of), 0
    while at < len(tokens):
        lengths = range(min(longest, len(tokens) - at), 0, -1)
        length = next((n for n in lengths if tokens[at : at + n] in known), 1)
        phrase = tokens[at : at + length]
        yield phrase, known.get(phrase)
        at += length


@cache
def _longest(words_of: Callable[[], Lexicon]) -> int:
    """Words of its longest phrase."""
    return max(map(len, words_of()))


def tokens_of(text: str) -> tuple[str, ...]:
    """Lower-case words in American spelling and marks of punctuation; a hyphen divides words."""
    text = _WITH.sub(lambda found: "without " if found[1] else "with ", text.lower().replace("’", "'"))
    return tuple(SPELLING.get(t) or t for t in _TOKEN.findall(text.replace("-", " ")))


def _attack_with(weapon: str | None) -> dict[str, str]:
    """ "attacking with a mace" says how, since each weapon is made for one attack."""
    ways = (*words.ATTACKS.items(), *words.ATTACKS_TOO.items())
    return next(({"action": action} for action, weapons in ways if weapon in weapons), {})


@lru_cache(maxsize=1)
def lexicon() -> Lexicon:
    """Phrase, as tokens -> what it says. ValueError where a phrase would say two different things."""
    found: Lexicon = {}
    for phrase, meaning in chain(people(), hair(), things(), deeds()):
        key = tokens_of(phrase)
        if found.setdefault(key, meaning) != meaning:
            raise ValueError(f"{phrase!r} says both {found[key]} and {meaning}")
    return found


@lru_cache(maxsize=1)
def _free_lexicon() -> Lexicon:
    """The captions' words, those of the first captions, and those that no caption has; the first meaning counts."""
    found = dict(lexicon())
    for phrase, meaning in chain(_first_captions(), _free_hair(), free_words.meanings(), free_words.nearest()):
        found.setdefault(tokens_of(phrase), meaning)
    return found


@lru_cache(maxsize=1)
def _stand_ins() -> Lexicon:
    """The phrases for what the world has not, with what comes nearest."""
    known = _free_lexicon()
    found = ((tokens_of(phrase), meaning) for phrase, meaning in free_words.nearest())
    own = {tokens_of(phrase) for phrase, _ in chain(_first_captions(), _free_hair(), free_words.meanings())}
    return {p: m for p, m in found if known[p] == m and p not in own and p not in lexicon()}


@cache
def _stand_in_colors() -> dict[tuple[str, ...], str]:
    """The color of each garment of `_stand_ins` that does not come in it."""
    found: dict[tuple[str, ...], str] = {}
    for phrase, _, color in chain(free_words.outfits(), free_words.in_other_colors()):
        found.setdefault(tokens_of(phrase), color)
    return {phrase: color for phrase, color in found.items() if phrase in _stand_ins()}


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
        "unseen": free_words.UNSEEN,
        "helmets": {CLOSED_HELMET: OPEN_HELMET},
        "attacks": {weapon: action for action, weapons in reversed(ways) for weapon in weapons},
        "covered": COVERED,
        "clad_in": free_words.CLAD_IN,
        "after_clothes": free_words.AFTER_CLOTHES,
        "whiskers": free_words.WHISKERS,
        "sideways": SIDEWAYS,
        "front": FRONT,
        "throwing": sorted(THROWING),
        "fists": free_words.FISTS,
        "gilded": GILDED,
        "ordinary": free_words.ORDINARY,
        "verbs": sorted(VERBS),
        "unarmed": UNARMED,
        "carried": CARRIED,
        "staves": free_words.STAVES,
        "holding": free_words.HOLDING,
        "denying": free_words.DENYING,
        "between": free_words.BETWEEN,
        "naked": NAKED,
        "plain": free_words.PLAIN,
        "colors": sorted(_colors()),
        "adjectives": free_words.ADJECTIVES,
        "nouns": sorted(_nouns()),
        "garments": sorted(" ".join(phrase) for phrase in _garments()),
        "stand_ins": sorted(" ".join(phrase) for phrase in _stand_ins()),
    }


def _free_hair() -> Iterator[tuple[str, Meaning]]:
    """ "azure locks", "hair as black", "mint-haired", "white hair in a bun"."""
    for color in words.EYES:
        yield from ((f"{word} {end}", (("eyes", color),)) for word in free_words.HAIR_COLORS.get(color, ())
                    for end in ("eyes", "eyed"))  # fmt: skip
    more = {word: (("hair_color", value),) for value, names in free_words.HAIR_COLORS.items() for word in names}
    for color, meaning in ({**more, **hair_colors()}).items():
        if color:
            yield from ((f"{color} {noun}", meaning) for noun in ("hair", "haired", "hairs", *free_words.HAIR_NOUNS))
            yield from ((f"hair {be} {color}", meaning) for be in ("", *free_words.HAIR_IS))
        for style in words.HAIR_STYLE:
            names = free_words.HAIR_STYLES.get(style, ())
            patterns = [name if "{c}" in name else f"{{c}} {name}" for name in names]
            patterns += [name.removeprefix("a ") for name in words.HAIR_STYLE[style].all if "{c}" in name]
            yield from ((" ".join(p.format(c=color).split()), (("hair_style", style), *meaning)) for p in patterns)


@lru_cache(maxsize=1)
def _roles() -> frozenset[str]:
    """The last words of callings: a wizard is a man unless more is said."""
    return frozenset(tokens_of(noun)[-1] for kinds in words.ROLES.values() for kind in kinds for noun in kind.all)


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    return frozenset(chain(SPELLING, chain.from_iterable(_all_phrases())))


@lru_cache(maxsize=1)
def _callings() -> Lexicon:
    return {tokens_of(name): meaning for name, meaning in free_words.appearances()}


def _first_captions() -> Iterator[tuple[str, Meaning]]:
    """Other words for labels that `sprites_language` has, and hair as it says it: "gray long hair in a knot"."""
    for group, labels in GARMENT.items():
        for label in labels:
            first, _, last = label.rpartition(" ")
            parts = (sprites_language.WORDS.get(part, (part,)) for part in (first, last) if part)
            spoken = (*sprites_language.WORDS.get(label, ()), *map(" ".join, product(*parts)))
            yield from ((phrase, ((group, label),)) for phrase in spoken)
    for color, meaning in hair_colors().items():
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
