"""How a film moves: dense optical flow at low resolution, split into camera and things, and plain differences."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

STILL = 0.05
"""Levels of mean difference between two frames of GRID size, below which the later one stands still."""


@dataclass(frozen=True)
class Motion:
    """Of one pair of frames. Speeds in pixels a second at the size in which flow was found.

    flow: mean length of the flow; camera: of the part that one shift, turn and zoom explains; things: of the rest.
    """

    flow: float
    camera: float
    things: float


def motion_of(first: np.ndarray, second: np.ndarray, seconds: float) -> Motion:
    """Of two uint8 (h, w) pictures that are `seconds` apart. Dark pictures are stretched first, so that flow sees."""
    if min(first.shape) < 16 or seconds <= 0:
        return Motion(0.0, 0.0, 0.0)
    first, second = _stretched(first, second)
    flow = cv2.calcOpticalFlowFarneback(first, second, np.empty(0), 0.5, 3, 13, 2, 5, 1.1, 0)  # pyright: ignore
    flow = flow[2:-2:4, 2:-2:4].reshape(-1, 2).astype(np.float64)
    rows, columns = np.mgrid[2 : first.shape[0] - 2 : 4, 2 : first.shape[1] - 2 : 4]
    camera = _camera(columns.ravel(), rows.ravel(), flow)
    length = np.hypot(flow[:, 0], flow[:, 1])
    rest = np.hypot(*(flow - camera).T)
    return Motion(*(float(each.mean()) / seconds for each in (length, np.hypot(*camera.T), rest)))


def _stretched(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.percentile(first[::4, ::4], (1, 99))
    gain = min(6.0, 160.0 / max(float(high - low), 1.0))
    if gain <= 1.2:
        return first, second
    table = np.clip((np.arange(256) - low) * gain + 48, 0, 255).astype(np.uint8)
    return cv2.LUT(first, table), cv2.LUT(second, table)


def _camera(x: np.ndarray, y: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The flow of the one shift, turn and zoom that explains most parts of the picture (n, 2)."""
    x, y = x - x.mean(), y - y.mean()
    one, none = np.ones(len(x)), np.zeros(len(x))
    terms = np.concatenate([np.stack([one, none, x, -y], 1), np.stack([none, one, y, x], 1)])
    wanted = np.concatenate([flow[:, 0], flow[:, 1]])
    trust = np.ones(len(wanted))
    answer = np.zeros(4)
    for _ in range(4):
        root = np.sqrt(trust)
        answer, *_ = np.linalg.lstsq(terms * root[:, None], wanted * root, rcond=None)
        error = np.abs(wanted - terms @ answer)
        trust = 1 / (error + 0.1)
    found = terms @ answer
    return np.stack([found[: len(x)], found[len(x) :]], 1)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference of two uint8 pictures, levels."""
    return float(cv2.absdiff(first, second).mean())


def shake(thumbs: list[np.ndarray]) -> float:
    """How much the shift of the picture changes from one frame to the next, pixels at 256 wide; of 3 thumbs."""
    window = cv2.createHanningWindow(thumbs[0].shape[::-1], cv2.CV_32F)
    floats = [thumb.astype(np.float32) for thumb in thumbs]
    (x1, y1), _ = cv2.phaseCorrelate(floats[0], floats[1], window)
    (x2, y2), _ = cv2.phaseCorrelate(floats[1], floats[2], window)
    return float(np.hypot(x2 - x1, y2 - y1)) * 256 / thumbs[0].shape[1]


def still_shares(change: np.ndarray) -> tuple[float, float]:
    """(frozen, duplicate) shares of frames. change: mean difference of each frame of a span from the one before.

    Frozen frames follow each other, two or more in a row; a duplicate is a single repeat between frames that move.
    """
    if not len(change):
        return 0.0, 0.0
    still = np.concatenate([[False], change < STILL, [False]])
    beside = still[:-2] | still[2:]
    inner = still[1:-1]
    return float((inner & beside).mean()), float((inner & ~beside).mean())
