"""Headgear of the sprites world, drawn onto heads: no sheet has a hat with a brim, and a crown gets lost in hair.

Where a head is in each drawing of an action is known, so the model draws a bare head with hair, and what the prompt
says is drawn over that. The hats are ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_completion import HAIRLESS, MONSTERS
from storyreel.worlds.sprites_dyes import RAMPS, leather_in
from storyreel.worlds.sprites_figures import MOVED, SIDE, STILL, ground_of, is_ground, side_of
from storyreel.worlds.sprites_free_words import (
    ADJECTIVES,
    BETWEEN,
    DENYING,
    TOPPED,
    TOPPED_LIKE,
    color_words,
)
from storyreel.worlds.sprites_hairdos import without_hairdo
from storyreel.worlds.sprites_hat_shapes import COLORS, SHAPES
from storyreel.worlds.sprites_parts import FRAMES, drawing_at
from storyreel.worlds.sprites_reader import implied, other_colors, read_freely, tokens_of
from storyreel.worlds.sprites_spelling import Phrase, affirmed

HEADS_END = 24  # rows of a veil from behind that are about a head
LONGEST = 19  # rows of a hood that are on a head, and not on shoulders
CROUCHED, LOWER, TALL = 4, 6, ("wizard hat", "witch hat")  # drawing of `hurt` in which hats are lower, by so many rows
BOWED = 3  # drawing of `hurt` from which on nobody's face is seen
LYING = 5  # drawing of `hurt` from which on nobody's head is upright
HOOD, HOODS, CLOSE = "cloth hood", ("hood", "veil"), ("hood", "turban", "veil")  # below the latter no hair sticks out
OUTFITS = {"clothes", "clothing", "outfit", "garments", "garb", "gear"}  # words for the shirt and pants beside a hood
_WITH_HOOD = re.compile(r"\b(\w+) (?:cloak|cape|robe|mantle) and (?:a )?(?:hood|cowl)\b")
_NAMES = re.compile(r"\brobin hood\b", re.IGNORECASE)  # names with headgear in them
LYING_ROWS = 78  # the row of a pixel of a head that stands, and that of the same one that lies, together
LYING_ASIDE = {"male": 3, "female": 2}  # columns by which it lies further to the right
HIGHER = 3  # rows by which headgear that would go beyond the lower edge is further up
LYING_COLUMNS = (25, 45)  # of a head that lies
OPEN = ("crown", "tiara", "circlet", "flower wreath", "halo", "demon horns")  # hair is seen above them
LOST = ("tiara", "circlet", "halo")  # of which nothing but a bar would be seen on a head that lies
EARS = 6  # columns by which the ears of orcs stick out, and rows from a chin to where they end
BROW, TUFTED = 8, 14  # rows of a hood: that in which it is widest over a brow, and those beside which hair may be
TUFT = 4  # columns of that
OUTLINE = (40, 24, 32)  # of skin
SKIN, LIT = 160, 70  # red of what is no hair, and the lightest channel of what is no outline
HIGHEST = 8  # row: above it nothing is hair
GOLD, BLACK, STRAW = "4a2f04 b8800f e8b42a fbe57a", "060608 1f1f27 33333f 50505f", "4f3510 b0852f dcb65c f5dd95"
OWN = {  # kind -> its color where none is said, dark to light
    **dict.fromkeys(("crown", "tiara", "circlet"), GOLD),
    **dict.fromkeys(("witch hat", "pirate hat", "top hat"), BLACK),
    **dict.fromkeys(("straw hat", "sombrero"), STRAW),
    **dict.fromkeys(("jester cap", "santa hat"), RAMPS["red"]),
    **dict.fromkeys(("wolf head", "bull head"), RAMPS["fur"]),
    "zombie head": RAMPS["rotten"],
    "turban": RAMPS["white"],
    "lizard head": "0a280b 19541d 2f9a43 53bf71",
    "hood": RAMPS["brown"],
    "halo": "d8a020 f0c53c fbe06a fff6b8",
    "wizard hat": RAMPS["blue"],
    "cowboy hat": RAMPS["brown"],
}
METALS = {
    "gold": "golden",
    "golden": "golden",
    "silver": "silver",
    "iron": "gray",
    "steel": "silver",
    "bronze": "brown",
}
SHADES = ("dark", "light", "pale", "bright")  # words before a color
HEADWEAR = ("hat", "cap", "helmet")  # alone, such a word says what somebody of a calling wears
FEMALE_UP = (1, 0)  # by which a woman's head is lower, from behind
ORCS = {"down": (2, 0), "right": (5, 1), "up": (3, 0)}  # and those of orcs


@dataclass(frozen=True)
class Headgear:
    """What is drawn onto a head.

    kind: of `SHAPES`. phrase: what of the prompt says it; "" where somebody of a calling wears it. ramp: its color,
    dark to light. sex, body, action, facing: of who wears it.
    """

    kind: str
    phrase: str
    ramp: str
    sex: str
    body: str
    action: str
    facing: str

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with it on. Other frames come as they
        are."""
        if frames.shape[1:3] != (SIDE, SIDE):
            return frames
        mirrored = self.facing == "left" and self.action != "hurt"
        top, left, shape = art(self.kind, self.side)
        painted = self._painted(shape)
        out = frames.copy()
        ground = ground_of(frames)
        for i, frame in enumerate(out):
            drawing = drawing_at(self.action, i % FRAMES, FRAMES)
            if self.action == "hurt" and (drawing >= LYING or i >= FRAMES):
                self._put_lying(frame, ground)
                continue
            down, right = self.moved(drawing)
            if self.action == "hurt" and drawing >= BOWED and self.kind.endswith((" head", "veil")):  # seen from above
                top, left, shape = art(self.kind, "up")
                shape = shape[:HEADS_END]
                painted = self._painted(shape)
            if self.action == "hurt" and drawing == CROUCHED and self.kind in TALL:  # its tip is towards us
                whole = art(self.kind, "down")
                shape = whole[2][np.linspace(0, len(whole[2]) - 1, len(whole[2]) * 3 // 5).round().astype(int)]
                top, painted = whole[0] + len(whole[2]) - len(shape) + LOWER, self._painted(shape)
            if self.kind.endswith(" head"):
                _without_ears(frame[:, ::-1] if mirrored else frame, (top + down, left + right), shape, ground)
            _put(frame[:, ::-1] if mirrored else frame, (top + down, left + right), shape, painted)
            if self.kind not in OPEN:
                _without_hair(frame[:, ::-1] if mirrored else frame, (top + down, left + right), shape, ground)
            if self.kind in CLOSE:
                view, brow = frame[:, ::-1] if mirrored else frame, self.kind in HOODS and self.side == "right"
                _without_tufts(view, (top + down, left + right), shape, ground, brow)
        return out

    def _painted(self, shape: np.ndarray) -> np.ndarray:
        """Its colors, uint8 (h, w, 3)."""
        colors = {letter: rgb(color)[0] for letter, color in COLORS.items()}
        colors |= {str(i): color for i, color in enumerate(rgb(self.ramp), 1)}
        painted = np.zeros((*shape.shape, 3), np.uint8)
        for letter in set(shape.ravel().tolist()) - {"."}:
            painted[shape == letter] = colors[letter]
        return painted

    def _put_lying(self, frame: np.ndarray, ground: np.ndarray) -> None:
        """On a head that lies upside down, seen from behind; what would go beyond the frame is foreshortened."""
        if self.kind in LOST:
            return
        top, left, shape = art(self.kind, "up")
        shape = shape[: LONGEST if self.kind in HOODS else None][::-1]
        first = LYING_ROWS - (top + len(shape) - 1)
        beyond = max(0, first + len(shape) - SIDE)
        first -= beyond if self.kind.endswith(" head") else min(beyond, HIGHER)
        room = SIDE - first
        if len(shape) > room:
            shape = shape[np.linspace(0, len(shape) - 1, room).round().astype(int)]
        place = (first, left + LYING_ASIDE[self.sex])
        _put(frame, place, shape, self._painted(shape))
        if self.kind not in OPEN:
            _without_hair_below(frame, place, shape, ground)

    @property
    def side(self) -> str:
        return "down" if self.action == "hurt" else {"left": "right"}.get(self.facing, self.facing)

    def moved(self, drawing: int) -> tuple[int, int]:
        """(down, right) from the place on a man who stands to that in this drawing."""
        worn = {"sex": self.sex, "body": self.body, "action": self.action, "facing": self.facing}
        return head_moved(worn, drawing)


def head_moved(attributes: Mapping[str, str], drawing: int) -> tuple[int, int]:
    """(down, right) from the place of a head on a man who stands to that in this drawing, as seen from `side_of`."""
    sex, action, side = attributes.get("sex", "male"), attributes.get("action", "walk"), side_of(attributes)
    orc = attributes.get("body") in MONSTERS
    down, right = MOVED.get((sex, action, side), {}).get(drawing, STILL)
    if orc and (sex, action) == ("male", "walk"):
        down = 0
    lower, aside = ORCS[side] if orc else FEMALE_UP if (sex, side) == ("female", "up") else STILL
    if orc and (action, side) == ("slash", "up"):
        lower += 2
    return down + lower, right + aside


def topped(prompt: str, attributes: Mapping[str, str]) -> tuple[dict[str, str], Headgear | None]:
    """The attributes with the head that a model is to draw, a bare one, and what is drawn onto it; of these the same
    comes again. None where the prompt says no headgear of ours."""
    found, (kind, color, phrase) = without_hairdo(prompt, attributes), headgear_in(prompt)
    if not kind:
        return found, None
    if found.pop("head", None) and found.get("body") not in HAIRLESS:
        seen = implied(prompt, {**read_freely(prompt), "head": "bare head"})  # as of an old man
        found = {name: seen[name] for name in ("hair_color", "hair_style") if name in seen} | found
    if kind in CLOSE and "hair_style" in found:
        found |= {"hair_style": "plain hair", "hair_color": "brown"}  # which does not stick out, or is taken away
    robe, _, worn = read_freely(prompt).get("torso", "").partition(" ")
    if kind == "wizard hat" and worn == "robe":
        color = color or robe  # a wizard's hat goes with what the wizard wears
    if kind.endswith(" head"):
        color = other_colors(prompt).get("body", ("", color))[1]  # a head has the skin of its body
    ramp = RAMPS.get(color) or OWN.get(kind) or BLACK
    sex, body = found.get("sex", "male"), found.get("body", "light")
    return found, Headgear(kind, phrase, ramp, sex, body, found.get("action", "walk"), found.get("facing", "down"))


@lru_cache(maxsize=512)
def headgear_in(prompt: str) -> tuple[str, str, str]:
    """(the kind of headgear that the prompt says, of `SHAPES`, its color, the words that say it); "" for what it does
    not say."""
    named, likes = _phrases()
    prompt = _NAMES.sub("robin", prompt)
    known = {*named, *likes, *((word,) for word in HEADWEAR)}
    longest = max(map(len, known)) + 1
    tokens, denied = affirmed(tokens_of(prompt), known, longest, DENYING, BETWEEN)
    phrase, colors = _found(tokens, named)
    read = read_freely(prompt)
    if phrase and read.get("head") == "chain hood":
        return "", "", ""
    if phrase:
        kind = _fitting(named[phrase], tokens)
        color = _color(colors) or (_hood_color(prompt, {**implied(prompt, read), **read}) if kind in HOODS else "")
        return kind, color, " ".join((*colors, *phrase))
    calling, _ = _found(tokens, likes)
    seen = {**implied(prompt, read), **read}
    if calling and likes[calling] == "veil" and not denied and read.get("hair_style") != "bald" and "head" not in read:
        return "veil", _hood_color(prompt, seen), ""
    if seen.get("head") == HOOD or "hooded" in tokens:
        return "hood", _hood_color(prompt, seen), ""
    generic, colors = _found(tokens, {(word,): word for word in HEADWEAR})
    other = read.get("head") if not generic or read.get("head") != "leather cap" else None
    if not calling or denied or other or read.get("hair_style") == "bald":
        return "", "", ""
    return likes[calling], _color(colors) if generic else "", " ".join((*colors, *generic)) if generic else ""


def _hood_color(prompt: str, seen: Mapping[str, str]) -> str:
    """The color that the prompt says of a hood, or of the cloak, robe or dress that it belongs to."""
    colors = other_colors(prompt)
    if shared := _WITH_HOOD.search(prompt.lower()):
        return color_words().get(shared[1], "brown")
    if "head" in colors:
        return colors["head"][1]
    if {"hood", "cowl"} & {*tokens_of(prompt)} and "hooded" not in prompt:
        return colors["torso"][1] if "torso" in colors and OUTFITS & {*tokens_of(prompt)} else "brown"
    if "cape" in seen:
        return seen["cape"].partition(" ")[0]
    if leather := leather_in(prompt):
        return leather
    return colors.get("torso", ("", seen.get("torso", "").partition(" ")[0]))[1]


def art(kind: str, side: str) -> tuple[int, int, np.ndarray]:
    """(row, column, letters (h, w)) of a shape from this side."""
    shift = 0
    if (kind, side) not in SHAPES:
        shift = -1 if side == "right" else 0  # a head from the side is a column further left
        side = "up" if (kind, "up") in SHAPES and side == "right" else "down"
    top, left, text = SHAPES[kind, side]
    rows = text.split()
    return top, left + shift, np.array([list(row) for row in rows])


@cache
def _phrases() -> tuple[dict[Phrase, str], dict[Phrase, str]]:
    """(what says headgear, who wears some) -> its kind."""
    named, likes = (
        {tokens_of(p): kind for kind, names in table.items() for p in names} for table in (TOPPED, TOPPED_LIKE)
    )
    return named, likes


def _found(tokens: Phrase, known: Mapping[Phrase, str]) -> tuple[Phrase, Phrase]:
    """(the longest of these phrases that there is, colors before it or in it); () for none."""
    colored = {**color_words(), **METALS}
    places = [i for i, word in enumerate(tokens) if word not in colored]
    plain = tuple(tokens[i] for i in places)
    for length in range(max(map(len, known)), 0, -1):
        for at in range(len(plain) - length + 1):
            if plain[at : at + length] not in known:
                continue
            first, last = places[at], places[at + length - 1]
            while first and (tokens[first - 1] in colored or tokens[first - 1] in ADJECTIVES):
                first -= 1
            inside = tuple(word for word in tokens[first:last] if word in colored)
            return plain[at : at + length], inside
    return (), ()


def _color(words: Phrase) -> str:
    """The color that these words say, of `RAMPS`; "" for none."""
    colored = {**color_words(), **METALS}
    words = tuple(word for word in words if word not in SHADES) or words
    return next((colored[word] for word in words if colored[word] in RAMPS), "")


def _fitting(kind: str, tokens: Phrase) -> str:
    """A pointed hat is a wizard's on the head of one."""
    return "wizard hat" if kind == "witch hat" and {"wizard", "mage", "sorcerer", "warlock"} & {*tokens} else kind


def _put(frame: np.ndarray, place: tuple[int, int], shape: np.ndarray, painted: np.ndarray) -> None:
    rows, columns = np.nonzero(shape != ".")
    y, x = rows + place[0], columns + place[1]
    inside = (y >= 0) & (y < SIDE) & (x >= 0) & (x < SIDE)
    frame[y[inside], x[inside], :3] = painted[rows[inside], columns[inside]]
    frame[y[inside], x[inside], 3:] = 255


def _without_hair(frame: np.ndarray, place: tuple[int, int], shape: np.ndarray, ground: np.ndarray) -> None:
    """Nothing sticks out above a hat."""
    for column in np.flatnonzero((shape != ".").any(0)):
        first = int(np.flatnonzero(shape[:, column] != ".")[0]) + place[0]
        x = int(column) + place[1]
        if 0 <= x < SIDE:
            frame[min(HIGHEST, max(first, 0)) : max(first, 0), x] = ground


def _without_hair_below(frame: np.ndarray, place: tuple[int, int], shape: np.ndarray, ground: np.ndarray) -> None:
    """Of a head that lies nothing sticks out beneath a hat."""
    for x in range(*LYING_COLUMNS):
        if not 0 <= x - place[1] < shape.shape[1]:
            continue
        seen = np.flatnonzero(shape[:, x - place[1]] != ".").tolist()
        for row in range(seen[0], SIDE - place[0]) if seen else ():
            if row not in seen:
                frame[place[0] + row, x] = ground


def _without_tufts(
    frame: np.ndarray, place: tuple[int, int], shape: np.ndarray, ground: np.ndarray, brow: bool
) -> None:
    """Of hair nothing is seen beside a hood; skin stays, as that of a raised hand. brow: is seen at the right, and gets
    an outline in place of hair."""
    widest = np.flatnonzero((shape[: BROW + 1] != ".").any(0))[[0, -1]] + place[1]
    for i in range(TUFTED):
        inside = np.flatnonzero(shape[min(i, BROW)] != ".")[[0, -1]] + place[1]
        row = frame[place[0] + i]
        for beside in (slice(max(0, widest[0] - TUFT), inside[0]), slice(inside[1] + 1, widest[1] + 1 + TUFT)):
            hair = row[beside, 0] < SKIN
            row[beside][hair] = ground
    for row in frame[place[0] + BROW : place[0] + TUFTED] if brow else ():
        edge = widest[1] - TUFT + int(np.argmax(is_ground(row[widest[1] - TUFT :], ground)))
        if row[edge - 1, :3].max() >= LIT and is_ground(row[edge], ground):
            row[edge, :3] = OUTLINE
            row[edge, 3:] = 255


def _without_ears(frame: np.ndarray, place: tuple[int, int], shape: np.ndarray, ground: np.ndarray) -> None:
    """Of the head of an orc nothing is seen beside that of another creature, above its shoulders."""
    first = max(0, place[0])
    beside = slice(max(0, place[1] - EARS), place[1] + shape.shape[1] + EARS)
    frame[first : place[0] + shape.shape[0] - EARS, beside] = ground
