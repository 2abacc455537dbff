"""Weapons turned to where they point: their places and colors. The weapons are of letters, whose colors may be dyed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_blades import BLADES, letters_of, nearest_slope
from storyreel.worlds.sprites_figures import SIDE
from storyreel.worlds.sprites_weapon_shapes import COLORS, OUTLINE, SHAPES

KINDS = (*SHAPES, *BLADES)
REACH = 64  # pixels from a hand, farther than which no weapon is
Pixels = tuple[np.ndarray, np.ndarray]


def turned(
    kind: str,
    place: tuple[float, float],
    degrees: float,
    mirrored: bool,
    longer: int = 0,
    dyes: Mapping[str, str] | None = None,
    flipped: bool = False,
) -> Pixels:
    """(places (n, 2) int as row and column, colors (n, 3) uint8) of a weapon whose hand, or whose tip, is at `place`,
    and which points nearly there: to the nearest of eight directions, of sixteen if it is a blade.

    longer: pixels of its shaft besides those of its shape. dyes: letters in other colors than those of `COLORS`."""
    blade = BLADES.get(kind)
    degrees = nearest_slope(degrees) if blade else round(degrees / 45) * 45
    cos, sin = (round(each(math.radians(degrees)), 9) for each in (math.cos, math.sin))
    top, left = round(place[0]) - REACH, round(place[1]) - REACH
    dy, dx = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    along, across = dx * cos + dy * sin, dy * cos - dx * sin
    across = -across if flipped else across
    if blade:
        seen = letters_of(blade, along, across, min(filter(None, (abs(cos), abs(sin)))))
    else:
        seen = _letters_of_shape(kind, along, across, longer)
    filled = seen != "."
    line = _around(filled & (seen != "t")) & ~filled
    colors = np.zeros((*seen.shape, 3), np.uint8)
    for letter in set(seen[filled].tolist()):
        colors[seen == letter] = rgb((dyes or {}).get(letter, COLORS[letter]))[0]
    colors[line] = rgb(OUTLINE)[0]
    whole = filled | line
    rows, columns = (each[whole] for each in (dy + top + REACH, dx + left + REACH))
    return np.stack([rows, SIDE - 1 - columns if mirrored else columns], 1), colors[whole]


def _letters_of_shape(kind: str, along: np.ndarray, across: np.ndarray, longer: int) -> np.ndarray:
    """As `letters_of`, of a shape."""
    shape = SHAPES[kind]
    rows = [line[0] * longer + line for line in shape.rows]
    height, length = len(rows), max(map(len, rows))
    art = np.array([list(line.ljust(length, ".")) for line in rows])
    along = np.floor(along + shape.column + longer + 0.5).astype(int)
    across = np.floor(across + shape.row + 0.5).astype(int)
    inside = (along >= 0) & (along < length) & (across >= 0) & (across < height)
    return np.where(inside, art[across.clip(0, height - 1), along.clip(0, length - 1)], ".")


def _around(mask: np.ndarray) -> np.ndarray:
    """The mask and its four neighbors."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    return out
