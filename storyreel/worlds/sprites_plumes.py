"""Helmets without the scraps of a plume: models draw one in some frames of a clip, and in the others none."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from storyreel.worlds.sprites_figures import figures, ground_of, is_ground

HELMETS = ("metal helmet",)
PLUME = re.compile(r"\b(?:plumes?d?|crest(?:ed)?|feather(?:s|ed)?)\b")
HIGHEST, LOWEST = 13, 24  # rows in which a helmet may begin
NARROW, UPRIGHT = 5, 4  # pixels of a row that is no helmet yet; drawing of a fall from which on it is not upright


def without_plume(frames: np.ndarray, attributes: Mapping[str, str], prompt: str) -> np.ndarray:
    """uint8 (f, 64, 64, 3 or 4), one action from its beginning on -> the same without what sticks out on top of a
    helmet, unless the prompt says a plume."""
    if attributes.get("head") not in HELMETS or PLUME.search(prompt.lower()):
        return frames
    out, ground = frames.copy(), ground_of(frames)
    for view, drawing, (down, _) in figures(out, attributes):
        if attributes.get("action") == "hurt" and drawing >= UPRIGHT:
            continue
        for i, row in enumerate(view[: LOWEST + down, 18:46]):
            if i >= HIGHEST + down and (~is_ground(row, ground)).sum() >= NARROW:
                break
            row[:] = ground
    return out
