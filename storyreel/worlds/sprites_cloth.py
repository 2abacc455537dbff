"""Cloth that hangs from somebody and sways with the steps, drawn over what a model draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from storyreel.worlds.garment_dye import RGB
from storyreel.worlds.sprites_figures import SIDE, is_ground

FOLDS = (-0.55, 0.05, 0.6)  # where they are, in halves of a width
STEPS = 8  # drawings of a walk
KNEELS, LOWEST = 4, 60  # the drawing of `hurt` from which on nothing hangs; the lowest row of what sinks


@dataclass(frozen=True)
class Drape:
    """top, hem: its first and last row. above, below: half a width there, in pixels. middle: its column at the top;
    drift: by how much it is further to the right at the hem."""

    top: int
    above: float
    below: float
    middle: float
    drift: float = 0.0
    hem: int = 57


def sunk(cut: Drape, down: int) -> Drape:
    """As it hangs from who has gone down by so many rows, and no lower than the ground."""
    return replace(cut, top=cut.top + down, hem=min(cut.hem + down, LOWEST))


def sway_at(action: str, drawing: int) -> float:
    """Pixels to the right that a hem swings to."""
    return math.sin(2 * math.pi * drawing / STEPS) if action == "walk" else 0.0


def hang(
    frame: np.ndarray, cut: Drape, ramp: tuple[RGB, ...], right: int, sway: float, behind: np.ndarray | None = None
) -> None:
    """Draw it into a frame, uint8 (64, 64, 3 or 4), in four colors, outline first, then dark to light. right: pixels by
    which its top is moved. behind: the color of the ground, where it is seen only beside somebody."""
    rows, columns = np.mgrid[cut.top : cut.hem + 1, :SIDE]
    far = (rows - cut.top) / (cut.hem - cut.top)  # 0 at its first row, 1 at the hem
    middle = cut.middle + right * (1 - far) + (sway + cut.drift) * far
    half = cut.above + (cut.below - cut.above) * far**0.8
    place = (columns - middle) / half
    inside = (np.abs(place) <= 1) & (rows <= cut.hem + 0.5 - np.abs(place) ** 2 * 2)
    shade = np.where(place < -0.25, 3, 2)
    shade[place > 0.55] = 1
    for fold in FOLDS:
        lit = np.abs(place - fold - 0.08 * sway) * half < 0.5
        shade[lit & (far > 0.3)] = 1
    edge = inside & (np.abs(place) * half > half - 1)
    edge |= inside & ~np.vstack([inside[1:], np.zeros((1, SIDE), bool)])
    shade[edge] = 0
    there = frame[cut.top : cut.hem + 1]
    if behind is not None:
        inside &= is_ground(there, behind)
    there[inside, :3] = np.array(ramp, np.uint8)[shade[inside]]
    there[inside, 3:] = 255
