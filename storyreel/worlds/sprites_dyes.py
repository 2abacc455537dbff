"""Garments of the sprites world in colors that no sheet has: a yellow dress is drawn as a green one, and dyed.

Shirts, dresses, robes and pants are drawn in a color that no skin, metal or leather has, so that their pixels are
found; not where hair, skin or another garment has the same. Hoods, caps, skirts, bandanas, plate armor and the skin of
orcs come in one color, and just its drawn colors are dyed; of armor, all of its metal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from storyreel.worlds.garment_dye import Dye, rgb
from storyreel.worlds.sprites_free_words import color_words
from storyreel.worlds.sprites_reader import implied, other_colors, read_freely, tokens_of


class Drawn(NamedTuple):
    """What is drawn of a kind of garment that is to be dyed, and its pixels (`Dye.colors`, `near`, `hues`)."""

    label: str
    colors: str
    near: float
    hues: tuple[float, float] | None = None


LEATHER = "leather armor"
_TEAL, _BROWN = "01405b 0c6875 1c97a9 28b2c6 40d5e4", "3e2613 62351c 744b30 996b4a"
DROW = Drawn("dark elf", "6b6e7e 787c8f 9ca0b3 aeb3ca c9d0ee", 9)
DRAWN = {
    "shirt": Drawn("teal shirt", _TEAL, 45, (170, 205)),
    "tunic": Drawn("teal tunic", _TEAL, 45, (170, 205)),
    "dress": Drawn("green dress", "013023 0a4200 489031 0f5b2d 016b47", 35, (95, 175)),
    "blue dress": Drawn("blue dress", "81b7b1 a4cbc7 bdd7d4 d8eae8", 14),
    "robe": Drawn("green robe", "070d02 111d06 1f370b 2b4b0f", 12, (70, 150)),
    "pants": Drawn("teal pants", "2e403a 315b49 557e85 79979d", 16, (55, 205)),
    "skirt": Drawn("brown skirt", _BROWN, 7),
    "hood": Drawn("cloth hood", _BROWN, 7),
    "cap": Drawn("leather cap", _BROWN, 7),
    "bandana": Drawn("red bandana", "721306 8e1808 af100e", 8),
    **dict.fromkeys(("shoes", "boots", "slippers"), Drawn("brown shoes", "411e05 723e2a 865e40 926c42", 16)),
    "light": Drawn("light", "622219 9e3e37 d28560 eaa377 fdd5b7", 14),
    LEATHER: Drawn(LEATHER, "4b2b13 75502d 9a6f37 aa8550", 14),
    "wings": Drawn("wings", "240c38 3d155f 6c25a7", 14),
    "orc": Drawn("orc", "041506 09320b 19541d 228236 39aa4e 53bf71", 12, (100, 155)),
    "red orc": Drawn("red orc", "0f1c06 283510 355f21 568b33 77a552", 12, (80, 130)),
    "dark elf": DROW,
    "armor": Drawn("plate armor", "2e2533 3d3748 4d4a5d 5e5252 726b7e 867e7f b19998", 10),
}
IN_OTHERS = ("shirt", "tunic", "dress", "robe", "pants", "skirt", "shoes", "boots", "slippers")
"""Kinds that may stand in another color."""
PALE = "blue dress"  # which is drawn as pale as ice
LIGHT = {"light", "pale", "ice", "icy", "sky", "baby"}  # words for such a blue
SUIT = "formal suit"  # which has black pants, unless others are said
SUITS = {"suit", "tuxedo", "tux"}  # words for one; of another color, pants are as the jacket
ALIKE = {"teal": {"teal", "blue"}, "green": {"green", "orc"}}  # words of values with pixels like those
_WITH_ROBE = re.compile(r"\b(\w+) (?:hood|cowl|hat|cape|cloak) and (?:robes?|habit)\b")
VAMPIRES = r"vampir\w+|nosferatu|dracula"
_PALE = re.compile(rf"\b(?:{VAMPIRES}|pale|ghostly|deathly|undead)\b")
DARK = ("black", "gray", "brown", "maroon")  # leathers that pants go with
_LEATHER = re.compile(r"\b(\w+) leather(?:s| armou?r| vest| jerkin| outfit)?\b")
_PURPLE = re.compile(r"\b(?:purple|violet)\W+(?:\w+\W+)?(?:shirt|tunic|blouse|top|vest)\b")
_KNIGHT = re.compile(r"\b(\w+) knights?\b")
BESIDE_CAPES = {
    "red": "purple", "black": "dark gray", "purple": "black", "blue": "white", "white": "blue", "green": "brown",
}  # fmt: skip
"""A color of a cape -> of what is worn beneath, where that is not said."""
TOPS = {"feet": 55, LEATHER: 34}  # the row from which on something is, unless somebody lies
GREENISH = {"green", "teal", "blue", "orc"}
HEAD = 37  # the row below which no short hair is
APART = ("torso", "legs")  # whose teals differ
RAMPS = {
    "black": "060608 17171c 2b2b33 44444e",
    "dark gray": "141417 2a2a31 44444d 62626d",
    "gray": "202024 55555b 86868c b4b4ba",
    "silver": "2c2e34 6b6f78 a3a8b2 dadde3",
    "white": "5a5b63 a9aab0 dcdde1 fbfbfb",
    "brown": "27130a 593318 89592c b88a54",
    "maroon": "2a0508 5c0f17 8c1f29 b5434a",
    "red": "3c0707 8b1414 c42424 e8624c",
    "orange": "4b1d05 a54a0d de7b1e f8ae55",
    "yellow": "4f3607 ab7d14 e2bb2c f8e56e",
    "golden": "4a2f04 a06e0e d9a520 f6d763",
    "peach": "6c3c2a ca8764 f2b995 fcddc6",
    "pink": "4c1632 b14a7a e685af f9bed6",
    "magenta": "3d0b3b 8d2081 c747b5 ea8ed9",
    "purple": "1c0b37 432277 6b3faa 9a72d2",
    "lavender": "3b3157 7e71a9 aa9dd1 d4cbef",
    "blue": "0b1739 20408d 3667c3 709ce5",
    "teal": "0c3c45 1b98a9 28b2c5 40d6e6",
    "green": "0c2e14 176128 2c903e 60c05e",
    "pale": "4a3444 8a6a78 c4b4c0 f2eef2",
    "rotten": "1d2420 46523f 78866a a3ad8e",
    "drow": "2f2a45 4b466b 6d6798 958ebb",
    "fur": "1f1610 4a382a 7a6048 a98c6b",
}
LIKE_CLOTH = ("brown",)  # hair whose new color cloth has that is still to be dyed
COPPER = "4a1a08 8a3410 b8521c e08a4a"  # in which hair is that is called red
_GLARING = r"(?:crimson|scarlet|ruby|blood|bright|fiery|flame|flaming|fire|cherry|vermilion|neon|clown|harlequin)"
_STYLED = r"(?:long|short|curly|wavy|messy|spiky|braided|plaited|loose|flowing|plain|wild|bushy|big|and|bearded)"
_LOCKS = (
    r"(?:hair\w*|head\w*|locks|tresses|mane|beard\w*|braids?|plaits?|pony\W?tails?|pigtails|bun|mohawk|curls|bangs)"
)
_BRIGHT = re.compile(
    rf"\b{_GLARING}\W+(?:red\W+)?(?:{_STYLED}\W+){{0,2}}{_LOCKS}\b"
    r"|\bred\W+mohawk\b"
    rf"|\b{_LOCKS} (?:is|as|of|dyed|like|the color of)\W+(?:\w+\W+){{0,2}}?{_GLARING}\b|\b(?:clown|harlequin)s?\b"
)
HAIR = {  # of which one sheet of several has quite another shade, and models mix them
    "white": Dye("hair_color", "white", "white", rgb("6fa6e8 98c2f0 bcddf5 e6f9fc"), 16, rgb(RAMPS["white"])),
    "blonde": Dye("hair_color", "blonde", "blonde", rgb("9b9200 c3b808 f3e62e f2ff63 f5ff89 f8ffaf"), 18,
                  rgb("8a5c26 b17d34 cf9d48 e4bd6a eccb80")),
    "red": Dye("hair_color", "copper", "red",
               rgb("300000 300a17 6a0000 771127 9c0000 af1c36 cc0000 fa0000 fa1919 da5163 f57b78 e12943"), 1,
               rgb(COPPER)),
    "brown": Dye("hair_color", "brown", "brown", rgb("340604 5c1503 5f1f04 722703 934002 b45a0a d47a20"), 15,
                 rgb("24130b 43281a 5f3a20 7d5230 9c6d42")),  # which is as good as red
}  # fmt: skip


def dyed(prompt: str, attributes: Mapping[str, str]) -> tuple[dict[str, str], list[Dye]]:
    """The attributes with the garments that are drawn to be dyed, and how; of these the same comes again."""
    found = dict(attributes)
    hair = found.get("hair_color", "")
    apart = hair != "red" or (is_copper(prompt) and not _reds_beside(found))
    if found.get("torso") == "purple tabard" and _PURPLE.search(prompt.lower()):
        found["torso"] = "teal shirt"
    dyes: list[Dye] = []
    cape = read_freely(prompt).get("cape", "")  # which is drawn
    for name, (kind, color) in _colors(prompt, found).items():
        here = found.get(name, "")
        worn = here.rpartition(" ")[2]
        drawn = DRAWN.get(worn if kind in IN_OTHERS and kind != "skirt" else kind)
        fits = worn in IN_OTHERS if kind in IN_OTHERS else drawn is not None and here == drawn.label
        if drawn is None or color not in RAMPS or not fits:
            continue
        if _alike(name, drawn.label.partition(" ")[0], {n: v for n, v in found.items() if n != "hair_color"}):
            continue
        below = HEAD if _alike(name, drawn.label.partition(" ")[0], found) else 0  # the hair is like it
        found[name] = drawn.label
        rest = {n: v for n, v in found.items() if n != name and n not in {dye.attribute for dye in dyes}}
        hues = None if _has_green(rest | {"cape": cape}) else drawn.hues
        top = 0 if found.get("action") == "hurt" else TOPS.get(drawn.label, TOPS.get(name, below))
        dyes.append(Dye(name, color, drawn.label, rgb(drawn.colors), drawn.near, rgb(RAMPS[color]), hues, top))
    if hair in HAIR and apart:
        dyes.insert(len(dyes) if hair in LIKE_CLOTH else 0, HAIR[hair])
    return found, dyes


def _colors(prompt: str, attributes: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Attribute -> what it is a kind of, of `DRAWN`, and the color that the prompt says of it or that goes with it."""
    named, tokens, text = read_freely(prompt), {*tokens_of(prompt)}, prompt.lower()
    seen, colors = {**implied(prompt, named), **named}, other_colors(prompt)
    torso, falls = attributes.get("torso", ""), attributes.get("action") == "hurt"
    if attributes.get("body") == "light" and _PALE.search(text):
        colors["body"] = ("light", "pale")
    if attributes.get("body") == DROW.label:  # who are as pale as the moon in the sheets
        colors["body"] = (DROW.label, "drow")
    if torso == "teal shirt" and _PURPLE.search(text):
        colors.setdefault("torso", ("shirt", "purple"))
    if torso == SUIT and "legs" not in named:
        colors["legs"] = ("pants", "black")
    if SUITS & tokens and colors.get("torso", ("",))[0] == "tunic" and "legs" not in named:
        colors["legs"] = ("pants", colors["torso"][1])
    if torso == PALE and not LIGHT & tokens:
        colors.setdefault("torso", (PALE, "blue"))
    if named.get("feet", "").endswith(" slippers") and "slippers" not in tokens:  # white shoes
        colors.setdefault("feet", ("shoes", named["feet"].partition(" ")[0]))
    if falls:
        colors.pop("feet", None)  # which are not below then
    color, _, worn = seen.get("torso", "").partition(" ")
    if shared := _WITH_ROBE.search(text):  # a white hood and robe
        color = color_words().get(shared[1], color)
    cape = seen.get("cape", "").partition(" ")[0]
    if worn in ("robe", "dress") and "torso" not in named and cape == color in BESIDE_CAPES:
        color = BESIDE_CAPES[color]
        colors["torso"] = (worn, color)
    if shade := leather_in(prompt):
        colors.setdefault("torso", (LEATHER, shade))
        if "legs" not in named and shade in DARK:
            colors.setdefault("legs", ("pants", shade))
    if (knight := _KNIGHT.search(text)) and torso == DRAWN["armor"].label:
        colors.setdefault("torso", ("armor", {"dark": "black"}.get(knight[1]) or color_words().get(knight[1], "")))
    if worn == "robe":  # whose sheets are nearly black
        colors.setdefault("torso", (worn, color))
    if attributes.get("head") == DRAWN["hood"].label and torso.endswith((" robe", " dress")):
        color = colors["torso"][1] if "torso" in colors else torso.partition(" ")[0]
        if color != "brown" and "hood" not in tokens:  # of a cloak; a hood by itself is brown
            colors.setdefault("head", ("hood", color))
    return colors


def leather_in(prompt: str) -> str:
    """The color that the prompt says of leather; "" for none."""
    found = _LEATHER.search(prompt.lower())
    return color_words().get(found[1], "") if found else ""


def _has_green(attributes: Mapping[str, str]) -> bool:
    """Whether something of the character is green, teal or blue, so that stray pixels may be of that."""
    return any(GREENISH & set(value.split()) for value in attributes.values())


def is_copper(prompt: str) -> bool:
    """Whether red hair is that of people, and not crimson or scarlet."""
    return _BRIGHT.search(prompt.lower()) is None


def _reds_beside(attributes: Mapping[str, str]) -> bool:
    """Whether something else of the character is red."""
    others = (value for name, value in attributes.items() if name not in ("hair_color", "facial_hair"))
    return any("red" in value.split() for value in others)


def _alike(attribute: str, color: str, attributes: Mapping[str, str]) -> bool:
    """Whether something else of the character has this color."""
    others = (v for n, v in attributes.items() if n != attribute and not (color == "teal" and n in APART))
    return any(ALIKE.get(color, set()) & set(value.split()) for value in others)
