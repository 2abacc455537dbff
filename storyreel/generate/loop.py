"""Cuts a clip so that it can be played round and round: its last frame leads to its first as any frame to the next.

After the video loops of Schödl, Szeliski, Salesin and Essa, Video Textures (2000), section 3: the transition is taken
where the step across the seam is like the steps within.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from storyreel.clip import Clip

SIDE = 32  # pixels that frames are compared at
ENDS = 128  # frames at each end among which the seam is sought
JUMP = 1.25  # a seam is at most so many times the largest step within
SHORTER = 1.0  # what a cut costs that takes all of the clip, beside a seam that is off by a whole step


def looped(clip: Clip) -> Clip:
    """The part of a clip, at least half of it, that loops best; there and back where no part does.

    The step from its last frame to its first is at most 1.25 times the largest step within. `meta` has `looped`:
    {"first", "last"}, the frames that are kept, with "back": True where they are followed by themselves in reverse.
    """
    found = seam(clip.frames)
    if found is None:
        both = {"first": 0, "last": len(clip) - 1, "back": True}
        return clip.replace(
            frames=np.concatenate([clip.frames, clip.frames[-2:0:-1]]), meta={**clip.meta, "looped": both}
        )
    first, last = found
    looped_part = {"first": first, "last": last}
    return clip.replace(frames=clip.frames[first : last + 1], meta={**clip.meta, "looped": looped_part})


def seam(frames: np.ndarray) -> tuple[int, int] | None:
    """(first, last) frame of the part of uint8 (t, h, w, c) that loops best, or None."""
    count = len(frames)
    if count < 3:
        return 0, count - 1
    small = np.stack([_small(frame) for frame in frames])  # (t, d)

    def apart(one: int, other: int) -> float:
        return float(np.sqrt(((small[one] - small[other]) ** 2).mean()))

    steps = np.array([apart(i, i + 1) for i in range(count - 1)])
    step, two = float(steps.mean()), float(np.mean([apart(i, i + 2) for i in range(count - 2)]))
    best: tuple[float, int, int] | None = None
    for first in range(min(ENDS, count // 2 + 1)):
        largest = np.maximum.accumulate(steps[first:])
        for last in range(max(first + (count + 1) // 2 - 1, first + 1, count - ENDS), count):
            across = apart(last, first)
            if across > JUMP * largest[last - first - 1]:
                continue
            off = max(abs(across - step), abs(apart(last, first + 1) - two), abs(apart(last - 1, first) - two))
            off = off / step if step else 0.0
            cost = off + SHORTER * (1 - (last + 1 - first) / count)
            if best is None or cost < best[0]:
                best = cost, first, last
    return best and best[1:]


def _small(frame: np.ndarray) -> np.ndarray:
    """float32 (d,): a frame of (h, w, c), its colors by its alpha, at most SIDE pixels a side."""
    picture = Image.fromarray(frame).convert("RGBA").convert("RGBa")
    height, width = (min(side, SIDE) for side in frame.shape[:2])
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX), np.float32).ravel()
