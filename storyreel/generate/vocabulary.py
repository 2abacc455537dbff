"""Whether a prompt is in a model's language: its words against the list in the model's card."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

from storyreel.wording import nearest
from storyreel.worlds import Attribute, World

LONG = 5  # letters of a word that may be another one misspelled
BOW = "bow"
AROUND = 3  # words on either side of one that may be part of a phrase
CARD_LISTS = "its card lists what it knows"  # of a model that knows no word of a prompt
MOST = 5  # unknown words that are named

_WORD = re.compile(r"[^\W_]+")
_SMALL = frozenset(
    _WORD.findall(
        "a an the and or of in on at to from with without by for as is are was be being has have his her its "
        "their he she it they this that these those who which while then there no not very my your our some "
        "someone somebody all could would can please pls plz want need like draw make show give create "
        "generate animate animation something into through over under onto up down out off near against "
        "around across but so just above below both each every should must might may you me us we i whom "
        "whose him them wear wears wearing wore worn dressed clad looks looking look seen see let lets still "
        "quite really kind sort bit maybe thanks thank hello hi also too only even either neither nor than "
        "because when where what how here if game games teh hey ok okay"
    )
)


_MOODS = frozenset(  # that no picture of 64 pixels shows, and nobody misses
    _WORD.findall(
        "sleepy tired weary drunk shy happy sad angry grumpy cheerful brave proud fierce evil good mean kind "
        "wise lonely young cute beautiful pretty handsome ugly cool epic awesome nice famous mysterious "
        "mighty powerful strong weak poor rich noble humble friendly lovely quiet calm gentle wild rugged "
        "sneaky clever silly funny crazy mad nervous scared lazy bored curious determined serious gnarled "
        "rusty torn ripped ragged tattered dirty shabby patched muddy bloody shiny drawn drawing fancy ornate "
        "dramatic cinematic detailed realistic pixel sprite retro style 2d 8 16 bit"
    )
)


def content_words(prompt: str) -> list[str]:
    """The words that carry meaning, lower-case: neither articles nor prepositions, nor alone-standing letters."""
    words = [word.lower() for word in _WORD.findall(prompt)]
    return [word for word in words if word not in _SMALL and (len(word) > 1 or word.isdecimal())]


def knows_any(prompt: str, known: Iterable[str]) -> bool:
    """Whether some content word is among the known ones, as it stands or without a plural or verb ending."""
    return _knows(prompt, _vocabulary(tuple(known)))


def _knows(prompt: str, vocabulary: Collection[str]) -> bool:
    return any(form in vocabulary for word in content_words(prompt) for form in _forms(word))


@lru_cache(maxsize=4)
def _vocabulary(entries: tuple[str, ...]) -> frozenset[str]:
    """The words of these entries; made once for the prompts of a file."""
    return frozenset(part for entry in entries for part in _WORD.findall(entry.lower()))


def unconditional_note(prompts: Iterable[str], model: str) -> str | None:
    """One line for the user who gives a prompt to a model that reads none."""
    return f"{model} is unconditional: it reads no prompt, and makes what it was trained on" if any(prompts) else None


def note_for(
    prompts: Iterable[str],
    known: Iterable[str] | None,
    model: str,
    attributes: Mapping[str, Attribute] | None = None,
    world: World | None = None,
) -> str | None:
    """One line for the user when a prompt has no word that the model knows, or some that its world does not have, each
    with the nearest that it has; None when all is well or not known. What the reader of `world` makes something of is
    known, too."""
    if not known:
        return None
    prompts, known, attributes = list(prompts), list(known), attributes or {}
    spoken = _spoken(attributes)
    vocabulary = _vocabulary((*known, *sorted(spoken)))
    for prompt in prompts:
        if prompt and not _knows(prompt, vocabulary) and not any(_understood(prompt, world)):
            return (
                f"{model} knows no word of {prompt[:60]!r}, so what comes is arbitrary; "
                f"{CARD_LISTS}: storyreel models show {model}"
            )
    if not attributes:
        return None
    lacking = {phrase: value for prompt in prompts for phrase, value in _lacking(prompt, world).items()}
    noted = {word for phrase in lacking for word in _WORD.findall(phrase)}
    noted |= {word for prompt in prompts if world and world.added for word in world.added(prompt)}
    near = {word: name for a in attributes.values() for name, value in a.values.items() for word in value.near}
    words = {
        word: None
        for prompt in prompts
        for word in content_words(prompt)
        if word not in noted
        and word not in _MOODS
        and not _forms(word) & vocabulary
        and (_forms(word) & near.keys() or not _matters(word, prompt, world))
    }
    understood = {value for prompt in prompts for value in _understood(prompt, world)[0].values()} if world else None
    hats = [hat for prompt in prompts if (hat := _hat(prompt, world))]
    worn = {word: hat for hat in hats for word in (hat, *hat.split())}
    found = lacking | {
        worn.get(word, word): "" if word in worn else _nearest(word, near, {*spoken, *known}, understood)
        for word in words
    }
    named = dict(list(found.items())[:MOST])
    dyed = {value: drawn for prompt in prompts for value, drawn in _dyed(prompt, world).items()}
    armed = {_weapon(prompt, world) for prompt in prompts}
    notes = [
        f"{phrase}: not in this model's world, and drawn onto its clips"
        if (phrase in lacking and value in armed) or phrase.split()[-1] in worn
        else f"{phrase}: not in this model's world; {dyed[value]} is, and gets dyed"
        if phrase in lacking and value in dyed
        else f"{phrase}: not in this model's world; {value} is"
        for phrase, value in named.items()
        if value or phrase in worn
    ]
    alone = [phrase for phrase, value in named.items() if not value and phrase not in worn]
    return "; ".join([*notes, *([f"{', '.join(alone)}: not in this model's world"] if alone else [])]) or None


def _spoken(attributes: Mapping[str, Attribute]) -> set[str]:
    """What says the values of attributes."""
    values = (value for attribute in attributes.values() for value in attribute.values.values())
    return {word for value in values for word in (*value.words, *value.implied_by)}


def _lacking(prompt: str, world: World | None) -> Mapping[str, str]:
    """Phrases for what a world has not -> what its reader takes in their place."""
    return world.lacking(prompt) if world and world.lacking else {}


def _dyed(prompt: str, world: World | None) -> dict[str, str]:
    """What is read of a garment in a color that no clip has -> what is drawn, and dyed."""
    if world is None or world.dyed is None:
        return {}
    named, implied = _understood(prompt, world)
    dyes = world.dyed(prompt, {**implied, **named})[1]
    return {named[dye.attribute]: dye.drawn for dye in dyes if dye.attribute in named}


def _weapon(prompt: str, world: World | None) -> str | None:
    """What is read of a weapon that gets drawn over the one that a model draws."""
    if world is None or world.armed is None:
        return None
    named, implied = _understood(prompt, world)
    over = world.armed(prompt, {**implied, **named})[1]
    return named.get("weapon") if over is not None and over.kind != BOW else None  # a crossbow is none


def _hat(prompt: str, world: World | None) -> str:
    """What the prompt says of headgear that gets drawn onto who a model draws; "" for nothing."""
    over = world.topped(prompt, {})[1] if world and world.topped else None
    return over.phrase if over else ""


def _understood(prompt: str, world: World | None) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the reader of a world makes of a prompt: attributes that it says, and those that go with them."""
    if world is None or world.read is None:
        return {}, {}
    named = world.read(prompt)
    return named, world.implied(prompt, named) if world.implied else {}


def _matters(word: str, prompt: str, world: World | None) -> bool:
    """Whether the reader makes something of this word, alone or among the words around it."""
    if any(_understood(word, world)):
        return True
    words = prompt.lower().split()
    at = next((i for i, each in enumerate(words) if word in _WORD.findall(each)), 0)
    for first in range(max(0, at - AROUND), at + 1):
        for last in range(at, min(len(words), at + AROUND + 1)):
            before, after = " ".join(words[first:at]), " ".join(words[at + 1 : last + 1])
            if _understood(f"{before} {words[at]} {after}", world) != _understood(f"{before} {after}", world):
                return True
    return False


def _nearest(word: str, near: Mapping[str, str], spoken: Iterable[str], understood: Collection[str] | None) -> str:
    """What comes nearest to a word that is not known; "" for nothing. understood: what the prompt is read as; None
    where no reader says so, and anything may be nearest."""
    closest = next((near[form] for form in sorted(_forms(word)) if form in near), "")
    if closest and understood is not None and closest not in understood:
        return ""
    if not closest and len(word) >= LONG:
        alike = sorted(each for each in spoken if each[0] == word[0] and " " not in each)
        closest = nearest(word, alike, 0.85) or ""
    return closest


def _forms(word: str) -> set[str]:
    forms = {word}
    for ending in ("s", "es", "ing", "ed", "er", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word.removesuffix(ending)
            forms |= {stem, f"{stem}e"}
    return forms
