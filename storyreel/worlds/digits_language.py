"""What the world `digits` is called in English: the caption forms of three papers, and paraphrases.

A caption may tell one of two digits alone. A model that has learnt those can be asked for two at once by the sentences
that `sentences` takes a prompt apart into, one for each digit. What is said of a single digit becomes such a sentence,
too, so that words which no caption has are understood.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PHRASES: dict[str, tuple[str, ...]] = {  # the first is the papers' own
    "up and down": ("up and down", "vertically", "up and down between the walls", "up and down again and again"),
    "left and right": ("left and right", "horizontally", "from side to side", "left and right between the walls"),
    "left then right": ("left then right", "to the left and then to the right", "first left, then right"),
    "right then left": ("right then left", "to the right and then to the left", "first right, then left"),
    "up then down": ("up then down", "upwards and then downwards", "first up, then down"),
    "down then up": ("down then up", "downwards and then upwards", "first down, then up"),
    "up": ("up", "upwards", "straight up", "towards the top"),
    "left": ("left", "leftwards", "to the left", "towards the left side"),
    "down": ("down", "downwards", "straight down", "towards the bottom"),
    "right": ("right", "rightwards", "to the right", "towards the right side"),
}
SPEEDS: dict[str, tuple[str, ...]] = {
    "slow": ("slowly", "at a slow pace"),
    "normal": ("at a normal speed", "at a moderate pace"),
    "fast": ("quickly", "fast"),
}

# {d} a digit, {a} a digit with its article, {m} a motion with or without a speed
SINGLE = (
    "Digit {d} is moving {m}.",  # GODIVA
    "Digit {d} moves {m}.",
    "the digits {d} is moving {m} .",  # SyncDRAW
    "the digit {d} is moving {m} .",  # MAGE
    "{a} moves {m}",
    "{a} is moving {m}",
    "the number {d} goes {m}",
    "a handwritten {d} travels {m}",
    "there is {a} that moves {m}",
    "a video of {a} moving {m}",
    "a white {d} on black, moving {m}",
    "number {d} moving {m}",
    "the {d} slides {m}",
    "show me {a} going {m}",
    "{a}, drifting {m}",
)
DOUBLE = (
    "Digit {d} moves {m} while digit {e} moves {n}.",  # GODIVA
    "Digit {d} is moving {m} and digit {e} is moving {n}.",
    "digit {d} is {m} and digit {e} is {n} .",  # SyncDRAW
    "the digit {d} is moving {m} and the digit {e} is moving {n} .",  # MAGE
    "{a} moves {m} while {b} moves {n}",
    "{a} goes {m}, {b} goes {n}",
    "the number {d} goes {m} and the number {e} goes {n}",
    "two digits: {a} moving {m} and {b} moving {n}",
    "there are {a} that moves {m} and {b} that moves {n}",
    "a video of {a} moving {m} and {b} moving {n}",
    "as the {d} slides {m}, the {e} slides {n}",
    "a handwritten {d} travels {m} and a handwritten {e} travels {n}",
    "show me {a} going {m} and {b} going {n}",
)
ONE_OF_TWO = (
    "Two digits: digit {d} is moving {m}.",
    "two digits, one of them {a} moving {m}",
    "one of two digits is {a} and moves {m}",
)
MORE_PHRASES: dict[str, tuple[str, ...]] = {  # read, never written
    "up and down": (
        "up then down then up",
        "bouncing vertically",
        "upwards and downwards",
        "bouncing around",
        "hopping",
        "hops",
        "jumping",
        "jumps",
        "bobbing",
    ),
    "left and right": ("back and forth", "to and fro", "sideways", "right and left", "leftwards and rightwards"),
    "left then right": ("left, then right", "left and then right", "leftward then rightward"),
    "right then left": ("right, then left", "right and then left", "rightward then leftward"),
    "up then down": ("up, then down", "up and then down", "upward then downward"),
    "down then up": ("down, then up", "down and then up", "downward then upward"),
    "up": ("upward", "to the top", "toward the top", "rising", "rises", "climbs", "climbing", "ascends"),
    "left": ("leftward", "to the left side", "toward the left", "right to left", "from right to left"),
    "down": ("downward", "to the bottom", "toward the bottom", "falling", "falls", "sinks", "drops", "descends"),
    "right": ("rightward", "to the right side", "toward the right", "left to right", "from left to right"),
}
PACED = {"slow": "slowly", "fast": "quickly", "quick": "quickly", "speedy": "quickly", "swift": "quickly"}
_PACED = re.compile(rf"\b({'|'.join(PACED)})\s+(?:digit\s+|number\s+)?$")  # before a digit
_WORD = re.compile(r"[a-z]+|\d+")
_DIGIT = re.compile(rf"(?<![\w.,])(?:{'|'.join(NAMES)}|\d)(?!\w|[.,]\d|\s+digits\b)")
_PHRASES = {
    phrase: motion for forms_of in (MORE_PHRASES, PHRASES) for motion, forms in forms_of.items() for phrase in forms
}
_LONGEST_FIRST = sorted(_PHRASES, key=len, reverse=True)
_MOTION = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, _LONGEST_FIRST))})(?!\w)")
_SPEED = re.compile(rf"(?<!\w)(?:{'|'.join(re.escape(phrase) for forms in SPEEDS.values() for phrase in forms)})(?!\w)")


def sentences(prompt: str) -> list[str]:
    """What is said of each of one or two digits, a sentence for each, as training captions say it; of any other prompt,
    itself."""
    things = _things(prompt)
    form = SINGLE[0] if len(things) == 1 else ONE_OF_TWO[0]
    return [form.format(d=digit, m=f"{motion} {pace}".rstrip()) for digit, motion, pace in things] or [prompt]


def reworded(prompt: str) -> str:
    """What is said of one or two digits in a caption's words, where it is said in words that captions have not; or the
    prompt itself."""
    things = _things(prompt)
    if not things or _captions_words() >= set(_WORD.findall(prompt.lower())):
        return prompt
    form = SINGLE[0] if len(things) == 1 else DOUBLE[0]
    moved = [f"{motion} {pace}".rstrip() for _, motion, pace in things]
    return form.format(
        **dict(zip("de", (digit for digit, _, _ in things), strict=False)), **dict(zip("mn", moved, strict=False))
    )


@lru_cache(maxsize=1)
def _captions_words() -> frozenset[str]:
    """All words that captions have, and digits."""
    phrases = (*(phrase for each in (PHRASES, SPEEDS) for forms in each.values() for phrase in forms), *NAMES)
    return frozenset(_WORD.findall(" ".join((*SINGLE, *DOUBLE, *phrases, *map(str, range(10)), "an")).lower()))


def motion_of(prompt: str) -> str | None:
    """The first motion that the prompt says, in any words."""
    found = _MOTION.search(prompt.lower())
    return _PHRASES[found[0]] if found else None


def expected(prompt: str) -> dict[str, list[str]]:
    """`digits` and `motions` of one or two digits, as the world's judge reads them; of any other prompt, nothing."""
    things = _things(prompt)
    return (
        {"digits": [digit for digit, _, _ in things], "motions": [motion for _, motion, _ in things]} if things else {}
    )


def _things(prompt: str) -> list[tuple[str, str, str]]:
    """(digit, motion, pace or "") of each of one or two digits whose motion is said; else none at all. What is named
    twice, as in "a 4 and a 9: the 4 goes up, the 9 down", is one."""
    text = prompt.lower()
    found = list(_DIGIT.finditer(text))
    if not found:
        return []
    parts = [
        (_figure(digit[0]), digit, end)
        for digit, end in zip(found, [*(other.start() for other in found[1:]), len(text)], strict=True)
    ]
    if len(found) > 2:
        parts = [part for part in parts if _MOTION.search(text, part[1].end(), part[2])]
        if {_figure(digit[0]) for digit in found} != {figure for figure, *_ in parts}:
            return []
    if len(parts) not in (1, 2):
        return []
    things = []
    for name, digit, end in parts:
        motions = list(_MOTION.finditer(text, digit.end(), end))
        if len({_PHRASES[motion[0]] for motion in motions}) != 1:
            return []
        pace, before = _SPEED.search(text, digit.end(), end), _PACED.search(text[: digit.start()])
        things.append((name, _PHRASES[motions[0][0]], pace[0] if pace else PACED[before[1]] if before else ""))
    return things


def _figure(name: str) -> str:
    """nine -> 9"""
    return str(NAMES.index(name)) if name in NAMES else name


def one_of_two(
    digits: list[int], motions: list[str], speeds: list[str], rng: np.random.Generator
) -> tuple[str, tuple[str, ...]]:
    """A sentence for one of two digits, and what it mentions: nothing that holds of all."""
    i = int(rng.integers(2))
    return caption([digits[i]], [motions[i]], [speeds[i]], rng, forms=ONE_OF_TWO)[0], ()


def caption(
    digits: list[int],
    motions: list[str],
    speeds: list[str],
    rng: np.random.Generator,
    *,
    full: bool = False,
    forms: tuple[str, ...] = (),
) -> tuple[str, tuple[str, ...]]:
    """A sentence for one or two digits and what it mentions: `digits`, `motions` and perhaps `speeds`.

    `full`: the papers' own wording, without speeds. forms: other ones. Two digits are named in either order.
    """
    order = list(rng.permutation(len(digits))) if not full else list(range(len(digits)))
    forms = forms or (SINGLE if len(digits) == 1 else DOUBLE)
    form = forms[rng.integers(4 if full else len(forms))]
    with_speeds = not full and rng.random() < 0.35
    in_words = rng.random() < 0.5
    values = {}
    for digit, article, motion, which in zip("de", "ab", "mn", order, strict=False):
        name = NAMES[digits[which]] if in_words else str(digits[which])
        phrases = PHRASES[motions[which]]
        phrase = phrases[0] if full or rng.random() < 0.5 else phrases[rng.integers(len(phrases))]
        if with_speeds:
            pace = SPEEDS[speeds[which]]
            phrase = f"{phrase} {pace[rng.integers(len(pace))]}"
        values |= {digit: name, article: f"{'an' if digits[which] == 8 else 'a'} {name}", motion: phrase}
    mentioned = ("digits", "motions", "speeds") if with_speeds else ("digits", "motions")
    return form.format(**values), mentioned
