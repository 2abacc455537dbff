"""Which of the world's motions a track is, by fitting each of them; no network is asked.

A track is the (x, y) of something in each frame. Along the axis of the motion, every motion of the world `digits` is
a known shape over time, moved and scaled: a ramp (one way), a tent with its top in the middle (there and back), or a
walk between the walls that turns at least twice. Each is fitted by least squares, and the one that leaves least wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from storyreel.clip import Clip

LEAST = 0.12  # of the free range: what moves less stands still
WAYS = (("left", "right"), ("up", "down"))  # by axis: towards smaller, towards larger coordinates


@dataclass(frozen=True)
class FittedMotion:
    """What a track does. `error`: root mean square distance to the fitted motion, in pixels."""

    name: str  # one of the world's motions, or "still"
    error: float
    length: float  # of the fitted shape, in free ranges


@lru_cache(maxsize=64)
def _shapes(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, frames) shapes in [0, 1] and their kinds (0 one way, 1 there and back, 2 between the walls)."""
    time = np.linspace(0, 1, frames)
    shapes, kinds = [time, 1 - np.abs(2 * time - 1)], [0, 1]
    for path in np.arange(1.4, 2.86, 0.05):
        for first in np.arange(0.1, 1.0, 0.05):  # the way to the first wall
            if path - first < 1.1:
                continue  # it would not turn twice, well before the end
            phase = (1 - first + path * time) % 2
            shapes.append(np.minimum(phase, 2 - phase))
            kinds.append(2)
    return np.stack(shapes), np.array(kinds)


def motion_of(track: np.ndarray, free: float, weights: np.ndarray | None = None) -> FittedMotion:
    """The motion of a track.

    track: float (t, 2), x and y in pixels. free: how far its middle can travel from wall to wall, pixels.
    weights: (t,), how sure each position is; all the same when not given.
    Raises ValueError for fewer than 3 frames.
    """
    track = np.asarray(track, np.float64)
    if track.ndim != 2 or track.shape[1] != 2 or len(track) < 3:
        raise ValueError(f"track: expected (3 or more frames, 2), got shape {track.shape}")
    w = np.ones(len(track)) if weights is None else np.asarray(weights, np.float64) + 1e-6
    w = w / w.sum()
    middle = w @ track
    spread = w @ (track - middle) ** 2  # (2,) what is left when the axis is held still
    fits = [_fit(track[:, axis], w, free, spread[1 - axis], WAYS[axis]) for axis in (0, 1)]
    best = min(fits, key=lambda fit: fit.error)
    if best.length < LEAST:
        return FittedMotion("still", float(np.sqrt(spread.sum())), 0.0)
    return best


def _fit(p: np.ndarray, w: np.ndarray, free: float, across: float, ways: tuple[str, str]) -> FittedMotion:
    """The best shape along one axis; `across` is the variance that the other axis adds to every error."""
    shapes, kinds = _shapes(len(p))
    centred = shapes - shapes @ w[:, None]
    variance = (centred**2) @ w
    scale = (centred * (p - w @ p)) @ w / np.maximum(variance, 1e-12)  # in pixels
    size = np.abs(scale) / free
    # Between the walls the size is known, one free range; a tenth of it is allowed for what is drawn imprecisely.
    clipped = np.where(kinds == 2, np.clip(size, 0.9, 1.1), np.minimum(size, 1.2)) * np.sign(scale) * free
    left = w @ (p - w @ p - clipped[:, None] * centred).T ** 2
    best = int(left.argmin())
    forward = scale[best] > 0
    first, second = (ways[1], ways[0]) if forward else ways
    up, down = ("up", "down") if ways == WAYS[1] else WAYS[0]
    name = (first, f"{first} then {second}", f"{up} and {down}")[kinds[best]]
    return FittedMotion(name, float(np.sqrt(left[best] + across)), float(abs(clipped[best]) / free))


def middle_track(clip: Clip, threshold: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """For a clip with one bright thing on black: the middle of its bounding box in each frame, and weights.

    Returns (t, 2) x and y in pixels, and (t,) 1 where something is brighter than `threshold`, else 0. Frames without
    it repeat the last position.
    """
    bright = clip.frames[..., :3].max(-1) > threshold  # (t, h, w)
    track, weights = np.zeros((len(bright), 2)), np.zeros(len(bright))
    last = np.array([clip.size[1] - 1, clip.size[0] - 1]) / 2
    for i, frame in enumerate(bright):
        if frame.any():
            ys, xs = np.flatnonzero(frame.any(1)), np.flatnonzero(frame.any(0))
            last = np.array([xs[0] + xs[-1], ys[0] + ys[-1]]) / 2
            weights[i] = 1.0
        track[i] = last
    return track, weights
