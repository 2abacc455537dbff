"""Small upright copies of a decoded picture: what everything but bars, blur and blocks is measured on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from storyreel.curate.decode import Picture

GRID = (36, 64)
"""Rows and columns of the luma that cuts are found in, whatever the shape of the film."""
CHROMA_GRID = (9, 16)


@dataclass(frozen=True)
class Thumb:
    """luma: uint8 GRID; chroma: uint8 (2, *CHROMA_GRID), 128 where there is none. Black is 0 and white is 255."""

    luma: np.ndarray
    chroma: np.ndarray


def upright(plane: np.ndarray, turns: int) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(plane, turns)) if turns else plane


def stretched(plane: np.ndarray, full: bool) -> np.ndarray:
    """Luma with black at 0 and white at 255, whatever range it was stored in."""
    return plane if full else cv2.LUT(plane, _STRETCH)


_STRETCH = np.clip((np.arange(256) - 16) * (255 / 219) + 0.5, 0, 255).astype(np.uint8)


def thumb(picture: Picture) -> Thumb:
    """The picture at the size in which cuts are found."""
    luma = _area(picture.luma, *(GRID if picture.turns % 2 == 0 else GRID[::-1]))
    luma = stretched(upright(luma, picture.turns), picture.full)
    if not picture.chroma:
        return Thumb(luma, np.full((2, *CHROMA_GRID), 128, np.uint8))
    shape = CHROMA_GRID if picture.turns % 2 == 0 else CHROMA_GRID[::-1]
    chroma = np.stack([upright(_area(plane, *shape), picture.turns) for plane in picture.chroma])
    return Thumb(luma, chroma)


def _area(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Means over areas, of some of the rows: every area still has four of them or more, and skipping is free.

    Very large planes lose columns, too.
    """
    down, across = max(1, plane.shape[0] // (height * 4)), max(1, plane.shape[1] // (width * 24))
    while down > 1 and plane.shape[0] % (height * down):  # whole areas are summed several times as fast as parts
        down -= 1
    return cv2.resize(plane[::down, ::across], (width, height), interpolation=cv2.INTER_AREA)


def small_luma(picture: Picture, long_side: int) -> np.ndarray:
    """Upright luma, uint8, whose longer side is at most `long_side`; black is 0 and white is 255."""
    height, width = _within(picture.luma.shape, long_side)
    small = cv2.resize(picture.luma, (width, height), interpolation=cv2.INTER_AREA)
    return stretched(upright(small, picture.turns), picture.full)


def small_chroma(picture: Picture, luma: np.ndarray) -> np.ndarray | None:
    """Upright colour differences (blue, red), uint8 (h, w, 2), of half the size of `luma`; None where there is none."""
    if not picture.chroma:
        return None
    height, width = (max(1, side // 2) for side in luma.shape)
    size = (width, height) if picture.turns % 2 == 0 else (height, width)
    parts = [cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in picture.chroma]
    return cv2.merge([upright(part, picture.turns) for part in parts])


def in_colour(luma: np.ndarray, chroma: np.ndarray | None) -> np.ndarray:
    """uint8 (h, w, 3), red first, of what `small_luma` and `small_chroma` gave."""
    if chroma is None:
        return np.repeat(luma[..., None], 3, -1)
    wide = cv2.resize(chroma, luma.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(*luma.shape, 2)
    return cv2.cvtColor(np.dstack([luma, wide[..., 1], wide[..., 0]]), cv2.COLOR_YCrCb2RGB)


def _within(shape: tuple[int, ...], long_side: int) -> tuple[int, int]:
    height, width = shape
    scale = min(1.0, long_side / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
