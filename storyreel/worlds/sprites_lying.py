"""The parts of somebody who lies on the ground (`sprites_fallen`): what is inside of each, how lit it is, its texture.

A texture, float (64, 64), is what makes a place lighter or darker than its shape does, and goes by what the part is
made of.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from storyreel.worlds.sprites_figures import SIDE

ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(float)
LIGHT, REACH = (-0.5, -0.4), 1.75  # where light comes from, of the radius of a part, and how far it is seen
SHADES = (0.26, 0.5, 0.78)  # of light, where the next shade begins
STRANDS, RINGS, FOLD = 15, 0.24, 0.22  # of hair, all around; how dark a ring of mail and a fold are
RAGGED = {"curly": 0.07, "messy": 0.09, "unkempt": 0.1, "spiky": 0.1, "tousled": 0.08, "wavy": 0.04}
"""A word of a hair style -> by how much hair sticks out."""


class LyingPart(NamedTuple):
    """inside: bool (64, 64). lit: float (64, 64), 0 in the dark, 1 in full light."""

    inside: np.ndarray
    lit: np.ndarray


def rounded(start: tuple[float, float], end: tuple[float, float], radius: float, wide: float = 1.0) -> LyingPart:
    """All that is nearer than a radius to the line from one place to the other (row, column). wide: how much further
    it goes aside."""
    line = np.subtract(end, start)
    along = ((ROWS - start[0]) * line[0] + (COLUMNS - start[1]) * line[1]) / max(1e-6, float(line @ line))
    along = along.clip(0, 1)
    dy = (ROWS - start[0] - line[0] * along) / radius
    dx = (COLUMNS - start[1] - line[1] * along) / (radius * wide)
    return LyingPart(np.hypot(dy, dx) <= 1, 1 - np.hypot(dy - LIGHT[0], dx - LIGHT[1]) / REACH)


def broad(halves: tuple[tuple[float, float], ...], middle: float) -> LyingPart:
    """What is as broad, on both sides of a column, as these pairs say: row, half a width."""
    rows, widths = zip(*halves, strict=True)
    half = np.interp(ROWS, rows, widths)
    aside = (COLUMNS - middle) / half
    lit = 0.66 - 0.22 * aside - 0.26 * aside**2 - 0.012 * (ROWS - rows[0])
    return LyingPart((np.abs(aside) <= 1) & (rows[0] <= ROWS) & (rows[-1] >= ROWS), lit)


def paint_shape(frame: np.ndarray, shape: LyingPart, ramp: np.ndarray, texture: np.ndarray | float = 0.0) -> None:
    """Draw it into a frame, uint8 (64, 64, 3 or 4), with a line around it. ramp: uint8 (5, 3), the line's color, and
    four from dark to light."""
    around = np.pad(shape.inside, 1)
    near = around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
    shade = 1 + np.digitize(shape.lit + texture, SHADES)
    shade[~shape.inside] = 0
    there = near | shape.inside
    frame[there, :3] = ramp[shade[there]]
    frame[there, 3:] = 255


def strands(row: float, column: float, radius: float) -> np.ndarray:
    """Hair that falls to all sides from a crown at this place."""
    far, turn = _around(row, column)
    wave = np.sin(STRANDS * turn + 1.3 * np.sin(3 * turn) + 0.35 * far)
    return 0.24 * wave * (far / radius).clip(0.3, 1)


def locks(middle: float) -> np.ndarray:
    """Hair that hangs straight, or the folds of cloth."""
    return 0.22 * np.sin((COLUMNS - middle) * 1.9 + 0.8 * np.sin(ROWS / 4)) - 0.08 * (ROWS % 5 == 0)


def ragged(shape: LyingPart, row: float, column: float, radius: float, style: str) -> LyingPart:
    """The same with hair that sticks out, as its style says."""
    most = next((much for word, much in RAGGED.items() if word in style), 0.0)
    if not most:
        return shape
    far, turn = _around(row, column)
    return LyingPart(far <= radius * (1 + most * np.sin(11 * turn + np.sin(4 * turn))), shape.lit)


def mail() -> np.ndarray:
    """Rows of rings."""
    return np.where((ROWS % 2 == 0) & ((COLUMNS + ROWS // 2) % 2 == 0), -RINGS, RINGS / 4)


def seam(middle: float, dark: float = -0.3, light: float = 0.12) -> np.ndarray:
    """A dark line down the middle, and a light one to the left of it."""
    aside = COLUMNS - round(middle)
    return np.where(aside == 0, dark, np.where(aside == -1, light, 0.0))


def bands(rows: tuple[float, ...], dark: float = -0.34, light: float = 0.16) -> np.ndarray:
    """Dark lines across, each with a light one below."""
    out = np.zeros((SIDE, SIDE))
    for row in rows:
        out = np.where(row == ROWS, dark, np.where(row + 1 == ROWS, light, out))
    return out


def polished(row: float, column: float, radius: float) -> np.ndarray:
    """Of a round helmet: a bright crest with dark lines beside it, a rim at the nape, and a gleam."""
    far, _ = _around(row, column)
    aside = np.abs(COLUMNS - column)
    crest = np.where(aside < 1, 0.4, np.where(aside < 2, -0.28, 0.0)) * (far < radius - 1)
    rim = (far > radius - 2.2) & (row - 2 > ROWS)
    inner = (far > radius - 3.3) & ~rim & (row - 2 > ROWS)
    gleam = np.hypot(ROWS - row + 3.5, COLUMNS - column + 4.5) < 1.6
    return crest - 0.18 + 0.2 * rim - 0.5 * inner + 0.5 * gleam


def _around(row: float, column: float) -> tuple[np.ndarray, np.ndarray]:
    """How far each pixel is from a place, and in which direction: float (64, 64) each."""
    return np.hypot(ROWS - row, COLUMNS - column), np.arctan2(ROWS - row, COLUMNS - column)
