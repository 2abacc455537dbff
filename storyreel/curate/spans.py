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


_SHARE = 0.2  # of a gradual transition's length that is trimmed on top, on each side: its ends are the faintest part


def spans_between(transitions: Sequence[Transition], frames: int, trim: int = 2) -> list[tuple[int, int]]:
    """(first, behind the last) frame of each span that has any. trim: frames lost beside a gradual transition."""
    spans, start = [], 0
    for one in sorted(transitions, key=lambda one: one.start):
        hard = one.kind == "hard"
        away = 0 if hard else trim + round(_SHARE * (one.end - one.start + 1))
        spans.append((start, one.start - away))
        start = one.start if hard else one.end + 1 + away
    spans.append((start, frames))
    return [(first, last) for first, last in spans if first < last]
