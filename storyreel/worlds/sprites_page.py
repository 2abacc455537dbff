"""What a page in a browser needs to read a prompt about the sprites world, dress who it is about, and restate it.

It is data alone, as JSON: the thesaurus of `sprites_reader`, characters of whom `sprites_completion` picks one, and
the commonest phrase for each value, of which captions are made. `web/page/prompts.js` has the same rules in JavaScript.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from storyreel.worlds import sprites_completion as completion
from storyreel.worlds import sprites_drawable as drawable
from storyreel.worlds import sprites_reader, sprites_wardrobe
from storyreel.worlds import sprites_words as words
from storyreel.worlds.sprites import draw_character
from storyreel.worlds.sprites_captions import BARE
from storyreel.worlds.sprites_wardrobe import with_article

CHARACTERS = 1500  # of which a page tries 300 at a time, as `sprites_completion` does
EXAMPLES = (
    "an orc in plate armor walking, facing left",
    "a woman with purple hair casting a spell",
    "a skeleton with a bow shooting to the right",
    "a drow princess with white hair in a red dress, walking away",
    "a knight with a golden helmet attacking with a mace",
    "a pirate with a bandana falling down",
)


def prompts() -> dict[str, Any]:
    """`thesaurus`, `completion`, `drawable`, `caption` and `examples`; the same each time."""
    return {
        "thesaurus": sprites_reader.thesaurus(),
        "completion": _completion(),
        "drawable": drawable.as_json(),
        "caption": _caption(),
        "examples": list(EXAMPLES),
    }


def _completion() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    people = [draw_character(rng).attributes for _ in range(CHARACTERS)]
    names = list(people[0])
    values = {name: list(dict.fromkeys(one[name] for one in people)) for name in names}
    return {
        "draws": completion.DRAWS,
        "weights": completion.WEIGHT,
        "clothes": completion.CLOTHES,
        "unusual": completion.UNUSUAL,
        "gilded": completion.GILDED,
        "plain": completion.PLAIN,
        "only_with": completion.ONLY_WITH,
        "armor": completion.ARMOR,
        "gowns": completion.GOWNS,
        "helmets": completion.HELMETS,
        "monsters": completion.MONSTERS,
        "hides": completion.HIDES,
        "shoes": completion.SHOES,
        "bones": completion.BONES,
        "covered": completion.COVERED,
        "hairless": completion.HAIRLESS,
        "hair_color": completion.HAIR,
        "hair_style": completion.HAIR_STYLES,
        "values": values,
        "characters": [[values[name].index(one[name]) for name in names] for one in people],
    }


def _caption() -> dict[str, Any]:
    """Attribute -> value -> its commonest phrase, with an article where it needs one."""
    worn = {
        group: {label: with_article(phrases.known[0]) for label, phrases in labels.items()}
        for group, labels in sprites_wardrobe.GARMENT.items()
    }
    verbs = {}
    for action in words.ACTION:
        verbs[action] = {"alone": _ing(words.ACTION[action].known[0])}
        if action in words.ARMED:
            verbs[action]["armed"] = _ing(words.ARMED[action].known[0])
    return {
        "sex": {sex: phrases.known[0] for sex, phrases in words.SEX.items()},
        "skin": {skin: phrases.known[0] for skin, phrases in words.SKIN.items()},
        "people": {body: phrases.known[0] for body, phrases in words.PEOPLE.items()},
        "elven": words.ELVEN.known[0],
        "hair_color": {color: phrases.known[0] for color, phrases in words.HAIR_COLOR.items()},
        "hair_style": {style: phrases.known[0] for style, phrases in words.HAIR_STYLE.items()},
        "facial_hair": {kind: with_article(phrases.known[0]) for kind, phrases in words.FACIAL_HAIR.items()},
        "bare": BARE,
        "worn": worn,
        "weapon": {name: with_article(phrases.known[0]) for name, phrases in words.WEAPON.items()},
        "action": verbs,
        "facing": {value: kinds["stance"].known[0] for value, kinds in words.FACING.items()},
    }


def _ing(base: str) -> str:
    verb, _, rest = base.partition(" ")
    return f"{words.VERBS[verb][0]} {rest}".strip()
