"""Dresses a character of whom a prompt says little: what it leaves open is that of a random character it fits.

A model that is told half of a character paints the mean of all others in the rest: gray clothes, hair in two colors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

DRAWS = 300  # characters of which the one that fits best is taken
CLOTHES = ("torso", "legs", "feet")
# How much it counts that what is said is so: first what decides which other parts can be seen.
WEIGHT = {"torso": 40.0, "body": 20.0, "sex": 20.0, "head": 15.0, "action": 10.0, "legs": 8.0}
GILDED = ("golden armor", "golden greaves", "golden boots")
UNUSUAL = (*GILDED, "bare chest", "bare feet", "formal suit", None)
MONSTERS = ("orc", "red orc")  # who are men unless somebody says so
ARMOR, GOWNS = ("plate armor", "golden armor", "chain mail", "tabard"), ("dress", "robe")
ONLY_WITH = {  # what the names of the torsos end with that these are worn with, unless somebody says so
    "metal greaves": ARMOR, "metal boots": ARMOR, "white slippers": GOWNS, "gray slippers": GOWNS,
}  # fmt: skip
BONES = {"feet": "bare feet"}  # what a skeleton wears unless clothes are said
SHOES = "brown shoes"
HIDES = {"robe": ("legs", "feet"), "dress": ("legs",)}  # by the last word of the torso
PLAIN = {"torso": "white shirt", "legs": "teal pants", "feet": "brown shoes"}  # where nothing but such came up
COVERED = (  # heads whose hair no caption mentions
    "metal helmet", "golden helmet", "chain hood", "cloth hood", "kettle hat", "leather cap",
)  # fmt: skip
HELMETS = COVERED[:3] + COVERED[4:5]  # worn with armor
HAIR = {"brown": 4, "black": 3, "blonde": 2, "red": 1}  # and how likely; the first is the likeliest
HAIR_STYLES = {
    "male": ("plain hair", "messy hair", "parted hair", "hair with bangs"),
    "female": ("long hair", "ponytail", "hair with bangs", "shoulder-length hair"),
}
HAIRLESS = ("skeleton", "orc", "red orc")


def completed(
    named: Mapping[str, str],
    rng: np.random.Generator,
    draw: Callable[[np.random.Generator], Mapping[str, str | None]],
    likeliest: bool = False,
) -> dict[str, str]:
    """Attribute -> value of what these leave open and is seen. draw: the attributes of a random character.

    Heads stay bare, and nobody gets a cape or a belt that was not asked for. likeliest: of hair, not one at random.
    """
    bones = named.get("body") == "skeleton"  # may go without clothes, and has neither sex nor hair

    def odd_for(seen: Mapping[str, str | None]) -> tuple[str | None, ...]:
        """What is not worn with this torso unless somebody says so."""
        torso = named.get("torso", seen.get("torso")) or ""
        unfit = [value for value, torsos in ONLY_WITH.items() if not torso.endswith(torsos)]
        if (torso.endswith(ARMOR) and named.get("head") not in HELMETS) or (
            torso.endswith(GOWNS) and "sex" not in named
        ):
            unfit.append(torso)
        return (*(GILDED if bones else UNUSUAL), *unfit)

    def fit(seen: Mapping[str, str | None]) -> float:
        right = sum(WEIGHT.get(name, 5.0) for name, value in named.items() if seen.get(name) == value)
        odd_values = odd_for(seen)
        odd = sum(seen.get(name) in odd_values for name in CLOTHES if name not in named)
        men = "sex" not in named and (named.get("body") in MONSTERS or "facial_hair" in named)
        wild = men and seen.get("sex") != "male"
        return right - 4.0 * odd - 10.0 * wild - 2.0 * (seen.get("cape") is not None)

    best = max((draw(rng) for _ in range(DRAWS)), key=fit)
    names = CLOTHES if bones else ("sex", *CLOTHES)
    found = {name: value for name in names if name not in named and (value := best.get(name))}
    found |= {name: PLAIN[name] for name in PLAIN if name in found and found[name] in odd_for(best)}
    if bones and not set(CLOTHES) & set(named):  # else nothing of the bones is seen
        found = dict(BONES)
    if "legs" in named and "legs" in HIDES.get(found.get("torso", "").rpartition(" ")[2], ()):
        found["torso"] = PLAIN["torso"]  # a skirt that is named is seen
    hidden = HIDES.get(named.get("torso", found.get("torso", "")).rpartition(" ")[2], ())
    found = {name: value for name, value in found.items() if name not in hidden}
    if "feet" in hidden and "feet" not in named and named.get("sex", found.get("sex")) == "male":
        found["feet"] = SHOES  # robes are drawn for women alone: of a man in one, models show the feet
    if named.get("body") in HAIRLESS:
        found |= {} if "head" in named else {"head": "bare head"}
        if named.get("head", "bare head") == "bare head" and not {"hair_color", "hair_style"} & set(named):
            found["hair_style"] = "bald"  # else they get hair of every color
    elif named.get("head") not in COVERED and named.get("hair_style") != "bald":
        styles = HAIR_STYLES.get(named.get("sex", found.get("sex", "")), HAIR_STYLES["male"])
        shares = np.array([*HAIR.values()]) / sum(HAIR.values())
        color = next(iter(HAIR)) if likeliest else str(rng.choice([*HAIR], p=shares))
        style = styles[0] if likeliest else str(rng.choice(styles))
        hair = {"hair_color": color, "hair_style": style}
        found |= {name: value for name, value in hair.items() if name not in named}
    return found
