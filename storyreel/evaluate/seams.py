"""Seams: how much a frame differs from the one before, where clips are joined and where they are not.

A story is made clip after clip, each beginning with the last frames of the one before. A *joint* is a step from one
frame to the next at which a new clip begins; a *boundary* is a joint at which a new part, with its own prompt, begins.
Within a part a joint is compared with the part's ordinary steps: with all of them, and with those at the same place
of the action's cycle, since an action has large and small steps of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.evaluate.interval import mean_of, ratio_of, wilson


def differences(clip: Clip) -> np.ndarray:
    """float (t - 1,): mean absolute difference of frame i + 1 and frame i over pixels and colours, 0 to 255."""
    frames = clip.over().frames.astype(np.int16)
    return np.abs(frames[1:] - frames[:-1]).mean((1, 2, 3))


@dataclass
class Seams:
    """Collects stories; `as_json` has the ratios. 1 is no jump at all, 2 is a step twice as large as ordinary."""

    cycle: int  # frames of an action's cycle
    ordinary: list[float] = field(default_factory=list)
    joints: list[tuple[float, float]] = field(default_factory=list)  # a part each: mean at joints, mean elsewhere
    phased: list[tuple[float, float]] = field(
        default_factory=list
    )  # the same, elsewhere at the same place of the cycle
    boundaries: list[tuple[float, float]] = field(default_factory=list)  # at the boundary, ordinary in both its parts
    beyond: int = 0  # joints larger than every ordinary step of their part
    count: int = 0
    worst: float = 0.0

    def add(self, clip: Clip, parts: Sequence[int], starts: Sequence[int]) -> None:
        """A story: frames of its parts, and where clips begin in it."""
        steps, cuts = differences(clip), set(starts)
        ends = np.cumsum(parts).tolist()
        usual = []
        for first, end in zip([0, *ends[:-1]], ends, strict=True):
            inside = np.arange(first + 1, end)  # frames whose step from the one before lies in this part
            at = np.array([i in cuts for i in inside], bool)
            usual.append(self._part(steps[inside - 1], at, (inside - first) % self.cycle))
        for end, before, after in zip(ends[:-1], usual[:-1], usual[1:], strict=True):
            self.boundaries.append((float(steps[end - 1]), (before + after) / 2))

    def _part(self, steps: np.ndarray, at: np.ndarray, phase: np.ndarray) -> float:
        rest = steps[~at]
        if not len(rest):
            return float("nan")
        self.ordinary += rest.tolist()
        if at.any():
            self.joints.append((float(steps[at].mean()), float(rest.mean())))
            alike = [(float(s), steps[~at & (phase == p)]) for s, p in zip(steps[at], phase[at], strict=True)]
            pairs = [(s, float(others.mean())) for s, others in alike if len(others)]
            if pairs:
                top, bottom = np.mean(pairs, axis=0).tolist()
                self.phased.append((top, bottom))
            self.beyond += int((steps[at] > rest.max()).sum())
            self.count += int(at.sum())
            self.worst = max(self.worst, float(steps[at].max()))
        return float(rest.mean())

    def as_json(self) -> dict[str, Any]:
        """`ratio` and `ratio_same_phase` of joints inside parts; `boundary` sizes and their ratio to ordinary steps."""
        low, high = wilson(self.beyond, self.count)
        beyond = {"value": round(self.beyond / self.count, 5) if self.count else None, "n": self.count}
        return {
            "ratio": ratio_of(*_columns(self.joints)).as_json(),
            "ratio_same_phase": ratio_of(*_columns(self.phased)).as_json(),
            "joint": mean_of([top for top, _ in self.joints]).as_json(),
            "ordinary": mean_of(self.ordinary).as_json(),
            "largest_joint": round(self.worst, 5),
            "largest_ordinary": round(max(self.ordinary, default=0.0), 5),
            "beyond": beyond | {"interval": [round(low, 5), round(high, 5)]},
            "boundary": mean_of([top for top, _ in self.boundaries]).as_json(),
            "largest_boundary": round(max((top for top, _ in self.boundaries), default=0.0), 5),
            "boundary_ratio": ratio_of(*_columns(self.boundaries)).as_json(),
        }


def _columns(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [top for top, _ in pairs], [bottom for _, bottom in pairs]
