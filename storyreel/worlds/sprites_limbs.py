"""Parts of a body that are drawn over what a model draws, in colors that are seen of somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storyreel.worlds.sprites_figures import SIDE, is_ground
from storyreel.worlds.sprites_grips import OUTLINE

LIGHT = (-0.55, -0.4)  # where light comes from, of the radius of a part
SHADES = (0.62, 1.3)  # how far from there the light and the middle shade end
DARK, LEAST = 130, 0.15  # the sum of a color's channels up to which it is a line; the share of what is none
OTHER, ALIKE = 30, 120  # by how much, in all channels, a shade is darker or lighter than the commonest, and at most
SKIN_NEAR, SAME = 30, 40  # in all channels, to a color of skin, or to one that counts as the same
MOST = 0.5  # share of what is lit that is no skin, where something is worn that is not of its color
SHARES = (0.05, 0.25, 0.65, 0.96)  # of the pixels of a part that are darker than its four shades
METAL, CLOTH = 0.9, 0.6  # by how much, of the sum of its channels, shades of such may differ from the commonest
LINE, FLAT = 80, 0.9  # the most of a line's channels together; a share of the lightest shade's, of which all others are
SHADE = 0.78  # of a color's channels, where no darker one like it is seen

Box = tuple[int, int, int, int]  # rows and columns, from and to


@dataclass(frozen=True)
class Limb:
    """A part of a body: all that is nearer than `radius` to the line from one place to the other (row, column)."""

    name: str
    start: tuple[float, float]
    end: tuple[float, float]
    radius: float


def ramp_in(frame: np.ndarray, box: Box, ground: np.ndarray, skin: np.ndarray | None = None) -> np.ndarray:
    """uint8 (3, 3), dark to light: the commonest color of a box that is not of the skin, and two shades of it."""
    seen = _seen_in(frame, box, ground)
    if not len(seen):
        return np.array([OUTLINE] * 3, np.uint8)
    colors, counts, light, main = _worn(seen, skin)
    away = _apart(colors, colors[main : main + 1])[:, 0]
    shades = [(counts * ((light - light[main]) * sign >= OTHER) * (away <= ALIKE)) for sign in (-1, 1)]
    darker, lighter = (colors[each.argmax()] if each.any() else None for each in shades)
    darker = (colors[main] * SHADE).astype(np.uint8) if darker is None else darker
    return np.stack([darker, colors[main], colors[main] if lighter is None else lighter])


def shades_in(
    frame: np.ndarray, box: Box, ground: np.ndarray, skin: np.ndarray | None = None, near: float = METAL
) -> np.ndarray:
    """uint8 (5, 3): a dark line, and four shades of what is in a box and not of the skin, dark to light. near: by how
    much, of the sum of its channels, those may differ from the commonest."""
    seen = _seen_in(frame, box, ground)
    if not len(seen):
        return np.array([OUTLINE] * 5, np.uint8)
    colors, counts, light, main = _worn(seen, skin)
    alike = _apart(colors, colors[main : main + 1])[:, 0] <= max(LINE, near * light[main])
    order = np.argsort(light[alike], kind="stable")
    every = np.repeat(colors[alike][order], counts[alike][order], axis=0)
    picked = np.stack([every[int(share * len(every))] for share in SHARES])
    if picked[0].sum() > FLAT * picked[-1].sum():
        picked[:2] = picked[:2] * [[SHADE], [(1 + SHADE) / 2]]
    line = every[0] if every[0].sum() <= LINE else (every[0] * (LINE / every[0].sum())).astype(np.uint8)
    return np.stack([line, *picked])


def _seen_in(frame: np.ndarray, box: Box, ground: np.ndarray) -> np.ndarray:
    """uint8 (n, 3): the colors in a box, without the ground."""
    top, bottom, left, right = box
    seen = frame[top:bottom, left:right].reshape(-1, frame.shape[-1])
    return seen[~is_ground(seen, ground)][:, :3]


def _worn(seen: np.ndarray, skin: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Of pixels, uint8 (n, 3): the colors, (m, 3), of what is worn, how many there are, how light each is, and which is
    the commonest, with those like it."""
    colors, counts = np.unique(seen, axis=0, return_counts=True)
    light = colors.astype(int).sum(1)
    lit = light > DARK
    worn = _apart(colors, skin).min(1) > SKIN_NEAR if skin is not None else lit | True
    fit = lit & worn
    if counts[fit].sum() <= MOST * counts[lit].sum():  # leather on brown skin, or a black robe that is open
        fit = lit if counts[lit].sum() > MOST * counts.sum() else ~lit & worn
    if counts[fit].sum() < LEAST * counts.sum():  # as of black shoes
        fit = light >= 0
    colors, counts = colors[fit], counts[fit]
    return colors, counts, light[fit], int(((_apart(colors, colors) <= SAME) @ counts).argmax())


def _apart(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far colors (n, 3) are from others (m, 3), in all three channels: (n, m)."""
    return np.abs(some[:, None].astype(int) - others.astype(int)).sum(-1)


def put_limbs(frame: np.ndarray, parts: Sequence[Limb], ramp: np.ndarray, behind: np.ndarray | None = None) -> None:
    """Draw parts that hang together into a frame, uint8 (64, 64, 3 or 4), with a line around them, lit from the upper
    left. ramp: uint8 (3, 3), dark to light. behind: the ground, if they are seen on that alone."""
    free = True if behind is None else is_ground(frame, behind)
    drawn = [_shades_of(part) for part in parts]
    whole = np.any([shade >= 0 for shade, _ in drawn], 0)
    line = np.any([edge for _, edge in drawn], 0) & ~whole & free
    frame[line, :3] = OUTLINE
    frame[line, 3:] = 255
    for shade, _ in drawn:
        inside = (shade >= 0) & free
        frame[inside, :3] = ramp[shade[inside]]
        frame[inside, 3:] = 255


def _shades_of(part: Limb) -> tuple[np.ndarray, np.ndarray]:
    """int (64, 64): where a part is, its shade, else -1; bool (64, 64): the line around it."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    start, line = np.array(part.start), np.subtract(part.end, part.start)
    along = ((rows - start[0]) * line[0] + (columns - start[1]) * line[1]) / max(1e-6, float(line @ line))
    near = start[:, None, None] + line[:, None, None] * along.clip(0, 1)
    dy, dx = (rows - near[0]) / part.radius, (columns - near[1]) / part.radius
    away, lit = np.hypot(dy, dx), np.hypot(dy - LIGHT[0], dx - LIGHT[1])
    shade = np.where(lit < SHADES[0], 2, np.where(lit < SHADES[1], 1, 0))
    return np.where(away <= 1, shade, -1), (away > 1) & (away <= 1 + 1 / part.radius)
