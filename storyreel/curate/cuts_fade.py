"""Fades through black and white: the distance of a frame to the plain colour falls to nothing and rises again.

While a shot fades, its distance to the colour is the distance of the unfaded shot times what is left of it, however
the shot moves: a straight line in time down to the colour, and one up from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from storyreel.curate.cuts_evidence import Evidence

_GONE = 0.14  # of its usual distance to the colour that a frame may still have at the bottom of a fade
_LONGEST = 45  # frames of one slope
_SHORTEST = 3
_LEVEL = 6  # frames behind a slope that stay level
_PLAIN = 1.5  # levels: frames nearer to the colour than this are nothing but the colour
_BAR = 30.0  # levels that a letterbox never reaches
_ERROR = 0.06  # root mean square error of a slope, as a share of its height


@dataclass(frozen=True)
class Fade:
    start: int
    end: int
    kind: Literal["fade-black", "fade-white"]
    strength: float
    unsure: tuple[int, int] | None = None
    """First and last frame of where the other slope would be, when only one was seen: as long as the other."""


def fades(evidence: Evidence) -> list[Fade]:
    """Each fade out, in, or both, with what is plain colour between."""
    found = []
    for kind, colour in (("fade-black", 0.0), ("fade-white", 255.0)):
        away = _distance(evidence, colour)
        found += [fade for low, high in _bottoms(away) if (fade := _fade(away, low, high, kind))]
    return sorted(found, key=lambda fade: fade.start)


def _distance(evidence: Evidence, colour: float) -> np.ndarray:
    """Root mean square difference of each frame from a grey, levels (n,). What is black all the time does not count."""
    lit = evidence.luma.max(0) > _BAR  # (18, 32)
    lit = cv2.erode(lit.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)  # the edge of a bar is in between
    if not lit.any():
        return np.zeros(len(evidence), np.float32)
    luma = ((evidence.luma - colour) ** 2)[:, lit].mean(1)
    chroma = (evidence.chroma.repeat(2, 2).repeat(2, 3)[:, :, lit] ** 2).mean(2).sum(1)
    return np.sqrt(luma + chroma)


def _bottoms(away: np.ndarray) -> list[tuple[int, int]]:
    """(first, last) frame of each run that is (nearly) the plain colour, seen from one side at least."""
    count, runs, k = len(away), [], 0
    while k < count:
        low = away[k]
        sides = away[max(0, k - _LONGEST) : k].max(initial=0), away[k + 1 : k + _LONGEST].max(initial=0)
        beside = min((side for side in sides if side >= 3 * _PLAIN), default=0.0)
        if low > max(_PLAIN, _GONE * beside) or beside < 3 * _PLAIN:
            k += 1
            continue
        last = k
        while last + 1 < count and away[last + 1] <= max(_PLAIN, _GONE * beside):
            last += 1
        runs.append((k, last))
        k = last + 1
    return runs


def _fade(away: np.ndarray, low: int, high: int, kind: str) -> Fade | None:
    bottom = low + int(away[low : high + 1].argmin())
    out, error_out = _slope(away[: bottom + 1][::-1])
    back, error_back = _slope(away[bottom:])
    if not out and not back:
        return None
    # What is plain colour without a slope to it is a shot of its own.
    start, end = (bottom - out if out else high), (bottom + back if back else low)
    strength = 1 - max(error_out if out else 0, error_back if back else 0) / (2 * _ERROR)
    unsure = None if out and back else (end + 1, end + out) if out else (start - back, start - 1)
    return Fade(start, end, kind, float(strength), unsure)  # pyright: ignore[reportArgumentType]


def _slope(away: np.ndarray) -> tuple[int, float]:
    """How many frames from the bottom (index 0) on a straight slope still blends, and its error; 0 for no slope.

    The model: the colour for `hold` frames, a straight rise until frame `top`, level from there.
    """
    best, least = 0, _ERROR
    plain = int(np.argmax(away > max(_PLAIN, 0.02 * away[: _LONGEST + 8].max())))
    for top in range(plain + _SHORTEST, min(_LONGEST + plain, len(away) - 2)):
        height = float(away[top : top + _LEVEL].mean())
        if height < 3 * _PLAIN or away[: top + 1].max() > 1.3 * height:
            continue
        for hold in (plain - 1.0, plain - 0.5, plain - 0.01):
            line = np.clip((np.arange(min(top + _LEVEL, len(away))) - hold) / (top - hold), 0, 1)
            error = float(np.sqrt(np.mean((away[: len(line)] / height - line) ** 2)))
            if error < least * (0.97 if best else 1):
                best, least = top - 1, error
    return best, least
