"""Clothes of which a prompt says nothing, in another color than what it says and they would not be told from."""

from __future__ import annotations

from collections.abc import Mapping

from storyreel.worlds.sprites_extras import apron_in
from storyreel.worlds.sprites_reader import read_freely, tokens_of

SKIRT = "brown skirt"
BESIDE = {  # a color of an apron or a skirt -> a shirt like it -> the shirt that is worn in its place
    "brown": {"brown shirt": "white shirt", "maroon shirt": "white shirt"},
    "white": {"white shirt": "teal shirt"},
}
UNDEAD, DRAB = {"zombie", "zombies", "ghoul", "ghouls", "draugr", "revenant"}, "teal pants"
SMITHS, LEATHER = {"smith", "smiths", "blacksmith", "blacksmiths"}, "leather armor"
BARE = "bare feet"
SHIRTS = {"shirt", "blouse", "tunic", "top", "sweater"}  # words that say one


def dressed_apart(prompt: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """The shirt and the skirt of who wears an apron or a skirt, where others are better than what the attributes have:
    a woman in an apron wears a skirt below it, and who is dead no bright pants."""
    color, found, tokens, named = apron_in(prompt), {}, {*tokens_of(prompt)}, read_freely(prompt)
    torso, legs = attributes.get("torso", ""), attributes.get("legs", "")
    if color and attributes.get("sex") == "female" and torso.endswith(" shirt") and "legs" not in named:
        found["legs"] = legs = SKIRT
    bare = prompt.lower().replace("leather apron", "apron")
    if color == "brown" and torso == LEATHER and read_freely(bare).get("torso") != LEATHER:
        found["torso"] = torso = "white shirt"  # below the apron of one
    if SMITHS & tokens and legs == SKIRT and "legs" not in named:
        found["legs"] = legs = DRAB
    if SMITHS & tokens and attributes.get("feet", BARE) == BARE:
        found["feet"] = named.get("feet", "black shoes")
    if "legs" in named and "torso" not in named and torso.endswith((" robe", " dress")):  # below which none are seen
        found |= {"torso": "maroon shirt", "legs": named["legs"]}
        torso, legs = found["torso"], found["legs"]
    bald = named.get("hair_style") == "bald" and "head" not in named
    if bald and attributes.get("head") == "red bandana":
        found["head"] = "bare head"
    if attributes.get("facing") == "up" and "hair_style" not in named and attributes.get("hair_style") == "long hair":
        found["hair_style"] = "ponytail"  # which leaves a back to be seen
    if UNDEAD & tokens and "legs" in attributes and "legs" not in named:
        found["legs"] = legs = DRAB
    if not SHIRTS & tokens:
        near = color or ("brown" if legs == SKIRT else "")
        shirt = BESIDE.get(near, {}).get(torso, "")
        found |= {"torso": shirt} if shirt else {}
    return found
