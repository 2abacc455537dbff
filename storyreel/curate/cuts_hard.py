"""Hard cuts: a change from one frame to the next that stands out from what changes before and behind, and stays."""

from __future__ import annotations

import cv2
import numpy as np

from storyreel.curate.cuts_evidence import Evidence

_AROUND = 10  # frames on each side whose changes are compared with
_STANDS_OUT = 1.7  # times the change around
_LEAST = 4.0  # levels: below is noise, whatever it is compared with
_APART = 6  # frames before and behind that must differ across the cut
_ALIKE = 0.9  # correlation of detail, after a shift, from which two frames show the same scene
_SHIFT = (6, 12)  # rows and columns of the detail that a camera may move by between two frames


def hard_cuts(evidence: Evidence) -> list[tuple[int, float]]:
    """(first frame behind the cut, strength from 0 to 1) of each hard cut in a window."""
    change = evidence.distance(1)
    count = len(change)
    found = []
    for k in range(1, count):
        if change[k] < _LEAST:
            continue
        near = np.r_[change[max(1, k - 2) : k], change[k + 1 : k + 3]]
        if len(near) and change[k] < 1.3 * near.max():
            continue  # a whip pan changes as much in the next frame
        usual = _usual(change, k)
        if change[k] < _STANDS_OUT * usual + _LEAST:
            continue
        stays = _stays(evidence, k)
        if stays < max(0.5 * change[k], _STANDS_OUT * usual):
            continue  # a flash comes back
        if alike(evidence.detail[k - 1], evidence.detail[k]) > _ALIKE:
            continue  # the camera was shaken
        found.append((k, float(np.clip(1 - (usual + _LEAST) / change[k], 0, 1))))
    return found


def _usual(change: np.ndarray, k: int) -> float:
    """The change that is usual around frame k: two outliers on each side are let go."""
    sides = [change[max(1, k - _AROUND) : k], change[k + 1 : k + 1 + _AROUND]]
    return max((float(np.quantile(side, 0.8)) for side in sides if len(side)), default=0.0)


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
