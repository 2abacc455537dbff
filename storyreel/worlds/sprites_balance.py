"""Characters of the sprites world in which every value of an attribute is seen about equally often.

What can be seen depends on other choices (a robe hides the legs, a tiara is for women and not seen from behind), so
that equal choices are not seen equally often. `sprites_balance.json` has a weight for each value; `fit` finds them by
drawing, counting and correcting, and `python -m storyreel.worlds.sprites_balance` writes them anew. Sheets that
do not show what their label says are left out.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from storyreel.json_file import read_json
from storyreel.worlds.sprites import BEARDED, Character, compose_character, held_out
from storyreel.worlds.sprites_parts import (
    ACTIONS,
    BELTS,
    BODIES,
    CAPES,
    FACIAL_HAIR,
    FACINGS,
    FEET,
    HAIR_COLORS,
    HAIR_STYLES,
    HANDS,
    HEADS,
    LEGS,
    SEXES,
    TORSOS,
    WEAPONS,
    Part,
)  # fmt: skip

FILE = Path(__file__).with_suffix(".json")
Weights = dict[str, dict[str, float]]
ACCESSORIES = {"hands": (HANDS, 0.35), "belt": (BELTS, 0.45), "cape": (CAPES, 0.45)}  # and how often one is worn
HELMETS = ("metal helmet", "golden helmet", "kettle hat", "leather cap", "chain hood")  # no hair is seen under them
BARE_HEAD, UNDRESSED, BALD, EARS, EYES = 0.35, 0.3, 0.06, 0.2, 0.3
UNARMED = {"walk": 0.45, "thrust": 0.35, "slash": 0.05, "shoot": 0.0}  # share of each action without a weapon
WOMEN = 1.5  # as many as men: two thirds of the torsos are made for women alone
EYE_COLORS = ("blue", "brown", "gray", "green", "orange", "purple", "red", "yellow")
WITH_EARS = ("light", "tanned", "dark", "dark elf")
UNTRUE = {  # sheets that do not show what their label says: black, purple from behind, as much blonde as brown
    "torso/robes_female_no_th-sh/dark gray",
    "torso/back/cape/tattered/female/tattercape_maroon",
    "hair/brown2",
}
COUNTED = (
    "sex", "body", "torso", "legs", "feet", "head", "hands", "belt", "cape", "hair_color", "hair_style", "weapon",
    "action", "facing", "eyes",
)  # fmt: skip


@lru_cache(maxsize=1)
def shipped_weights() -> Weights:
    """attribute -> value -> how much more often than its even share it is chosen."""
    return read_json(FILE)


def draw_balanced(rng: np.random.Generator, weights: Weights | None = None, *, bearded: float = BEARDED) -> Character:
    """A random character with an action and a facing. `weights`: in place of those that ship. bearded: share of men."""
    own = random.Random(int(rng.integers(2**62)))
    return _Draw(own, shipped_weights() if weights is None else weights, bearded).character()


class _Draw:
    """The choices of one character."""

    def __init__(self, rng: random.Random, weights: Weights, bearded: float) -> None:
        self.rng, self.weights, self.bearded = rng, weights, bearded

    def one(self, attribute: str, options: Sequence[str]) -> str:
        own = self.weights.get(attribute, {})
        chances = [own.get(option, 1.0) for option in options]
        at = self.rng.random() * sum(chances)
        for option, chance in zip(options, chances, strict=True):
            at -= chance
            if at < 0:
                return option
        return options[-1]

    def part(self, attribute: str, parts: Sequence[Part], sex: str, action: str, optional: bool = False) -> Part | None:
        """One that is made for them; None where none is.

        optional: chosen among all, and None where the choice is not made for them, so that the few accessories that
        suit everybody are not worn by everybody.
        """
        fits = [p for p in parts if p.suits(sex, action) and not any(f in UNTRUE for _, f in p.files)]
        label = self.one(attribute, list(dict.fromkeys(p.label for p in (parts if optional else fits)))) if fits else ""
        same = [p for p in fits if p.label == label]
        return same[int(self.rng.random() * len(same))] if same else None

    def character(self) -> Character:
        action = self.one("action", ACTIONS)
        facing = "down" if action == "hurt" else self.one("facing", FACINGS)
        body = self.one("body", list(BODIES))
        sex = "male" if body == "skeleton" else self.one("sex", SEXES)
        sheets = BODIES[body]
        layers = [("body", f"body/{sex}/{sheets[int(self.rng.random() * len(sheets))]}")]
        seen: dict[str, str | None] = {"sex": None if body == "skeleton" else sex, "body": body, "action": action}
        seen["facing"] = facing
        parts = self.clothes(body, sex, action)
        hidden = {group for part in parts for group in part.hides}
        layers += [(layer, file) for part in parts if part.group not in hidden for layer, file in part.files]
        seen |= dict.fromkeys(("torso", "legs", "feet", "head", *ACCESSORIES))
        seen |= {part.group: part.label for part in parts if part.group not in hidden}
        seen["hands"] = None if action == "hurt" else seen["hands"]
        layers += self.face(body, sex, "hair" in hidden, seen)
        armed = self.rng.random() >= UNARMED.get(action, 1.0)
        weapon = self.part("weapon", WEAPONS, sex, action) if armed else None
        return compose_character(seen, sex, layers, parts, weapon)

    def clothes(self, body: str, sex: str, action: str) -> list[Part]:
        bare = self.rng.random() < BARE_HEAD
        head = HEADS[0] if bare else self.part("head", HEADS[1:], sex, action)
        if body == "skeleton" and self.rng.random() < UNDRESSED:
            worn = [next(p for p in FEET if not p.files), head]
        else:
            worn = [
                self.part(g, parts, sex, action) for g, parts in (("torso", TORSOS), ("legs", LEGS), ("feet", FEET))
            ]
            worn.append(head)
            for group, (parts, share) in ACCESSORIES.items():
                if self.rng.random() < share:
                    worn.append(self.part(group, parts, sex, action, optional=True))
        return [part for part in worn if part]

    def face(self, body: str, sex: str, covered: bool, seen: dict[str, str | None]) -> list[tuple[str, str]]:
        """Layers of hair, facial hair, ears and eyes; fills in what can be seen of them."""
        layers: list[tuple[str, str]] = []
        seen |= dict.fromkeys(("hair_color", "hair_style", "facial_hair", "ears", "eyes"))
        color = self.one("hair_color", list(HAIR_COLORS))
        shades = [s for s in HAIR_COLORS[color] if f"hair/{s}" not in UNTRUE]
        shade = shades[int(self.rng.random() * len(shades))]
        behind = seen["facing"] == "up"
        haired = self.rng.random() >= (0.6 if body == "skeleton" else BALD)
        if not covered and haired:
            style = self.one("hair_style", list(dict.fromkeys(HAIR_STYLES.values())))
            styles = [s for s, name in HAIR_STYLES.items() if name == style]
            layers.append(("hair", f"hair/{sex}/{styles[int(self.rng.random() * len(styles))]}/{shade}"))
            if seen["head"] not in HELMETS:
                seen |= {"hair_color": color, "hair_style": style}
        elif not covered and seen["head"] == "bare head":
            seen["hair_style"] = "bald"
        if sex == "male" and body != "skeleton" and self.rng.random() < self.bearded:
            kind = list(FACIAL_HAIR)[int(self.rng.random() * len(FACIAL_HAIR))]
            layers.append(("facial_hair", f"facial/male/{kind}/{shade}"))
            if not behind and kind != "fiveoclock" and seen["head"] not in ("metal helmet", "golden helmet"):
                seen["facial_hair"] = f"{color} {FACIAL_HAIR[kind]}"
        if body in WITH_EARS:
            sheets = BODIES[body]
            if self.rng.random() < (0.7 if body == "dark elf" else EARS):
                layers.append(("ears", f"body/{sex}/ears/elvenears_{sheets[int(self.rng.random() * len(sheets))]}"))
                seen["ears"] = "elven"
            if self.rng.random() < EYES:
                eyes = self.one("eyes", EYE_COLORS)
                layers.append(("eyes", f"body/{sex}/eyes/{eyes}"))
                seen["eyes"] = None if behind else eyes
        return layers


def counts(characters: int, seed: int, weights: Weights | None = None) -> dict[str, Counter[str]]:
    """attribute -> value -> in how many of the characters that may be trained on it is seen.

    Directions are counted of those who can turn: who falls does so towards the viewer.
    """
    rng = np.random.default_rng(seed)
    found = {name: Counter[str]() for name in COUNTED}
    left = characters
    while left:
        seen = draw_balanced(rng, weights).attributes
        if held_out(seen):
            continue
        left -= 1
        for name in COUNTED:
            if seen[name] not in (None, "bald") and not (name == "facing" and seen["action"] == "hurt"):
                found[name][str(seen[name])] += 1
    return found


def fit(characters: int = 8_000, rounds: int = 20, seed: int = 1) -> Weights:
    """Weights under which the counts are as even as they can be with no value chosen 6 times as often as another."""
    weights: Weights = {name: {} for name in COUNTED} | {"sex": {"female": WOMEN, "male": 1.0}}
    for step in range(rounds):
        for name, seen in counts(characters, seed + step, weights).items():
            if name == "sex":
                continue
            own = weights[name]
            values = [v for v in seen if not (name == "head" and v == "bare head")]
            mean = sum(seen[v] for v in values) / len(values)
            for value in values:
                own[value] = own.get(value, 1.0) * (mean / seen[value]) ** (0.6 if step < rounds // 2 else 0.3)
            middle = float(np.exp(np.mean(np.log(list(own.values())))))
            for value in own:
                own[value] = float(np.clip(own[value] / middle, 0.4, 2.5))
    return {name: {value: round(own[value], 3) for value in sorted(own)} for name, own in weights.items()}


def write_weights(path: Path = FILE) -> Path:
    from storyreel.storage import replacing

    with replacing(path) as (made,):
        made.write_text(json.dumps(fit(), indent=1) + "\n", encoding="utf-8")
    return path


if __name__ == "__main__":
    print(write_weights())
