"""Blades that are drawn into the hands of sprites: as lines, which are whole and of one width however they are turned.

A blade is drawn along one of sixteen directions whose steps are all alike: level, upright, diagonal, or two to one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Blade(NamedTuple):
    """handle: letters of `COLORS`, from its end to its guard; the hand is at its third pixel. guard, edges: letters
    across, from the upper to the lower edge. length: of what is sharp. rise: by how much its tip is bent upward. tip:
    pixels in which it tapers."""

    handle: str
    guard: str
    edges: str
    length: int
    rise: float = 0
    tip: int = 2


HAND = 2  # pixel of a handle
BLADES = {
    "longsword": Blade("gbBbb", "ggGgg", "wsd", 20),
    "greatsword": Blade("gbBbB", "gggGggg", "wsd", 24),
    "rapier": Blade("gBBbb", "ggGgg", "ws", 17, tip=1),
    "saber": Blade("gBbBb", "gGgg", "wsd", 15, rise=4, tip=4),
    "katana": Blade("rIrIr", "iGi", "ws", 16, rise=2),
    "dagger": Blade("bBbb", "gGg", "wsd", 9, tip=3),
}  # fmt: skip
SLOPES = tuple(math.degrees(math.atan2(y, x)) for x, y in ((1, 0), (2, 1), (1, 1), (1, 2)))


def nearest_slope(degrees: float) -> float:
    """The nearest of the sixteen directions."""
    return min((turn + slope for turn in range(-360, 361, 90) for slope in SLOPES), key=lambda d: abs(d - degrees))


def letters_of(blade: Blade, along: np.ndarray, across: np.ndarray, step: float) -> np.ndarray:
    """Letters of what is `along` the direction of a blade from its hand, and `across` it, "." where nothing is: floats
    (h, w) -> str (h, w). step: across, from one line of pixels to the next."""
    start = len(blade.handle) - HAND + 0.5  # of the blade; its guard is before it
    out = np.full(along.shape, ".")
    on = np.clip(along + HAND + 0.5, 0, len(blade.handle) - 1).astype(int)
    held = (along >= -HAND - 0.5) & (along < start - 1) & (np.abs(across) <= max(0.5, step / 2))
    out[held] = np.array([*blade.handle])[on[held]]
    far = ((along - start) / blade.length).clip(0, 1)
    bent = across + np.round(blade.rise * far**1.5 / step) * step
    wide, left = len(blade.edges), start + blade.length - along
    lies = bent + wide / 2
    taper = np.maximum(0, (blade.tip - left) * wide / (2 * blade.tip)) if blade.tip else 0
    steel = (along >= start) & (left > 0) & (lies >= taper) & (lies < wide - taper)
    out[steel] = np.array([*blade.edges])[lies[steel].astype(int)]
    beside = across + len(blade.guard) / 2
    guard = (along >= start - 1) & (along < start) & (beside >= 0) & (beside < len(blade.guard))
    out[guard] = np.array([*blade.guard])[beside[guard].astype(int)]
    return out
