"""Hard cuts: a change from one frame to the next that stands out from what changes before and behind, and stays."""

from __future__ import annotations

import cv2
import numpy as np

from storyreel.curate.cuts_evidence import Evidence

WIDE = 0.35
"""Share of the picture that a change of scene changes at least."""
_AROUND = 10  # frames on each side whose changes are compared with
_STANDS_OUT = 1.7  # times the change around
_LEAST = 4.0  # levels: below is noise, whatever it is compared with
_BREAKS = 2.5  # times what changes for good near by
_APART = 6  # frames before and behind that must differ across the cut
_ALIKE = 0.9  # correlation of detail, after a shift, from which two frames show the same scene
_SHIFT = (6, 12)  # rows and columns of the detail that a camera may move by between two frames


def hard_cuts(evidence: Evidence) -> list[tuple[int, float]]:
    """(first frame behind the cut, strength from 0 to 1) of each hard cut in a window."""
    change = evidence.distance(1)
    count, levels = len(change), change.tolist()
    found = []
    for k in range(1, count):
        if levels[k] < _LEAST:
            continue
        beside = max([*levels[max(1, k - 2) : k], *levels[k + 1 : k + 3]], default=0.0)
        usual = _usual(change, k)
        # A whip pan changes as much in the next frame.
        if change[k] < max(1.3 * beside, _STANDS_OUT * usual + _LEAST):
            if change[k] < 0.9 * beside or not _breaks(evidence, k, float(change[k])):
                continue
            usual = min(usual, 0.3 * change[k])
        stays = _stays(evidence, k)
        if stays < max(0.5 * change[k], _STANDS_OUT * usual):
            continue  # a flash comes back
        if alike(evidence.detail[k - 1], evidence.detail[k]) > _ALIKE:
            continue  # the camera was shaken
        if spread(evidence, k - 1, k) < WIDE:
            continue  # something small came or went
        found.append((k, float(np.clip(1 - (usual + _LEAST) / change[k], 0, 1))))
    return found


def _breaks(evidence: Evidence, k: int, change: float) -> bool:
    """Whether a shot that flickers all the time ends here: what stays the same in it changes here and nowhere near.

    Where a picture moves on, frames on both sides are farther apart than the two that are next to each other.
    """
    breaks, beside = evidence.break_, (k - 7, k - 5, k + 5, k + 7)
    if beside[1] < 4 or beside[2] >= len(breaks) - 3:
        return False
    most = max(float(breaks[at]) for at in beside if 0 <= at < len(breaks))
    if not max(2 * _LEAST, 0.3 * change) < breaks[k] < 1.05 * change:
        return False
    if breaks[k] < max(float(breaks[k - 2 : k + 3].max()), _BREAKS * most):
        return False
    return spread(evidence, k - 1, k, 4) > 1.5 * WIDE


def spread(evidence: Evidence, first: int, second: int, frames: int = 1) -> float:
    """Share of the picture in which what is up to frame `first` and from `second` on differs, black left out.

    frames: whose mean is taken on each side.
    """
    before, behind = evidence.coarse[first + 1 - frames : first + 1].mean(0), evidence.coarse[second:][:frames].mean(0)
    change = np.sqrt(((behind - before) ** 2).sum(0))
    lit = np.maximum(before[0], behind[0]) > 4
    return float((change[lit] > 0.3 * np.sqrt((change[lit] ** 2).mean())).mean()) if lit.any() else 0.0


def _usual(change: np.ndarray, k: int) -> float:
    """The change that is usual around frame k: two outliers on each side are let go."""
    sides = [change[max(1, k - _AROUND) : k], change[k + 1 : k + 1 + _AROUND]]
    return max((_quantile(sorted(side.tolist()), 0.8) for side in sides if len(side)), default=0.0)


def _quantile(values: list[float], share: float) -> float:
    at = share * (len(values) - 1)
    low = int(at)
    return values[low] + (at - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def _stays(evidence: Evidence, k: int) -> float:
    """The least difference of any frame just before k and any just behind it, levels."""
    before = np.arange(max(0, k - _APART), k)
    behind = np.arange(k, min(len(evidence), k + _APART))
    return float(evidence.between(before[:, None], behind[None]).min())


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """Best correlation, from -1 to 1, of the middle of one picture with the other over all small shifts."""
    rows, columns = _SHIFT
    middle = first[rows:-rows, columns:-columns]
    if middle.std() < 1 or second.std() < 1:
        return 0.0
    return float(cv2.matchTemplate(second, middle, cv2.TM_CCOEFF_NORMED).max())
