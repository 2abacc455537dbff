"""The English of the sprites world: how people say who is seen, what they wear, what they do and where they face.

People differ in words and order and do not mention everything, so `caption` draws synonyms, one of sixteen sentence
forms, and which attributes to mention, and tells which it mentioned: only those can be held against a model.
"""

from __future__ import annotations

import numpy as np

Attributes = dict[str, str | None]

NOUNS = {"male": ("man", "man", "guy", "male", "boy"), "female": ("woman", "woman", "lady", "female", "girl")}
SKINS = {
    "light": ("light-skinned", "pale", "fair-skinned", "white"),
    "tanned": ("tanned", "bronze-skinned", "sun-tanned"),
    "dark": ("dark-skinned", "black", "brown-skinned"),
}
PEOPLES = {
    "orc": ("orc", "orc", "green orc", "green-skinned orc"),
    "red orc": ("red orc",),
    "dark elf": ("dark elf", "dark elf", "drow", "grey-skinned elf"),
    "skeleton": ("skeleton", "skeleton", "undead skeleton", "skeleton warrior", "bony skeleton"),
}
SOMEBODY = ("person", "character", "figure", "hero", "somebody")

WORDS = {  # other words for a label
    "maroon": ("maroon", "dark red"),
    "teal": ("teal", "turquoise", "cyan"),
    "magenta": ("magenta", "purple-pink"),
    "gray": ("gray", "grey"),
    "golden": ("golden", "gold"),
    "pants": ("pants", "trousers"),
    "blonde": ("blonde", "blond", "yellow"),
    "chain mail": ("chain mail", "chainmail", "a mail shirt"),
    "plate armor": ("plate armor", "plate armour", "steel armor", "a breastplate"),
    "golden armor": ("golden armor", "gold armor", "golden armour"),
    "leather armor": ("leather armor", "leather armour", "leather"),
    "metal greaves": ("metal greaves", "metal pants", "steel leg armor", "plate leggings"),
    "golden greaves": ("golden greaves", "gold leg armor", "golden leggings"),
    "metal helmet": ("metal helmet", "steel helmet", "metal helm"),
    "golden helmet": ("golden helmet", "gold helm", "golden helm"),
    "kettle hat": ("kettle hat", "kettle helmet", "wide-brimmed helmet"),
    "leather cap": ("leather cap", "leather hat", "feathered hat"),
    "chain hood": ("chain hood", "chainmail hood", "mail coif"),
    "cloth hood": ("cloth hood", "brown hood", "hood"),
    "metal boots": ("metal boots", "steel boots"),
    "golden boots": ("golden boots", "gold boots"),
    "purple tabard": ("purple tabard", "purple jacket", "tabard over chain mail"),
    "formal suit": ("formal suit", "suit and tie", "green vest and tie"),
    "longsword": ("longsword", "sword", "long sword"),
    "saber": ("saber", "sabre", "curved sword"),
    "dagger": ("dagger", "knife"),
    "curly hair": ("curly hair", "an afro"),
    "bare head": ("bare head", "uncovered head"),
    "tiara": ("tiara", "crown"),
}

DOING = {  # (verb in -ing, verb in -s), each said without and with the weapon
    "walk": (("walking", "walks"), ("strolling", "strolls"), ("marching", "marches"), ("walking along", "walks along")),
    "slash": (
        ("slashing", "slashes"),
        ("swinging", "swings"),
        ("attacking with a slash", "attacks with a slash"),
        ("doing a slash", "does a slash"),
    ),
    "thrust": (("thrusting", "thrusts"), ("stabbing", "stabs"), ("jabbing", "jabs"), ("lunging", "lunges")),
    "spellcast": (
        ("casting a spell", "casts a spell"),
        ("doing magic", "does magic"),
        ("conjuring", "conjures"),
        ("casting magic", "casts magic"),
        ("spellcasting", "spellcasts"),
    ),
    "shoot": (
        ("shooting an arrow", "shoots an arrow"),
        ("firing a bow", "fires a bow"),
        ("shooting", "shoots"),
        ("shooting a bow", "shoots a bow"),
    ),
    "hurt": (
        ("falling down", "falls down"),
        ("getting hurt", "gets hurt"),
        ("collapsing", "collapses"),
        ("dying", "dies"),
        ("falling to the ground", "falls to the ground"),
    ),
}
ARMED = {
    "slash": (
        ("slashing with {w}", "slashes with {w}"),
        ("swinging {w}", "swings {w}"),
        ("attacking with {w}", "attacks with {w}"),
    ),
    "thrust": (
        ("thrusting {w}", "thrusts {w}"),
        ("stabbing with {w}", "stabs with {w}"),
        ("attacking with {w}", "attacks with {w}"),
    ),
    "shoot": (
        ("shooting {w}", "shoots {w}"),
        ("shooting an arrow with {w}", "shoots an arrow with {w}"),
        ("firing {w}", "fires {w}"),
    ),
    "walk": (
        ("walking with {w}", "walks with {w}"),
        ("carrying {w}", "carries {w}"),
        ("holding {w} and walking", "walks holding {w}"),
    ),
}
FACING = {
    "left": ("facing left", "to the left", "looking left", "turned left", "seen from the left side", "leftward"),
    "right": ("facing right", "to the right", "looking right", "turned right", "seen from the right side", "rightward"),
    "up": (
        "from behind",
        "facing away",
        "seen from the back",
        "facing up",
        "with the back to us",
        "away from the viewer",
    ),
    "down": ("facing the viewer", "facing forward", "from the front", "facing down", "towards us", "facing the camera"),
}

UNCOUNTED = {
    "armor",
    "armour",
    "mail",
    "chainmail",
    "leather",
    "feet",
    "pants",
    "trousers",
    "greaves",
    "leggings",
    "shoes",
    "boots",
    "slippers",
    "gloves",
    "bracers",
    "wings",
}

MENTION = {  # how often people say it
    "sex": 0.85,
    "body": 0.75,
    "hair_color": 0.7,
    "hair_style": 0.5,
    "facial_hair": 0.6,
    "torso": 0.75,
    "legs": 0.5,
    "feet": 0.4,
    "head": 0.75,
    "hands": 0.35,
    "belt": 0.35,
    "cape": 0.75,
    "weapon": 0.8,
    "action": 0.95,
    "facing": 0.85,
    "ears": 0.6,
    "eyes": 0.2,
}


def caption(seen: Attributes, rng: np.random.Generator, *, full: bool = False) -> tuple[str, tuple[str, ...]]:
    """(an English sentence or phrase, the names of the attributes that it mentions).

    full: mention every attribute that can be seen, so far as one would ever say it.
    """
    mentioned = {
        name for name, share in MENTION.items() if seen.get(name) is not None and (full or rng.random() < share)
    }
    mentioned -= {
        n for n in ("legs", "feet", "head", "torso") if (seen.get(n) or "").startswith("bare") and rng.random() < 0.8
    }
    return _Speaker(seen, mentioned, rng).sentence()


class _Speaker:
    """One way of saying one character; every method adds to `mentioned` what its words give away."""

    def __init__(self, seen: Attributes, mentioned: set[str], rng: np.random.Generator):
        self.seen, self.mentioned, self.rng = seen, mentioned, rng

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def worded(self, label: str) -> str:
        """`label` with some of its words swapped for others that mean the same."""
        if label in WORDS:
            return self.pick(WORDS[label])
        return " ".join(self.pick(WORDS[w]) if w in WORDS else w for w in label.split())

    def subject(self) -> str:
        """Adjectives and noun: who it is."""
        seen, mentioned = self.seen, self.mentioned
        body, sex = str(seen["body"]), seen["sex"]
        noun = self.pick(NOUNS[sex]) if sex and "sex" in mentioned else self.pick(SOMEBODY)
        if "body" not in mentioned:
            if "ears" in mentioned and body in SKINS:
                return f"{'elven ' + noun if 'sex' in mentioned else 'elf'}"
            return noun
        if body in SKINS:
            if "ears" in mentioned:
                noun = f"elven {noun}" if "sex" in mentioned else "elf"
            return f"{self.pick(SKINS[body])} {noun}"
        people = self.pick(PEOPLES[body])
        if not sex or "sex" not in mentioned:
            return people
        return self.pick((f"{'male' if sex == 'male' else 'female'} {people}", f"{people} {noun}"))

    def hair(self) -> str:
        seen, mentioned = self.seen, self.mentioned
        style = str(seen["hair_style"]) if "hair_style" in mentioned else ""
        if style == "bald":
            return self.pick(("no hair", "a bald head"))
        color = self.worded(str(seen["hair_color"])) if "hair_color" in mentioned else ""
        if color and not style:
            return f"{color} hair"
        worded = self.worded(style) if style in WORDS else style
        head = worded.removeprefix("an ")
        countable = head.split()[-1] in ("mohawk", "ponytail", "cut", "afro")
        phrase = f"{color} {head}".strip()
        return _a(phrase) if countable else phrase

    def clothes(self) -> list[str]:
        worn = []
        for group in ("torso", "legs", "feet", "head", "hands", "belt", "cape"):
            if group in self.mentioned and self.seen[group]:
                worded = self.worded(str(self.seen[group]))
                worn.append(worded if worded.split()[-1] in UNCOUNTED or worded.startswith("a ") else _a(worded))
        if len(worn) > 1 and self.rng.random() < 0.4:
            self.rng.shuffle(worn)
        return worn

    def features(self) -> list[str]:
        out = []
        if "hair_color" in self.mentioned or "hair_style" in self.mentioned:
            out.append(self.hair())
        if "facial_hair" in self.mentioned:
            out.append(_a(self.worded(str(self.seen["facial_hair"]))))
        if "eyes" in self.mentioned:
            out.append(f"{self.worded(str(self.seen['eyes']))} eyes")
        return out

    def weapon(self) -> str:
        return self.worded(str(self.seen["weapon"]))

    def doing(self, form: int) -> str:
        """form 0: -ing, 1: -s. Empty when the action is not to be told."""
        action = str(self.seen["action"])
        if "action" not in self.mentioned:
            return ("with " if form == 0 else "has ") + _a(self.weapon()) if "weapon" in self.mentioned else ""
        if "weapon" in self.mentioned and action in ARMED:
            return self.pick(ARMED[action])[form].format(w=_a(self.weapon()))
        return self.pick(DOING[action])[form]

    def sentence(self) -> tuple[str, tuple[str, ...]]:
        facing = self.pick(FACING[str(self.seen["facing"])]) if "facing" in self.mentioned else ""
        form = self.pick(FORMS)
        text = form(self, facing)
        text = " ".join(text.split()).replace(" ,", ",").replace(",,", ",").replace(" .", ".").strip(" ,;:")
        if self.rng.random() < 0.3:
            text = text[0].upper() + text[1:]
        if self.rng.random() < 0.25 and not text.endswith("."):
            text += "."
        return text, tuple(sorted(self.mentioned))


def _a(phrase: str) -> str:
    if phrase.startswith(("a ", "an ")):
        return phrase
    return f"an {phrase}" if phrase[:1] in "aeiou" else f"a {phrase}"


def _and(things: list[str]) -> str:
    return things[0] if len(things) == 1 else ", ".join(things[:-1]) + " and " + things[-1] if things else ""


def _with(s: _Speaker) -> str:
    """'with ... wearing ...', in either order."""
    features, worn = s.features(), s.clothes()
    with_ = f"with {_and(features)}" if features else ""
    wearing = f"{s.pick(('wearing', 'in', 'dressed in', 'wearing'))} {_and(worn)}" if worn else ""
    return f"{with_} {wearing}" if s.rng.random() < 0.5 else f"{wearing} {with_}"


def _comma(text: str) -> str:
    return f", {text}" if text.strip() else ""


def _she(s: _Speaker) -> str:
    return {"male": "he", "female": "she"}.get(s.seen["sex"] or "", "it") if "sex" in s.mentioned else "the character"


def _hair_first(s: _Speaker) -> str:
    """'purple-haired woman': the colour of the hair before the noun."""
    who = s.subject()
    if "hair_color" in s.mentioned:
        color = s.worded(str(s.seen["hair_color"]))
        s.mentioned.discard("hair_style")
        s.mentioned.discard("hair_color")
        who = f"{color}-haired {who}"
        rest = _with(s)
        s.mentioned.add("hair_color")
        return f"{who} {rest}"
    return f"{who} {_with(s)}"


def _wielding(s: _Speaker, facing: str) -> str:
    if "weapon" not in s.mentioned:
        return f"{s.subject()} {_with(s)} {s.doing(0)}{_comma(facing)}"
    weapon = s.weapon()
    s.mentioned.discard("weapon")
    text = f"{weapon}-{s.pick(('wielding', 'carrying'))} {s.subject()} {_with(s)} {s.doing(0)}{_comma(facing)}"
    s.mentioned.add("weapon")
    return text


def _keywords(s: _Speaker, facing: str) -> str:
    action = str(s.seen["action"])
    words = [s.subject(), *s.features(), *s.clothes()]
    if "action" in s.mentioned:
        words.append(s.pick((action, s.pick(DOING[action])[0])))
    if "weapon" in s.mentioned:
        words.append(s.weapon())
    return ", ".join([w.removeprefix("a ").removeprefix("an ") for w in words] + ([facing] if facing else []))


def _two_sentences(s: _Speaker, facing: str) -> str:
    features, worn, she = s.features(), s.clothes(), _she(s)
    first = f"{_a(s.subject())} {s.doing(1)} {facing}"
    second = [f"has {_and(features)}"] if features else []
    second += [f"{s.pick(('wears', 'is wearing', 'is dressed in'))} {_and(worn)}"] if worn else []
    return f"{first}. {she} {' and '.join(second)}." if second else first


PICTURES = ("a sprite of", "pixel art of", "animation of", "a game character:", "a video of")

FORMS = (
    lambda s, f: f"{_a(s.subject())} {_with(s)} {s.doing(0)}{_comma(f)}",
    lambda s, f: f"{_a(s.subject())} {_with(s)} {s.doing(0)} {f}",
    lambda s, f: f"{_a(s.subject())} {_with(s)} {s.doing(1)} {f}",
    lambda s, f: f"{_a(s.subject())} {s.doing(0)} {f}{_comma(_with(s))}",
    lambda s, f: f"{_a(s.subject())} {s.doing(1)} {f}{_comma(_with(s))}",
    lambda s, f: f"{f}{',' if f else ''} {_a(s.subject())} {_with(s)} {s.doing(1)}",
    lambda s, f: f"{s.subject()} {_with(s)} {s.doing(0)} {f}",
    lambda s, f: f"{_a(_hair_first(s))} {s.doing(0)}{_comma(f)}",
    lambda s, f: f"{_a(_hair_first(s))} {s.doing(1)} {f}",
    lambda s, f: _wielding(s, f),
    lambda s, f: f"{s.pick(PICTURES)} {_a(s.subject())} {_with(s)} {s.doing(0)}{_comma(f)}",
    lambda s, f: f"{s.doing(0)}{_comma(f)}: {_a(s.subject())} {_with(s)}",
    lambda s, f: f"{_a(s.subject())} who {s.doing(1) or 'stands'} {f}{_comma(_with(s))}",
    lambda s, f: f"there is {_a(s.subject())} {_with(s)} {s.doing(0)}{_comma(f)}",
    _keywords,
    _two_sentences,
)
