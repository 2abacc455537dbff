"""What the world `sprites` shows, as a declaration: attributes, their values, and the words that say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain

from storyreel.worlds import Attribute, Value
from storyreel.worlds import sprites_free_words as free_words
from storyreel.worlds import sprites_words as words
from storyreel.worlds.sprites_lexicon import deeds, people
from storyreel.worlds.sprites_parts import FACIAL_HAIR, HAIR_COLORS
from storyreel.worlds.sprites_wardrobe import GARMENT
from storyreel.worlds.sprites_words import Phrases

OPEN = {  # attribute -> value -> (weight, phrase) where a prompt leaves it open
    "action": {
        "walk": (7, "walking"),
        "slash": (0, "slashing"),
        "thrust": (0, "thrusting"),
        "spellcast": (1, "casting a spell"),
        "shoot": (0, "shooting an arrow"),
        "hurt": (0, "falling down"),
    },
    "facing": {
        "down": (8, "facing the viewer"),
        "left": (1, "facing left"),
        "right": (1, "facing right"),
        "up": (0.5, "facing away"),
    },
    "hair_color": {color: (0, f"{color} hair") for color in HAIR_COLORS},
    "body": {"light": (1, "with light skin"), "tanned": (1, "with tanned skin"), "dark": (1, "with dark skin")},
}
TOWARDS = ("at me", "at us", "at you", "at the viewer", "at the camera", "toward the camera", "toward me")
ROLES = {"slash": "swordsman", "shoot": "archer", "spellcast": "mage"}
JUDGED = ("sex", "body", "hair_color", "torso", "legs", "feet", "head", "action", "facing")


def _spoken() -> dict[str, dict[str, list[str]]]:
    """Attribute -> value -> the phrases that say it, of people, actions and directions."""
    found: dict[str, dict[str, list[str]]] = {}
    for phrase, meaning in chain(people(), deeds()):
        for name, value in meaning:
            found.setdefault(name, {}).setdefault(value, []).append(phrase)
    return found


def _implied(action: str) -> tuple[str, ...]:
    weapons = chain.from_iterable(words.WEAPON[name].all for name in words.ATTACKS.get(action, ()))
    roles = chain.from_iterable(kind.all for kind in words.ROLES[ROLES[action]]) if action in ROLES else ()
    return (*weapons, *roles)


def _known(phrases: Iterable[str] | Phrases) -> Iterable[str]:
    return phrases.known if isinstance(phrases, Phrases) else phrases


def _values(name: str, spoken: Mapping[str, Iterable[str] | Phrases]) -> dict[str, Value]:
    drawn = OPEN.get(name, {})
    made = {}
    for value, phrases in spoken.items():
        weight, phrase = drawn.get(value, (0, ""))
        plain = (" ".join(p.format(c="").split()).removeprefix("a ") for p in _known(phrases))
        implied = _implied(value) if name == "action" else ()
        made[value] = Value(words=tuple(dict.fromkeys(plain)), weight=weight, phrase=phrase, implied_by=implied,
                            near=free_words.NEAR.get((name, value), ()))  # fmt: skip
    return made


def _attributes() -> dict[str, Attribute]:
    spoken = _spoken()
    facial = {
        f"{c} {kind}": (f"{c} {kind}",) for c in HAIR_COLORS for kind in FACIAL_HAIR.values() if kind != "stubble"
    }
    readable: dict[str, Mapping[str, Iterable[str] | Phrases]] = {
        **{name: spoken[name] for name in ("sex", "body", "action", "ears")},
        "facing": {v: (*_known(p), *(TOWARDS if v == "down" else ())) for v, p in spoken["facing"].items()},
        "hair_color": words.HAIR_COLOR,
        "hair_style": words.HAIR_STYLE,
        "facial_hair": facial,
        "weapon": words.WEAPON,
        "eyes": {color: (f"{color} eyes", f"{color}-eyed") for color in words.EYES},
        **GARMENT,
    }
    names = (*JUDGED, *(name for name in readable if name not in JUDGED))
    fixed = {"facing": ("hurt",)}  # who falls does so towards the viewer
    return {
        name: Attribute(values=_values(name, readable[name]), judged=name in JUDGED, fixed_by=fixed.get(name, ()))
        for name in names
    }


ATTRIBUTES = _attributes()
