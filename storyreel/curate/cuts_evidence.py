"""What cuts are found from: products of all pairs of small frames that are near in time.

From these products alone follow, in closed form, the distance of any two frames at any lag (the cascade over frame
rates, in one decode) and how well the frames of any interval are a blend of what stands before and behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

REACH = 96
"""The longest lag, frames."""
_BLOCK = 128


@dataclass(frozen=True)
class Evidence:
    """A window of n frames.

    luma: float32 (n, 18, 32), chroma: float32 (n, 2, 9, 16), both with black or grey at 0 and levels as unit.
    detail: uint8 (n, 36, 64) luma.
    level: float32 (n, 3) mean of each plane. texture: float32 (n, n) products of frames without their means, per
    pixel; 0 where the frames are more than REACH apart. products: the same with the means.
    """

    detail: np.ndarray
    luma: np.ndarray
    chroma: np.ndarray
    level: np.ndarray
    texture: np.ndarray
    products: np.ndarray

    def __len__(self) -> int:
        return len(self.luma)

    @cached_property
    def coarse(self) -> np.ndarray:
        """luma and chroma at the size of chroma: float32 (n, 3, 9, 16)."""
        luma = self.luma.reshape(len(self), 9, 2, 16, 2).mean((2, 4))
        return np.concatenate([luma[:, None], self.chroma], 1)

    @cached_property
    def fine(self) -> np.ndarray:
        """Energy of what the luma loses when its size is halved, per pixel: float32 (n,)."""
        whole = np.einsum("nij,nij->n", self.detail, self.detail, dtype=np.float32) / self.detail[0].size
        halved = np.einsum("nij,nij->n", self.luma, self.luma) / self.luma[0].size
        return np.maximum(whole - halved, 0)

    @cached_property
    def break_(self) -> np.ndarray:
        """How far four frames before each frame are from four behind it, levels (n,); what flickers is left out.

        Products of different frames only: what is new in every frame is in none of them.
        """
        count, out = len(self), np.zeros(len(self), np.float32)
        k = np.arange(4, count - 3)
        if not len(k):
            return out
        pairs = [(a, b) for a in range(4) for b in range(a)]
        own = sum(self.products[k - 1 - a, k - 1 - b] + self.products[k + a, k + b] for a, b in pairs) / len(pairs)
        across = sum(self.products[k - 1 - a, k + b] for a in range(4) for b in range(4)) / 16
        out[k] = np.sqrt(np.maximum(own - 2 * across, 0))
        return out

    @cached_property
    def _distances(self) -> dict[int, np.ndarray]:
        return {}

    def distance(self, lag: int) -> np.ndarray:
        """Root mean square difference of frames k - lag and k for each k, levels; 0 for the first `lag`."""
        if lag not in self._distances:
            self._distances[lag] = self._distance(lag)
        return self._distances[lag]

    def _distance(self, lag: int) -> np.ndarray:
        energy = np.diagonal(self.products)
        out = np.zeros(len(self), np.float32)
        squares = energy[lag:] + energy[:-lag] - 2 * np.diagonal(self.products, lag)
        out[lag:] = np.sqrt(np.maximum(squares, 0))
        return out

    def between(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Root mean square difference of the frames of two arrays of indices, levels."""
        energy = np.diagonal(self.products)
        squares = energy[first] + energy[second] - 2 * self.products[first, second]
        return np.sqrt(np.maximum(squares, 0))


def gather(detail: np.ndarray, chroma: np.ndarray) -> Evidence:
    """detail: uint8 (n, 36, 64); chroma: uint8 (n, 2, 9, 16)."""
    count = len(detail)
    luma = detail.reshape(count, 18, 2, 32, 2).mean((2, 4), dtype=np.float32)
    colour = chroma.astype(np.float32) - 128
    level = np.concatenate([luma.mean((1, 2))[:, None], colour.mean((2, 3))], 1)
    flat = np.concatenate(
        [
            (luma - level[:, 0, None, None]).reshape(count, -1) / np.sqrt(luma[0].size),
            (colour - level[:, 1:, None, None]).reshape(count, -1) / np.sqrt(colour[0, 0].size),
        ],
        1,
    )
    texture = np.zeros((count, count), np.float32)
    for start in range(0, count, _BLOCK):
        rows, near = slice(start, start + _BLOCK), slice(max(0, start - REACH), start + _BLOCK + REACH)
        texture[rows, near] = flat[rows] @ flat[near].T
    return Evidence(detail, luma, colour, level, texture, texture + level @ level.T)
