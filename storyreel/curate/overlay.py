"""Text and marks that were laid over a film: words found by a detector, and edges that stay while the rest moves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np

from storyreel.curate.requirements import text_detector

_INK = 0.3  # probability from which a pixel is text
_SURE = 0.7  # mean probability that a box needs; words have 0.9 and more, textures that look like them 0.4 to 0.6
_GROW = 1.6  # the detector marks the inside of words: the area of a box is grown by its rule (DB, unclip)
_THICKEST = 0.3  # of the frame's shorter side: no line of words is thicker
_LARGEST = 0.25  # of the frame: a larger box is none; detectors tend to see text in whole natural frames
_SMALLEST = 12  # pixels
_EDGE = 10.0  # levels of gradient that a mark keeps in every sample


@cache
def _detector() -> Any:
    """The text detector, run by onnxruntime; None where it is not here."""
    try:
        file = text_detector()
    except ImportError:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def text_share(picture: np.ndarray) -> float | None:
    """Share of the frame that lies in boxes of text; uint8 (h, w, 3), red first. None without a detector."""
    detector = _detector()
    if detector is None:
        return None
    height, width = (max(32, round(side / 32) * 32) for side in picture.shape[:2])
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)[..., ::-1]
    values = (resized.astype(np.float32) / 255 - 0.5) / 0.5
    ink = detector.run(None, {detector.get_inputs()[0].name: values.transpose(2, 0, 1)[None]})[0][0, 0]
    return _boxes(ink)


def _boxes(ink: np.ndarray) -> float:
    """Summed area of the boxes in a map of probabilities, as a share of it, at most 1."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > _INK).astype(np.uint8))
    total = 0.0
    for label in range(1, count):
        left, top, width, height, pixels = (int(value) for value in stats[label])
        part = (slice(top, top + height), slice(left, left + width))
        if pixels < _SMALLEST or min(width, height) < 3 or float(ink[part][labels[part] == label].mean()) < _SURE:
            continue
        away = width * height * _GROW / (2 * (width + height))
        area = (width + 2 * away) * (height + 2 * away) / ink.size
        thick = min(width, height) + 2 * away
        if area <= _LARGEST and thick <= _THICKEST * min(ink.shape):
            total += area
    return min(1.0, total)


def mark_share(pictures: Sequence[np.ndarray], lit: tuple[int, int, int, int]) -> float:
    """Share of the frame that an unmoving mark in a corner covers. pictures: uint8 (h, w) of one span, spread over it.

    lit: rows and columns [top, bottom, left, right) of these pictures without bars. 0 where the corners as a whole
    stand still: then nothing tells a mark from a picture.
    """
    if len(pictures) < 3:
        return 0.0
    top, bottom, left, right = lit
    stack = np.stack([picture[top:bottom, left:right] for picture in pictures]).astype(np.float32)
    if min(stack.shape[1:]) < 24:
        return 0.0
    gx, gy = stack[:, 1:-1, 2:] - stack[:, 1:-1, :-2], stack[:, 2:, 1:-1] - stack[:, :-2, 1:-1]
    # Edges of one direction in every sample: the mean of the vectors is as long as the vectors are.
    steady = np.hypot(gx.mean(0), gy.mean(0))
    usual = np.hypot(gx, gy).mean(0)
    edges = (steady > _EDGE) & (steady > 0.8 * usual)
    height, width = edges.shape
    corner = np.zeros(edges.shape, bool)
    for rows in (slice(0, height // 3), slice(height - height // 3, height)):
        for columns in (slice(0, width // 3), slice(width - width // 3, width)):
            corner[rows, columns] = True
    busy = usual > _EDGE
    elsewhere = edges[~corner].sum() / max(1, busy[~corner].sum())
    if elsewhere > 0.1:
        return 0.0
    solid = cv2.morphologyEx((edges & corner).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(solid)
    areas = [int(stats[label][4]) for label in range(1, count) if stats[label][4] >= 20]
    return float(sum(areas)) / edges.size
