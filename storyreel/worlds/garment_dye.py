"""A color that garments of a world do not come in: drawn in another, and dyed.

frames --pixels in the colors of what is drawn--> their place from dark to light --> the same place of the new color
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

RGB = tuple[int, int, int]
LUMINANCE = np.array([0.299, 0.587, 0.114])
VIVID, DARKEST = 0.3, 24  # the least saturation, and brightest channel, of a color that has a hue


@dataclass(frozen=True)
class Dye:
    """What of a picture is dyed, and how.

    attribute: of the garment. color: its new one. drawn: the value that is drawn. colors: in which that is drawn, dark
    to light; near: how far a pixel may be from one of them, in RGB. ramp: the new color, dark to light. hues: degrees
    from and to, of which are stray pixels of it, whatever their shade, where nothing else of a picture is; or None.
    top: the first row of a picture that is dyed.
    """

    attribute: str
    color: str
    drawn: str
    colors: tuple[RGB, ...]
    near: float
    ramp: tuple[RGB, ...]
    hues: tuple[float, float] | None = None
    top: int = 0

    def __call__(self, seen: np.ndarray) -> np.ndarray:
        """uint8 (n, 3) -> what becomes of these colors."""
        colors, ramp = np.array(self.colors, np.float64), np.array(self.ramp, np.float64)
        chosen = np.linalg.norm(seen[:, None] - colors, axis=2).min(1) <= self.near
        if self.hues is not None:
            chosen |= _of_hue(seen, *self.hues)
        dark, light = colors[0] @ LUMINANCE, colors[-1] @ LUMINANCE
        place = ((seen[chosen] @ LUMINANCE - dark) / (light - dark)).clip(0, 1) * (len(ramp) - 1)
        out = seen.copy()
        new = np.stack([np.interp(place, np.arange(len(ramp)), channel) for channel in ramp.T], -1)
        out[chosen] = new.round().astype(np.uint8)
        return out


def _of_hue(seen: np.ndarray, least: float, most: float) -> np.ndarray:
    """Which of these colors (n, 3) are of such a hue in degrees, and neither gray nor black."""
    r, g, b = seen.astype(np.float64).T
    high, spread = seen.max(1).astype(np.float64), np.ptp(seen.astype(np.float64), axis=1)
    hue = np.degrees(np.arctan2(math.sqrt(3) * (g - b), 2 * r - g - b)) % 360
    return (spread >= VIVID * high) & (high >= DARKEST) & (least <= hue) & (hue <= most)


def rgb(colors: str) -> tuple[RGB, ...]:
    """ "0c3c45 1b98a9" -> ((12, 60, 69), (27, 152, 169))."""
    return tuple((c >> 16, c >> 8 & 255, c & 255) for c in (int(each, 16) for each in colors.split()))
