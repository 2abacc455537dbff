"""Garments of the sprites world in colors that no sheet has: a yellow dress is drawn as a green one, and dyed.

What is drawn instead is of a hue that no skin, metal or leather has, so that its pixels are found; not where hair, skin
or another garment has the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from storyreel.worlds.garment_dye import Dye
from storyreel.worlds.sprites_reader import other_colors


class Drawn(NamedTuple):
    """The color in which a garment that is to be dyed is drawn, and where its pixels lie (`Dye`)."""

    color: str
    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]


DRAWN = {  # by kind
    "shirt": Drawn("teal", (174, 206), (0.55, 1.0), (0.3, 0.9)),
    "tunic": Drawn("teal", (174, 206), (0.55, 1.0), (0.3, 0.9)),
    "dress": Drawn("green", (138, 172), (0.6, 1.0), (0.15, 0.44)),
    "robe": Drawn("green", (84, 106), (0.6, 1.0), (0.04, 0.32)),
    "pants": Drawn("teal", (148, 198), (0.19, 0.54), (0.2, 0.62)),
}
ALIKE = {"teal": {"teal", "blue"}, "green": {"green", "orc"}}  # words of values with pixels like those
APART = ("torso", "legs")  # whose teals differ
RAMPS = {
    "black": "060608 17171c 2b2b33 44444e",
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
    "purple": "200e3c 502b87 7d50b9 ad88dd",
    "lavender": "3b3157 7e71a9 aa9dd1 d4cbef",
    "blue": "0b1739 20408d 3667c3 709ce5",
    "teal": "0c3c45 1b98a9 28b2c5 40d6e6",
    "green": "0c2e14 176128 2c903e 60c05e",
}


def dyed(prompt: str, attributes: Mapping[str, str]) -> tuple[dict[str, str], list[Dye]]:
    """The attributes with the garments that are drawn to be dyed, and how; of these the same comes again."""
    found, dyes = dict(attributes), []
    for name, color in other_colors(prompt).items():
        kind = found.get(name, "").rpartition(" ")[2]
        drawn, ramp = DRAWN.get(kind), RAMPS.get(color)
        if drawn is None or ramp is None or _alike(name, drawn.color, found):
            continue
        found[name] = f"{drawn.color} {kind}"
        colors = tuple((c >> 16, c >> 8 & 255, c & 255) for c in (int(each, 16) for each in ramp.split()))
        dyes.append(Dye(name, color, found[name], drawn.hue, drawn.saturation, drawn.value, colors))
    return found, dyes


def _alike(attribute: str, color: str, attributes: Mapping[str, str]) -> bool:
    """Whether something else of the character has this color."""
    others = (v for n, v in attributes.items() if n != attribute and not (color == "teal" and n in APART))
    return any(ALIKE[color] & set(value.split()) for value in others)
