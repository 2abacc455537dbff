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
UNUSUAL = ("bare chest", "bare feet", "formal suit", "golden armor", "golden greaves", "golden boots", None)
COVERED = ("metal helmet", "golden helmet", "chain hood", "cloth hood")  # heads without hair to see
HAIR = ("black", "brown", "blonde", "red")
HAIR_STYLES = ("plain hair", "long hair", "messy hair", "parted hair", "ponytail", "hair with bangs")
HAIRLESS = ("skeleton", "orc", "red orc")


def completed(
    said: Mapping[str, str],
    rng: np.random.Generator,
    draw: Callable[[np.random.Generator], Mapping[str, str | None]],
) -> dict[str, str]:
    """Attribute -> value of what these leave open and is seen. draw: the attributes of a random character.

    Heads stay bare, and nobody gets a cape or a belt that was not asked for.
    """
    bones = said.get("body") == "skeleton"  # may go without clothes, and has neither sex nor hair

    def fit(seen: Mapping[str, str | None]) -> float:
        right = sum(WEIGHT.get(name, 5.0) for name, value in said.items() if seen.get(name) == value)
        odd = sum(seen.get(name) in UNUSUAL for name in CLOTHES if name not in said and not bones)
        return right - 4.0 * odd - 2.0 * (seen.get("cape") is not None)

    best = max((draw(rng) for _ in range(DRAWS)), key=fit)
    names = CLOTHES if bones else ("sex", *CLOTHES)
    found = {name: value for name in names if name not in said and (value := best.get(name))}
    if said.get("body") not in HAIRLESS and said.get("head") not in COVERED and said.get("hair_style") != "bald":
        hair = {"hair_color": str(rng.choice(HAIR)), "hair_style": str(rng.choice(HAIR_STYLES))}
        found |= {name: value for name, value in hair.items() if name not in said}
    return found
