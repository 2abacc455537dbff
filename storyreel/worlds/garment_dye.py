"""A color that garments of a world do not come in: drawn in another, and dyed.

frames --pixels of the drawn color's hue, saturation and value--> their place in it, dark to light --> the other's
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Dye:
    """What of a picture is dyed, and how.

    attribute: of the garment. color: its new one. drawn: the value that is drawn. hue: of the drawn color, lowest and
    highest, in degrees; saturation, value: the same in [0, 1]. ramp: the new color, RGB, dark to light.
    """

    attribute: str
    color: str
    drawn: str
    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]
    ramp: tuple[tuple[int, int, int], ...]

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """uint8 (f, h, w, 3 or 4) -> the same, dyed. Alpha stays."""
        hue, saturation, value = _hsv(frames[..., :3])
        low, high = self.value
        chosen = _within(hue, self.hue) & _within(saturation, self.saturation) & (value <= high + 0.1)
        place = np.clip((value[chosen] - low) / (high - low), 0, 1) * (len(self.ramp) - 1)
        ramp = np.array(self.ramp, np.float64)
        stops = np.arange(len(ramp))
        out = frames.copy()
        out[chosen, :3] = np.stack([np.interp(place, stops, channel) for channel in ramp.T], -1).round()
        return out


def _within(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return (values >= limits[0]) & (values <= limits[1])


def _hsv(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint8 (..., 3) -> hue in degrees, saturation and value in [0, 1]; the hue of grays is 0."""
    red, green, blue = (rgb[..., i].astype(np.float64) / 255 for i in range(3))
    value = np.maximum(np.maximum(red, green), blue)
    spread = value - np.minimum(np.minimum(red, green), blue)
    by = np.where(spread > 0, spread, 1)
    hue = np.where(
        value == red, (green - blue) / by, np.where(value == green, 2 + (blue - red) / by, 4 + (red - green) / by)
    )
    return np.where(spread > 0, hue * 60 % 360, 0), spread / np.where(value > 0, value, 1), value
