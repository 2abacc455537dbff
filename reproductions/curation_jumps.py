"""Is there a cut in a clip? A frame that no shift of the one before explains.

From frame to frame things move; the pictures are compared after the best shift of at most a quarter of their side, by
normalised cross-correlation. What is less alike than in all but 1 % of real clips is a cut. A model whose things melt
from frame to frame is told to have cuts, too: for a viewer it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from storyreel.clip import Clip

ALARMS = 0.01  # share of the real clips that set the limit which it takes for clips with a cut
FAINT = 4.0  # root mean square of levels below which a frame shows nothing


@dataclass(frozen=True)
class JumpDetector:
    """limit: of the likeness of a frame and the one before, 0 to 1."""

    limit: float

    @classmethod
    def of(cls, real: Sequence[Clip]) -> JumpDetector:
        """With the limit that all but 1 % of these clips without a cut keep."""
        return cls(float(np.quantile([least_alike(clip) for clip in real], ALARMS)))

    def has_cut(self, clip: Clip) -> bool:
        return least_alike(clip) < self.limit


def least_alike(clip: Clip) -> float:
    """The least likeness of two frames in a row; 1 for a clip of one frame."""
    grey = clip.over((0, 0, 0)).frames.astype(np.float32).mean(-1)  # (t, h, w)
    return min((likeness(a, b) for a, b in pairwise(grey)), default=1.0)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Normalised cross-correlation of two pictures (h, w) at their best shift of at most a quarter of the side."""
    strength = [float(np.sqrt((x**2).mean())) for x in (a, b)]
    if min(strength) < FAINT:
        return 1.0 if max(strength) < FAINT else 0.0
    height, width = a.shape
    size = (2 * height, 2 * width)
    found = np.fft.irfft2(np.fft.rfft2(a, size).conj() * np.fft.rfft2(b, size), size)
    rows, columns = (np.r_[0 : side // 4 + 1, -(side // 4) : 0] for side in (height, width))
    return float(found[np.ix_(rows, columns)].max() / (np.linalg.norm(a) * np.linalg.norm(b)))
