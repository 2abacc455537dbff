"""The perceptual hash of a span: the signs of the lowest frequencies of four of its pictures (pHash, over time)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

MOMENTS = 4


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
