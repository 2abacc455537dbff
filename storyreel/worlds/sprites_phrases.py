"""Phrases of a caption: who is seen, their hair, clothes and weapon, what they do and where they face.

A `Speaker` says one character once. Each attribute that it says is said in one place only; `mentioned` has those
that the sentence says, so that what a caption mentions is known by construction.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from storyreel.worlds import sprites_wardrobe as wardrobe
from storyreel.worlds import sprites_words as words
from storyreel.worlds.sprites_wardrobe import with_article
from storyreel.worlds.sprites_words import VERBS, Phrases

T = TypeVar("T")
COMMONEST = 0.3  # how often the commonest phrase is taken before all others are as likely
CLOTHES = ("torso", "legs", "feet", "head", "hands", "belt", "cape")
BARE = {
    "bare chest": wardrobe.SHIRTLESS,
    "bare feet": wardrobe.BAREFOOT,
    "bare head": wardrobe.BAREHEADED,
}
LINKS = words.phrases(
    "wearing | in | dressed in | clad in | clothed in | wearing", "garbed in | attired in | decked out in"
)


class Speaker:
    """One way of saying one character.

    seen: the attributes. mentioned: the names of those that the caption is to mention. rng: every choice.
    held_out: take words that training never has, where there are any. commonest: no other words than the commonest.
    `template` gathers what the sentence is composed of.
    """

    def __init__(
        self,
        seen: dict[str, str | None],
        mentioned: set[str],
        rng: random.Random,
        held_out: bool,
        commonest: bool = False,
    ) -> None:
        self.seen, self.mentioned, self.rng, self.held_out = seen, mentioned, rng, held_out
        self.commonest = 1.0 if commonest else COMMONEST
        self.template: list[str] = []
        self.adjectives: set[str] = set()  # attributes that stand before the noun
        own = "body" in mentioned and seen["body"] in words.SKIN and rng.random() < 0.15
        self.complexion = ("body",) if own else ()  # said as "with dark skin"
        sex = seen["sex"] if "sex" in mentioned else None
        self.she, self.her = {"male": ("he", "his"), "female": ("she", "her")}.get(sex or "", ("the character", "the"))
        self.place()

    # -- choices ---------------------------------------------------------------------------------------------------

    def one(self, options: Sequence[T]) -> T:
        return options[int(self.rng.random() * len(options))]

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def phrase(self, of: Phrases) -> str:
        if self.held_out and of.held_out and (not of.known or self.rng.random() < 0.8):
            return self.one(of.held_out)
        return of.known[0] if self.rng.random() < self.commonest else self.one(of.known)

    def note(self, choice: str) -> str:
        """Remember a choice of structure."""
        self.template.append(choice)
        return choice

    def place(self) -> None:
        """Decide which attributes stand before the noun; the others follow it."""
        seen, mentioned = self.seen, self.mentioned
        if "hair_color" in mentioned and self.chance(0.45 if "hair_style" not in mentioned else 0.15):
            self.adjectives.add("hair_color")
            if self.chance(0.4):
                mentioned.discard("hair_style")
        if "hair_style" in mentioned and seen["hair_style"] == "bald" and self.chance(0.6):
            self.adjectives.add("hair_style")
        if "eyes" in mentioned and self.chance(0.3):
            self.adjectives.add("eyes")
        if "facial_hair" in mentioned and str(seen["facial_hair"]).split(" ", 1)[1] == "beard" and self.chance(0.25):
            self.adjectives.add("facial_hair")
        for group in ("torso", "feet", "head"):
            if group in mentioned and seen[group] in BARE and self.chance(0.5):
                self.adjectives.add(group)
        if "facing" in mentioned and self.chance(0.08):
            self.adjectives.add("facing")
        if "weapon" in mentioned and self.chance(0.12):
            self.adjectives.add("weapon")
        if "ears" in mentioned and seen["body"] not in words.SKIN:
            mentioned.discard("ears")  # a dark elf has them anyway
        if "ears" in mentioned and self.chance(0.75):
            self.adjectives.add("ears")
        self.note("+".join(sorted(self.adjectives - {"ears", "eyes", "facial_hair"})))

    # -- who ---------------------------------------------------------------------------------------------------------

    def subject(self) -> str:
        """Adjectives and noun, without an article: "left-facing raven-haired dark-skinned woman"."""
        noun, before = self.noun()
        front = []
        for name in ("facing", "weapon", "torso", "feet", "head", "hair_style", "hair_color", "eyes", "facial_hair"):
            if name in self.adjectives and not (name == "hair_color" and noun in words.HEADS.values()):
                front.append(self._adjective(name))
        if self.chance(0.2) and len(front) > 1:
            self.rng.shuffle(front)
        comma = ", " if len(front) > 1 and self.chance(0.3) else " "
        return " ".join(filter(None, (comma.join(front), before, noun)))

    def _adjective(self, name: str) -> str:
        value = str(self.seen[name])
        if name == "facing":
            return self.phrase(words.FACING[value]["adjective"])
        if name == "weapon":
            return f"{self.phrase(words.WEAPON[value])}-{self.one(('wielding', 'carrying', 'bearing'))}"
        if name == "hair_style":
            return self.phrase(words.BALD)
        if name == "eyes":
            return f"{value}-eyed"
        if name == "hair_color":
            if value in words.HAIRED and self.chance(0.15) and not self.held_out:
                return self.phrase(words.HAIRED[value])
            return f"{self.color(value, compound=True)}-haired"
        if name == "facial_hair":
            return f"{self.color(value.split()[0], compound=True)}-bearded"
        return self.phrase(BARE[value])

    def color(self, value: str, compound: bool = False) -> str:
        """Of hair."""
        color = self.phrase(words.HAIR_COLOR[value])
        return value if compound and color.endswith("colored") else color

    def noun(self) -> tuple[str, str]:
        """(noun, the adjectives of skin and ears)."""
        seen, mentioned = self.seen, self.mentioned
        body = str(seen["body"])
        sex = seen["sex"] if "sex" in mentioned else None
        ears = self.phrase(words.ELVEN) if "ears" in self.adjectives else ""
        role = self._role(sex) if self.chance(0.18) else ""
        if body in words.SKIN or "body" not in mentioned:
            noun = role or (self.phrase(words.SEX[sex]) if sex else self.one(words.SOMEBODY))
            head = words.HEADS.get(str(seen["hair_color"])) if "hair_color" in self.adjectives else None
            if head and not sex and not role and self.chance(0.5):
                noun = head
            elif ears and not sex and not role and self.chance(0.6):
                noun, ears = self.phrase(words.ELF), ""
            skin = self.phrase(words.SKIN[body]) if "body" in mentioned and "body" not in self.complexion else ""
            if skin in words.BEFORE_NOUN and ears:
                skin = words.SKIN[body].known[0]
            return noun, " ".join(filter(None, (skin, ears)))
        people = self.phrase(words.PEOPLE[body])
        if role:
            return f"{people} {role}", ""
        if not sex:
            return people, ""
        return self.one((f"{sex} {people}", f"{people} {self.phrase(words.SEX[sex])}")), ""

    def _role(self, sex: str | None) -> str:
        """What somebody would be called who looks like this and does this; "" for nobody in particular."""
        seen, mentioned = self.seen, self.mentioned
        fits = []
        if sex == "female" and "head" in mentioned and seen["head"] == "tiara":
            fits += ["royal"] * 3
        if "torso" in mentioned and seen["torso"] in ("plate armor", "golden armor"):
            fits.append("knight")
        if "action" in mentioned and seen["action"] == "shoot":
            fits.append("archer")
        if "action" in mentioned and seen["action"] == "spellcast":
            fits.append("mage")
        if sex and "weapon" in mentioned and seen["weapon"] == "longsword":
            fits.append("swordsman")
        if seen["weapon"] and seen["action"] != "shoot":
            fits.append("warrior")
        if not fits:
            return ""
        neutral, male, female = words.ROLES[self.one(fits)]
        own = {"male": male, "female": female}.get(sex or "")
        if own and own.all and (not neutral.all or self.chance(0.5)):
            return self.phrase(own)
        return f"{sex} {self.phrase(neutral)}" if sex else self.phrase(neutral)

    # -- how they look -------------------------------------------------------------------------------------------------

    def hair(self) -> str:
        """A noun phrase; "" where the hair is said elsewhere or not at all."""
        style = str(self.seen["hair_style"]) if "hair_style" in self.mentioned - self.adjectives else ""
        color = self.color(str(self.seen["hair_color"])) if "hair_color" in self.mentioned - self.adjectives else ""
        if not style:
            return f"{color} hair" if color else ""
        pattern = self.phrase(words.HAIR_STYLE[style])
        return with_fitting_article(pattern.format(c=color))

    def features(self) -> list[str]:
        """Noun phrases for "with ...": hair, beard, eyes, ears."""
        rest = self.mentioned - self.adjectives
        found = [self.phrase(words.COMPLEXION[str(self.seen[name])]) for name in self.complexion]
        found.append(self.hair())
        if "facial_hair" in rest:
            found.append(with_article(self._facial_hair()))
        if "eyes" in rest:
            found.append(f"{self.seen['eyes']} eyes")
        if "ears" in rest:
            found.append(self.phrase(words.EARS))
        bare = [self.phrase(wardrobe.GARMENT[g][str(self.seen[g])]) for g in ("torso", "feet", "head")
                if g in rest and self.seen[g] in BARE]  # fmt: skip
        return [f for f in (*found, *map(with_article, bare)) if f]

    def _facial_hair(self) -> str:
        color, _, kind = str(self.seen["facial_hair"]).partition(" ")
        return self.phrase(words.FACIAL_HAIR[kind]).format(c=self.color(color))

    def clothes(self, articles: bool = True) -> list[str]:
        """Noun phrases of what is worn, from the chest down, or in any order."""
        worn = []
        for group in CLOTHES:
            value = self.seen.get(group)
            if group in self.mentioned and value and value not in BARE:
                phrase = self.phrase(wardrobe.GARMENT[group][value])
                worn.append(with_article(phrase) if articles else phrase)
        if len(worn) > 1 and self.chance(0.35):
            self.rng.shuffle(worn)
        return worn

    def link(self) -> str:
        return self.note(self.phrase(LINKS))

    # -- what they do --------------------------------------------------------------------------------------------------

    def weapon(self) -> str:
        """Noun phrase with its article; "" where it is said elsewhere or not at all."""
        if "weapon" not in self.mentioned - self.adjectives:
            return ""
        return with_article(self.phrase(words.WEAPON[str(self.seen["weapon"])]))

    def doing(self, form: str = "ing", course: bool = True) -> str:
        """The action with weapon, target and direction. form: "ing", "s" or "" (walking, walks, walk).

        Without an action to say: the weapon alone, as "with a bow" or "has a bow". course: with the direction.
        """
        action, weapon = str(self.seen["action"]), self.weapon()
        if "action" not in self.mentioned:
            holds = {"ing": f"with {weapon}", "s": f"has {weapon}", "": f"with {weapon}"}[form] if weapon else ""
            return " ".join(filter(None, (holds, self.direction(("stance", "view")) if course else "")))
        armed = bool(weapon) and action in words.ARMED and self.chance(0.75)
        base = self.phrase(words.ARMED[action] if armed else words.ACTION[action])
        verb, _, rest = base.partition(" ")
        spoken = f"{VERBS[verb][0 if form == 'ing' else 1] if form else verb} {rest}".strip()
        if armed:
            spoken = spoken.format(w=weapon)
        elif base in words.AIMED and self.chance(0.15):
            spoken += f" at {self.one(words.TARGETS)}"
        if course and action != "hurt" and self.chance(0.5):
            spoken = f"{spoken} {self.direction(('course',))}"
        elif course:
            spoken = f"{spoken} {self.direction(('stance', 'view'))}"
        if weapon and not armed:
            spoken += self.one((", {} in hand", " with {}", ", holding {}", ", armed with {}")).format(weapon)
        return " ".join(spoken.split()).replace(" ,", ",")

    def direction(self, kinds: Sequence[str]) -> str:
        """Where they face, as a phrase of one of these kinds; "" where it is said elsewhere or not at all."""
        if "facing" not in self.mentioned - self.adjectives:
            return ""
        return self.phrase(words.FACING[str(self.seen["facing"])][self.note(self.one(kinds))]).format(p=self.her)


def with_fitting_article(phrase: str) -> str:
    """A hair phrase: doubled spaces gone, "a" made "an" before a vowel."""
    parts = phrase.split()
    if parts[0] == "a" and parts[1][0] in "aeiou":
        parts[0] = "an"
    return " ".join(parts)


def listed(things: Sequence[str]) -> str:
    """ "a, b and c"."""
    return ", ".join(things[:-1]) + " and " + things[-1] if len(things) > 1 else "".join(things)
