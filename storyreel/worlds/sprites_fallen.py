"""Who lies on the ground, drawn over the last drawing of a fall: of that models make a heap of clothes.

They lie on their face, head towards the viewer, in the colors that they have while they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from storyreel.worlds.sprites_figures import SIDE, figures, ground_of, is_ground
from storyreel.worlds.sprites_grips import OUTLINE, skin_in

LYING = 5  # the drawing of `hurt` in which somebody lies
MIDDLE = 34.5  # column of the backbone
LIGHT = (-0.55, -0.4)  # where light comes from, of the radius of a part
SHADES = (0.62, 1.0, 1.3)  # how far from there the shades end, the lightest first
BOXES = {  # rows and columns of somebody who stands
    "head": (15, 22, 27, 37), "torso": (40, 45, 27, 37), "legs": (51, 56, 26, 38), "feet": (58, 62, 25, 39),
    "hands": (45, 49, 20, 23),
}  # fmt: skip
SLEEVELESS = (" dress", " corset", "bare chest", "leather armor")  # whose arms are bare
COVERED = ("torso", "legs")  # of which skin is seen beside them
GOWNS = (" dress", " robe")  # which cover legs
DARK, LEAST = 130, 0.15  # the sum of a color's channels up to which it is a line; the share of what is none
OTHER, ALIKE = (
    30,
    120,
)  # by how much, of its three channels, a shade is darker or lighter than the commonest, and at most
SKIN_NEAR, SAME = 30, 40  # of its channels, to a color of skin, or to one that counts as the same
MOST = 0.5  # share of what is lit that is no skin, where something is worn that is not of its color
SHADE = 0.78  # of a color's channels, where no darker one like it is seen


@dataclass(frozen=True)
class Part:
    """A part of a body: all that is nearer than `radius` to the line from one place to the other (row, column)."""

    name: str
    start: tuple[float, float]
    end: tuple[float, float]
    radius: float


SIDES = (  # of the left side; the other one is its mirror image
    Part("legs", (38.5, 31.0), (33.5, 26.0), 2.7),
    Part("feet", (30.8, 23.2), (33.0, 22.4), 2.7),
    Part("arms", (45.5, 27.0), (52.0, 23.4), 2.4),
    Part("hands", (53.6, 22.0), (55.4, 21.2), 2.3),
)
BACK = (Part("torso", (43.0, 31.5), (43.0, 37.5), 6.4),)
GOWN = (Part("torso", (39.5, 29.0), (39.5, 40.0), 5.0), *BACK)
HEAD = Part("head", (53.6, MIDDLE), (53.6, MIDDLE), 9.0)


def with_fallen(frames: np.ndarray, attributes: Mapping[str, str]) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same; who has fallen lies there whole."""
    if attributes.get("action") != "hurt":
        return frames
    out, ground = frames.copy(), ground_of(frames)
    ramps = _ramps(frames[0], ground, attributes)
    gown = attributes.get("torso", "").endswith(GOWNS)
    parts = (*(part for part in SIDES if not (gown and part.name == "legs")), *(GOWN if gown else BACK), HEAD)
    for view, drawing, _ in figures(out, attributes):
        if drawing < LYING:
            continue
        view[:] = ground
        for part in parts:
            _put(view, part, ramps[part.name])
            if part in SIDES:
                mirrored = [(row, 2 * MIDDLE - column) for row, column in (part.start, part.end)]
                _put(view, Part(part.name, *mirrored, part.radius), ramps[part.name])
    return out


def _ramps(frame: np.ndarray, ground: np.ndarray, attributes: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Part -> its colors while somebody stands, uint8 (3, 3), the darkest first."""
    skin = skin_in(frame, "down", mirrored=False)
    bare = skin is None or "bare" in attributes.get("torso", "bare") or attributes.get("body") == "skeleton"
    ramps = {
        name: _ramp(frame, box, ground, None if bare or name not in COVERED else skin) for name, box in BOXES.items()
    }
    if skin is not None and attributes.get("body") != "skeleton" and "hands" not in attributes:
        ramps["hands"] = skin
    if attributes.get("body") == "skeleton" and "torso" not in attributes:
        ramps |= dict.fromkeys(("torso", "legs"), ramps["hands"])
    ramps["arms"] = ramps["hands" if attributes.get("torso", "").endswith(SLEEVELESS) else "torso"]
    return ramps


def _ramp(frame: np.ndarray, box: tuple[int, int, int, int], ground: np.ndarray, skin: np.ndarray | None) -> np.ndarray:
    """The commonest color of a box that is not of the skin, between a darker and a lighter one like it."""
    top, bottom, left, right = box
    seen = frame[top:bottom, left:right].reshape(-1, frame.shape[-1])
    seen = seen[~is_ground(seen, ground)][:, :3]
    if not len(seen):
        return np.array([OUTLINE] * 3, np.uint8)
    colors, counts = np.unique(seen, axis=0, return_counts=True)
    light = colors.astype(int).sum(1)
    lit = light > DARK
    worn = _apart(colors, skin).min(1) > SKIN_NEAR if skin is not None else lit | True
    fit = lit & worn
    if counts[fit].sum() <= MOST * counts[lit].sum():  # leather on brown skin, or a black robe that is open
        fit = lit if counts[lit].sum() > MOST * counts.sum() else ~lit & worn
    if counts[fit].sum() < LEAST * counts.sum():  # as of black shoes
        fit = light >= 0
    colors, counts, light = colors[fit], counts[fit], light[fit]
    main = int(((_apart(colors, colors) <= SAME) @ counts).argmax())
    away = _apart(colors, colors[main : main + 1])[:, 0]
    shades = [(counts * ((light - light[main]) * sign >= OTHER) * (away <= ALIKE)) for sign in (-1, 1)]
    darker, lighter = (colors[each.argmax()] if each.any() else None for each in shades)
    darker = (colors[main] * SHADE).astype(np.uint8) if darker is None else darker
    return np.stack([darker, colors[main], colors[main] if lighter is None else lighter])


def _apart(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far colors (n, 3) are from others (m, 3), in all three channels: (n, m)."""
    return np.abs(some[:, None].astype(int) - others.astype(int)).sum(-1)


def _put(frame: np.ndarray, part: Part, ramp: np.ndarray) -> None:
    """Draw a part with a line around it, lit from the upper left."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(float)
    start, line = np.array(part.start), np.subtract(part.end, part.start)
    along = ((rows - start[0]) * line[0] + (columns - start[1]) * line[1]) / max(1e-6, float(line @ line))
    near = start[:, None, None] + line[:, None, None] * along.clip(0, 1)
    dy, dx = (rows - near[0]) / part.radius, (columns - near[1]) / part.radius
    away, lit = np.hypot(dy, dx), np.hypot(dy - LIGHT[0], dx - LIGHT[1])
    inside, edge = away <= 1, (away > 1) & (away <= 1 + 1 / part.radius)
    shade = np.where(lit < SHADES[0], 2, np.where(lit < SHADES[2], 1, 0))
    frame[inside, :3] = ramp[shade[inside]]
    frame[edge, :3] = OUTLINE
    frame[inside | edge, 3:] = 255
