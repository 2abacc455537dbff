"""How a film moves: dense optical flow at low resolution, split into camera and things, and plain differences."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

STILL = 0.05
"""Levels of mean difference between two frames of GRID size, below which the later one stands still."""
_NOTHING = 0.02  # levels: pictures nearer to each other have no flow
_STRIDE = 4  # the flow is looked at in every fourth row and column


@dataclass(frozen=True)
class FlowSpeeds:
    """Of one pair of frames. Speeds in pixels a second at the size in which flow was found.

    flow: mean length of the flow; camera: of the part that one shift, turn and zoom explains; things: of the rest.
    """

    flow: float
    camera: float
    things: float


def motion_of(first: np.ndarray, second: np.ndarray, seconds: float) -> FlowSpeeds:
    """Of two uint8 (h, w) pictures that are `seconds` apart. Dark pictures are stretched first, so that flow sees."""
    if min(first.shape) < 16 or seconds <= 0 or difference(first, second) < _NOTHING:
        return FlowSpeeds(0.0, 0.0, 0.0)
    first, second = _stretched(first, second)
    flow = cv2.calcOpticalFlowFarneback(first, second, np.empty(0), 0.5, 3, 11, 2, 5, 1.1, 0)  # pyright: ignore
    flow = flow[2:-2:_STRIDE, 2:-2:_STRIDE].reshape(-1, 2)
    camera = _camera(first.shape, flow)
    parts = (flow, camera, flow - camera)
    return FlowSpeeds(*(float(np.hypot(part[:, 0], part[:, 1]).mean()) / seconds for part in parts))


def _stretched(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.percentile(first[::4, ::4], (1, 99))
    gain = min(6.0, 160.0 / max(float(high - low), 1.0))
    if gain <= 1.2:
        return first, second
    table = np.clip((np.arange(256) - low) * gain + 48, 0, 255).astype(np.uint8)
    return cv2.LUT(first, table), cv2.LUT(second, table)


def _camera(shape: tuple[int, ...], flow: np.ndarray) -> np.ndarray:
    """The flow of the one shift, turn and zoom that explains most parts of the picture, float32 (n, 2).

    Least squares, weighted anew four times so that parts which go their own way count little.
    """
    terms = _terms(*shape[:2])  # (2, n, 4)
    measured = flow.T  # (2, n)
    trust = np.ones_like(measured)
    found = measured
    for _ in range(4):
        weighted = terms * trust[..., None]
        square = np.einsum("pni,pnj->ij", weighted, terms, optimize=True)
        answer = np.linalg.solve(square + 1e-6 * np.eye(4), np.einsum("pni,pn->i", weighted, measured))
        found = (terms @ answer).astype(np.float32)
        trust = 1 / (np.abs(measured - found) + 0.1)
    return found.T


@cache
def _terms(height: int, width: int) -> np.ndarray:
    """What one unit of shift across, shift down, zoom and turn moves each point of the grid by: float32 (2, n, 4)."""
    rows, columns = np.mgrid[2 : height - 2 : _STRIDE, 2 : width - 2 : _STRIDE]
    x, y = columns.ravel() - columns.mean(), rows.ravel() - rows.mean()
    one, none, scale = np.ones(len(x)), np.zeros(len(x)), 2 / width
    across, down = np.stack([one, none, x * scale, -y * scale], 1), np.stack([none, one, y * scale, x * scale], 1)
    return np.stack([across, down]).astype(np.float32)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference of two uint8 pictures, levels."""
    return cv2.norm(first, second, cv2.NORM_L1) / first.size


@cache
def _window(height: int, width: int) -> np.ndarray:
    return cv2.createHanningWindow((width, height), cv2.CV_32F)


def shake(thumbs: list[np.ndarray]) -> float:
    """How much the shift of the picture changes from one frame to the next, pixels at 256 wide; of 3 thumbs."""
    window = _window(*thumbs[0].shape)
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
