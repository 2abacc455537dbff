"""Clips that take no time to make."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from storyreel.clip import Clip

PROMPTS = ("a red ball that moves right", "a blue ball that moves left")
COLOURS = ((220, 60, 50), (50, 90, 220))


def ball(number: int, shift: int = 0, frames: int = 6) -> Clip:
    """A clip of 32x32: a square that moves over grey."""
    video = np.full((frames, 32, 32, 3), 225 - 2 * shift, np.uint8)
    for t, frame in enumerate(video):
        x = 4 + 3 * t if number % 2 == 0 else 20 - 3 * t
        frame[12 + shift : 20 + shift, x : x + 8] = COLOURS[number % 2]
    return Clip(video, Fraction(8), PROMPTS[number % 2], {"prompt": PROMPTS[number % 2], "model": "secret"})
