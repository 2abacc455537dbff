"""Light by the height of the sun, as colours of the sky, the clouds and the land, between keys that are given here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def rgb(*colors: str) -> np.ndarray:
    """float32 (n, 3) in 0 to 1 from six hex digits each."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (0, 2, 4)] for c in colors], np.float32)


ALTITUDES = (-0.30, -0.12, -0.03, 0.03, 0.12, 0.30, 0.55)
"""Of the sun over the horizon, in picture heights; one of 0.5 is a sun at noon."""
KEYS = {  # part of the picture -> its colours at ALTITUDES, the sun going down
    "zenith": rgb("060a1c", "142352", "233a7c", "35569c", "4577bd", "3a7fd2", "2468c8"),
    "horizon": rgb("1a2748", "8a5f80", "ee7a48", "ff9550", "ffc57e", "d9e4ea", "bfe0f4"),
    "glow": rgb("24365e", "a8555a", "ff7a3c", "ffae5a", "ffdc98", "fff0cc", "fffaea"),
    "lit": rgb("6a7aa6", "8f6a92", "f27a5c", "ff9c68", "ffdcae", "fff7ea", "ffffff"),
    "shade": rgb("222c4e", "39406e", "593f6a", "77587c", "9a8ca4", "9fb0c8", "a3b6cf"),
    "land": rgb("27335a", "4c4a76", "8f6a70", "c09078", "ecd0a4", "fdf6e6", "ffffff"),
}
DAWN = {  # where the sun comes up the air is clearer, the red is pink
    "zenith": rgb("060a1c", "1a2f66", "3d5c9c", "5680ba", "5e92cc", "3a7fd2", "2468c8"),
    "horizon": rgb("1a2748", "8d6f9c", "f09a94", "ffb4a0", "ffd9b8", "d9e4ea", "bfe0f4"),
    "glow": rgb("24365e", "9c6088", "ff9a80", "ffc08c", "ffe2b4", "fff0cc", "fffaea"),
    "lit": rgb("6a7aa6", "8a76a8", "f59aa0", "ffb6a8", "ffe2cc", "fff7ea", "ffffff"),
    "shade": rgb("222c4e", "424e84", "6a6498", "8478a4", "a49ab8", "9fb0c8", "a3b6cf"),
}
GRAY = np.array([0.3, 0.5, 0.2], np.float32)


@dataclass(frozen=True)
class Light:
    """Colours at some moments, float32 (t, 3) each, and `dark`, float32 (t,): how much of the night there is."""

    zenith: np.ndarray
    horizon: np.ndarray
    glow: np.ndarray
    lit: np.ndarray
    shade: np.ndarray
    land: np.ndarray
    dark: np.ndarray


def light_at(altitude: np.ndarray, *, rising: bool = False, veil: float = 0.0, gloom: float = 0.0) -> Light:
    """The light under a sun at these altitudes (t,). veil: how far clouds take its colour; gloom: its brightness."""
    keys = {**KEYS, **DAWN} if rising else KEYS
    dark = (1 - np.clip((altitude + 0.18) / 0.24, 0, 1)).astype(np.float32)
    dimmed = (1 - gloom * (1 - 0.8 * dark))[:, None] * (1 + veil * 0.75 * dark)[:, None]  # clouds shine at night
    made = {}
    for name, colors in keys.items():
        color = np.stack([np.interp(altitude, ALTITUDES, colors[:, i]) for i in range(3)], -1).astype(np.float32)
        gray = (color @ GRAY)[:, None] * np.array([0.94, 0.99, 1.08], np.float32)
        share = veil * (0.5 if name == "land" else 0.9)
        made[name] = np.clip((color + (gray - color) * share) * dimmed, 0, 1)
    if veil:  # under a ceiling of clouds the sky has one brightness
        made["zenith"] += (made["horizon"] * 0.86 - made["zenith"]) * veil * 0.75
    return Light(**made, dark=dark)


def screen(under: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Light added to a picture so that nothing burns out."""
    return 1 - (1 - under) * (1 - np.clip(light, 0, 1))
