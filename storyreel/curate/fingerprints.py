"""Perceptual hashes: of a span, over time, the lowest frequencies of four of its pictures (pHash); and of a frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from storyreel.curate.copies import PLACES

MOMENTS = 4
NOISE = 2.0  # levels; a picture shows too little where half of its frequencies are below
_Y, _X = np.array(PLACES).T


def hash_of(pictures: Sequence[np.ndarray]) -> str:
    """64 hex digits, 256 bits, of uint8 (h, w) luma pictures that are evenly spread over a span.

    Twins differ in few bits, whatever their size and quality; strangers in about half of them.
    """
    at = [round(number * (len(pictures) - 1) / (MOMENTS - 1)) for number in range(MOMENTS)]
    bits = np.concatenate([_bits(pictures[index]) for index in at])
    return np.packbits(bits).tobytes().hex()


def _bits(picture: np.ndarray) -> np.ndarray:
    small = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:9, :9].ravel()[1:65]
    return low > np.median(low)


def hash_of_frame(luma: np.ndarray) -> int:
    """64 bits of a uint8 (h, w) picture, the signs of its lowest frequencies; 0 where it shows too little."""
    small = cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    level = cv2.dct(small)[_Y, _X]
    if np.median(np.abs(level)) < NOISE:
        return 0
    return int.from_bytes(np.packbits(level > 0).tobytes(), "big")
