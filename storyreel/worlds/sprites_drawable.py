"""What of a character the sheets of the sprites world can show: attributes that no clip has together are not said.

A model has seen no man in a tunic, no feet under a robe and no hair under a helmet; told so, it smears.
"""

from __future__ import annotations

from collections.abc import Mapping

from storyreel.worlds.sprites_completion import COVERED
from storyreel.worlds.sprites_parts import FEET, LEGS, TORSOS, Part

HIDDEN_BY = {  # attribute -> value -> attributes of which nothing is seen beside it
    "torso": {part.label: part.hides for part in TORSOS if part.hides},
    "legs": {part.label: part.hides for part in LEGS if part.hides},
    "head": {head: ("hair_color", "hair_style") for head in COVERED}
    | {head: ("hair_color", "hair_style", "facial_hair") for head in ("metal helmet", "golden helmet")},
}
FOR_MEN = {"tunic": "shirt", "boots": "shoes", "slippers": "shoes"}  # what they wear in place of what women have alone
CROWN = {"tiara": "golden helmet"}  # the nearest that there is for men


def _only_for_women(parts: tuple[Part, ...]) -> dict[str, str]:
    """Label -> what a man wears in its place, where there is that in the color."""
    men = {part.label for part in parts if "male" in part.sexes}
    others = (part.label for part in parts if part.label not in men)
    named = {label: " ".join((*label.split()[:-1], FOR_MEN.get(label.split()[-1], ""))) for label in others}
    return {label: other for label, other in named.items() if other in men}


DRESSES = tuple(part.label for part in TORSOS if part.label.endswith("dress"))
INSTEAD = {"torso": _only_for_women(TORSOS), "feet": _only_for_women(FEET), "head": CROWN}


def as_json() -> dict[str, object]:
    """The tables, for `web/page/prompts.js`."""
    return {"instead": INSTEAD, "dresses": DRESSES, "hidden_by": HIDDEN_BY}


def drawable(attributes: Mapping[str, str]) -> dict[str, str]:
    """The attributes as the sheets can show them."""
    found = dict(attributes)
    if found.get("sex") == "male":
        if "facial_hair" in found and found.get("head") in CROWN:
            del found["head"]  # rather a king with his beard than one in a closed helmet
        found |= {name: swaps[found[name]] for name, swaps in INSTEAD.items() if found.get(name) in swaps}
    if found.get("action") in ("thrust", "shoot") and found.get("sex") != "male":  # no robe is drawn in these
        dress = found.get("torso", "").replace(" robe", " dress")
        found |= {"torso": dress} if dress in DRESSES else {}
    hidden = {name for key, values in HIDDEN_BY.items() for name in values.get(found.get(key, ""), ())}
    if found.get("sex") == "male" and found.get("torso", "").endswith(" robe"):
        hidden -= {"feet"}  # a man in a robe is drawn by models alone, with his feet
    return {name: value for name, value in found.items() if name not in hidden}
