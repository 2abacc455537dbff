"""Transitions, and the spans between them, without the frames that a transition blends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["hard", "dissolve", "fade-black", "fade-white", "wipe"]


@dataclass(frozen=True)
class Transition:
    """One change of shot. start, end: its first and last frame, in presentation order.

    A hard cut between frames k - 1 and k has start = end = k. strength: from 0 to 1, how plain it is.
    """

    start: int
    end: int
    kind: Kind
    strength: float


# Frames that spans lose beside a transition, on top of `trim`, by how unsure it is (0 plain, 1 not at all). A plain one
# is located to a few frames whatever its length; the constants were chosen on drawn test movies, see docs/log.md.
_FADE = 10.0  # times how unsure; the slopes of fades are straight, and their strength, which is never taken for less
_FADES = 0.5  # than this, says how straight
_NEAR, _UNSURE, _VERY_UNSURE, _SHARE = 4.0, 8.0, 30.0, 0.4  # of dissolves and wipes


def _away(one: Transition, trim: int) -> int:
    """Frames that spans lose beside a transition: the less plain it is, the less is known of where it ends."""
    if one.kind == "hard":
        return 0
    if one.kind.startswith("fade"):
        return round(trim + _FADE * (1 - max(one.strength, _FADES)))
    unsure, length = 1 - one.strength, one.end - one.start + 1
    return round(trim + _NEAR + (_UNSURE + _SHARE * length) * unsure + _VERY_UNSURE * unsure**2)


def spans_between(
    transitions: Sequence[Transition], frames: int, trim: int = 2, doubts: Sequence[Transition] = ()
) -> list[tuple[int, int]]:
    """(first, behind the last) frame of each span that has any. trim: frames lost beside a gradual transition.

    doubts: what may be a transition; spans end there as well.
    """
    spans, start = [], 0
    for one in sorted([*transitions, *doubts], key=lambda one: one.start):
        away = _away(one, trim)
        spans.append((start, one.start - away))
        start = max(start, one.start if one.kind == "hard" else one.end + 1 + away)
    spans.append((start, frames))
    return [(first, last) for first, last in spans if first < last]
