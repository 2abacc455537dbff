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


_SHARE = 0.3  # of a gradual transition's length that is trimmed on top, on each side: its ends are the faintest part
_UNSURE_SHARE, _UNSURE_FRAMES = 0.3, 12  # what comes on top of that where the transition is not plain at all
_FADES = 0.5  # the strength of a fade says how straight it is, and it is never taken for less than this


def _away(one: Transition, trim: int) -> int:
    """Frames that spans lose beside a transition: the less plain it is, the less is known of where it ends."""
    if one.kind == "hard":
        return 0
    unsure = 1 - (max(one.strength, _FADES) if one.kind.startswith("fade") else one.strength)
    length = one.end - one.start + 1
    return trim + round((_SHARE + _UNSURE_SHARE * unsure) * length + _UNSURE_FRAMES * unsure)


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
