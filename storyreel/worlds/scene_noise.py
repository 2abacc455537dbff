"""Noise that repeats at its edges, made once a process, and its values at any point: for clouds, waves and grass."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

SIDE = 256  # texels of a tile
UNIT = 32  # texels a unit: a tile repeats after SIDE / UNIT units


@lru_cache(maxsize=16)
def tile(kind: str, number: int = 0) -> np.ndarray:
    """float32 (SIDE * SIDE, 4): at each texel its value and those right of it, below, and right below; mean 0, std 1.

    kind: `soft` (large forms alone), `cloud` (all sizes), `puffs` (round heaps), `fine` (small forms alone).
    """
    rng = np.random.default_rng([7, sum(kind.encode()), number])
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE, 1 / SIDE), np.fft.rfftfreq(SIDE, 1 / SIDE), indexing="ij"))
    low, slope, high = {"soft": (3, 2.6, 14), "cloud": (3, 1.9, 90), "puffs": (6, 1.9, 60), "fine": (14, 1.2, 90)}[kind]
    shaped = np.where(frequency >= low, np.maximum(frequency, 1) ** -slope, 0) * np.exp(-((frequency / high) ** 2))
    made = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * shaped, s=(SIDE, SIDE))
    if kind == "puffs":  # folded: round tops with creases between
        made /= made.std()
        made = np.abs(made) + 0.5 * np.roll(made, 61, axis=1)
    made = ((made - made.mean()) / made.std()).astype(np.float32)
    right, below = np.roll(made, -1, axis=1), np.roll(made, -1, axis=0)
    return np.stack([made, right, below, np.roll(right, -1, axis=0)], -1).reshape(-1, 4)


def at(table: np.ndarray, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """float32: the noise at these points (units; they broadcast), linear between texels."""
    u, v = np.broadcast_arrays(across * np.float32(UNIT), along * np.float32(UNIT))
    column, row = np.floor(u), np.floor(v)
    right, below = (u - column).astype(np.float32), (v - row).astype(np.float32)
    place = ((row.astype(np.int64) % SIDE) * SIDE + column.astype(np.int64) % SIDE).astype(np.int32)
    corners = table[place]
    upper = corners[..., 0] + (corners[..., 1] - corners[..., 0]) * right
    lower = corners[..., 2] + (corners[..., 3] - corners[..., 2]) * right
    return upper + (lower - upper) * below


def ease(value: np.ndarray, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, and smooth between."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def waves(across: np.ndarray, rng: np.random.Generator, lengths: tuple[float, ...], rough: float = 0.0) -> np.ndarray:
    """A line of hills at these places: a sum of sines of these lengths with random phases, about -1 to 1.

    rough: how far each is folded into peaks, 0 to 1.
    """
    made = np.zeros_like(across)
    total = 0.0
    for length in lengths:
        wave = np.sin(across * (2 * np.pi / length) + rng.uniform(0, 2 * np.pi))
        peaked = 1 - 2 * np.abs(wave)
        made = made + length * ((1 - rough) * wave + rough * peaked)
        total += length
    return made / total
