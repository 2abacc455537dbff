"""Aprons, eyepatches, masks and ties that a prompt says, drawn over what a model draws (`sprites_mends`): no sheet has
any."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import RGB, rgb
from storyreel.worlds.sprites_cloth import Drape, hang, sway_at
from storyreel.worlds.sprites_dyes import RAMPS
from storyreel.worlds.sprites_figures import figures, side_of
from storyreel.worlds.sprites_free_words import color_words
from storyreel.worlds.sprites_hats import LYING

APRON = re.compile(r"\b(?:(\w+)\W+)?(?:(\w+)\W+)?aprons?\b")
SMITH = re.compile(r"\b(?:black)?smiths?\b")
EYEPATCH = re.compile(r"\beye\W?patch|\bone\W?eyed\b|\bpatch over (?:one|his|her|an|the)(?: left| right)? eye\b")
WORD = re.compile(r"[^\W_]+")
MASK = re.compile(r"\b(?:(\w+)\W+)?(?:face\W?)?mask(?:ed|s)?\b|\bninjas?\b|\bshinobi\b")
SUIT = re.compile(r"\b(?:suit(?! of)|tuxedo|tux|necktie|tie)\b")
TIE = re.compile(r"\b(\w+)\W+(?:bow\W?)?(?:tie|necktie)\b")
FRONTS = {"down": (36, 29, (6, 6, 4, 4, 4, 2, 2, 2)), "right": (37, 34, (4, 3, 3, 2, 2, 1, 1))}
"""Of a white shirt between lapels: first row, column, and the width of each row."""
LAPS = {"down": Drape(46, 5.0, 7.0, 31.5, hem=55), "right": Drape(47, 3.5, 6.0, 33.5, drift=1.0, hem=55)}
BIBS = {"down": (38, 28, 36), "right": (39, 32, 38)}  # first row, and columns from and to
WAIST = 46  # row in which it is tied
PATCHES = {  # row and column of the first of its pixels; a whole one, and one that leaves something of a face
    "down": (28, 25, (".oooo.", "ohhooo", "ohoooo", "oooooo", ".oooo.")),
    "right": (29, 32, ("ohoo", "oooo", "oooo")),
}
STRAPS = {  # row, columns from and to
    "down": ((28, 23, 24), (27, 25, 30), (26, 31, 35), (25, 36, 41)),
    "right": ((27, 23, 26), (28, 27, 31), (28, 36, 36), (27, 37, 37), (26, 38, 38), (25, 39, 39)),
}
MASKS = {  # over nose and mouth: the first row, and columns from and to
    "down": (32, ((26, 37), (26, 37), (27, 36), (28, 35), (29, 34))),
    "right": (32, ((29, 40), (29, 40), (30, 39), (31, 38), (32, 37))),
}
BLACK = "0c0a10 34303c"
LEATHER = "1d100a 3a2314 5a3a20 7a5430"  # of an apron, darker than a beard


def with_extras(frames: np.ndarray, attributes: Mapping[str, str], prompt: str) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same with what the prompt says of these."""
    color, patch = apron_in(prompt), EYEPATCH.search(prompt.lower())
    suit = attributes.get("torso", "").endswith((" tunic", " shirt")) and SUIT.search(prompt.lower()) is not None
    mask = MASK.search(prompt.lower())
    if not color and not patch and not suit and not mask:
        return frames
    action, side, out = attributes.get("action", "walk"), side_of(attributes), frames.copy()
    falls = action == "hurt"
    for view, drawing, moved in figures(out, attributes):
        if falls and drawing >= LYING - 1:
            break
        if color and not falls:
            _put_apron(view, side, rgb(LEATHER if color == "brown" else RAMPS[color]), moved, sway_at(action, drawing))
        if suit and side in FRONTS:
            _put_tie(view, side, tie_in(prompt), moved)
        if patch and side in PATCHES:
            _put_patch(view, side, moved)
        if mask and side in MASKS:
            _put_mask(view, side, rgb(RAMPS[color_words().get(mask[1] or "", "black")]), moved)
    return out


def _put_patch(frame: np.ndarray, side: str, moved: tuple[int, int]) -> None:
    dark, light = rgb(BLACK)
    row, column, patch = PATCHES[side]
    top, left = row + moved[0], column + moved[1]
    for row, first, last in STRAPS[side]:
        frame[row + moved[0], first + moved[1] : last + 1 + moved[1], :3] = dark
    for i, row in enumerate(patch):
        for j, letter in enumerate(row):
            if letter != ".":
                frame[top + i, left + j, :3] = light if letter == "h" else dark


def _put_mask(frame: np.ndarray, side: str, ramp: tuple[RGB, ...], moved: tuple[int, int]) -> None:
    top, rows = MASKS[side]
    for i, (first, last) in enumerate(rows):
        part = frame[top + moved[0] + i, first + moved[1] : last + 1 + moved[1], :3]
        part[:] = ramp[2 if i == 0 else 1]


def words_of_extras(prompt: str) -> frozenset[str]:
    """The words of the prompt that say an eyepatch or a mask, which no attribute of this world does."""
    found = (match[0] for kind in (EYEPATCH, MASK) for match in kind.finditer(prompt.lower()))
    return frozenset(word for each in found for word in WORD.findall(each) if word not in color_words())


def tie_in(prompt: str) -> str:
    """The color of a tie, of `RAMPS`; red where none is said."""
    found = TIE.search(prompt.lower())
    color = color_words().get(found[1], "") if found else ""
    return color if color in RAMPS else "red"


def _put_tie(frame: np.ndarray, side: str, color: str, moved: tuple[int, int]) -> None:
    ramp, shirt = rgb(RAMPS[color]), rgb(RAMPS["white"])
    top, left, widths = FRONTS[side]
    for i, width in enumerate(widths):
        row = frame[top + moved[0] + i]
        first = left + moved[1] + (max(widths) - width) // 2 * (side == "down")
        row[first : first + width, :3] = shirt[2]
        middle = left + moved[1] + (2 if side == "down" else 1)
        row[middle : middle + (2 if side == "down" else 1), :3] = ramp[1 + (i % 4 > 0)]


def apron_in(prompt: str) -> str:
    """The color of the apron that the prompt says, of `RAMPS`; of leather it is brown, as that of a smith, else white.
    "" for none."""
    found = APRON.search(prompt.lower())
    if not found:
        return "brown" if SMITH.search(prompt.lower()) else ""
    words = [word for word in found.groups() if word]
    named = (color_words().get(word, "brown" if word == "leather" else "") for word in words)
    return next((color for color in named if color in RAMPS), "white")


def _put_apron(frame: np.ndarray, side: str, ramp: tuple[RGB, ...], moved: tuple[int, int], sway: float) -> None:
    down, right = moved
    if side == "up":  # its strings
        frame[WAIST + down, 25 + right : 39 + right, :3] = ramp[2]
        frame[WAIST + down : WAIST + down + 3, 31 + right : 33 + right, :3] = ramp[1]
        return
    hang(frame, LAPS[side], ramp, right, sway)
    row, first, last = BIBS[side]
    bib = frame[row + down : WAIST + 1, first + right : last + right, :3]
    bib[:] = ramp[2]
    bib[:, 0] = bib[:, -1] = ramp[1]
    bib[0] = ramp[3]
    frame[WAIST : WAIST + 1, first + right - 2 : last + right + 2, :3] = ramp[0]
    if side == "right":  # its string, and the knot behind
        frame[WAIST + down, 26 + right : first + right, :3] = ramp[2]
        frame[WAIST + down : WAIST + down + 3, 26 + right, :3] = ramp[2]
