"""Rain and snow in front of a picture: layers that fall at their own speed, the same at the same time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

COUNTS = {"rain": (110, 70, 45), "snow": (150, 80, 36)}  # drops or flakes of a layer, from far to near
STRENGTH = {"rain": (0.36, 0.46, 0.56), "snow": (0.6, 0.8, 0.9)}
SPEED = {"rain": (1.3, 1.7, 2.2), "snow": (0.13, 0.2, 0.3)}  # picture heights a second


@lru_cache(maxsize=32)
def layer(kind: str, number: int, size: int) -> np.ndarray:
    """float32 (size, size): how bright the drops or flakes of a layer are, 0 to 1; it repeats at its edges."""
    rng = np.random.default_rng([11, len(kind), number])
    made = np.zeros((size, size), np.float32)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    pixel = 0.62 / size
    for row, column, share in rng.uniform(0, 1, (COUNTS[kind][number], 3)):
        down = (y - row + 0.5) % 1 - 0.5
        over = (x - column + 0.5) % 1 - 0.5
        if kind == "rain":
            long, wide = (0.035, 0.05, 0.075)[number], (0.0025, 0.0035, 0.005)[number]
            drop = np.exp(-((over / max(wide, pixel)) ** 2)) * np.clip(1 - np.abs(down) / long, 0, 1)
        else:
            reach = (0.005, 0.008, 0.012)[number] * (0.7 + 0.6 * share)
            drop = np.exp(-(over**2 + down**2) / max(reach, pixel) ** 2)
            wide = reach
        np.maximum(made, drop * min(1.0, 0.45 + 0.55 * wide / pixel), out=made)
    return made


def falling(
    picture: np.ndarray, kind: str, times: np.ndarray, seed: int, light: np.ndarray, wind: float = 0.0
) -> np.ndarray:
    """The picture (t, h, w, 3) seen through rain or snow. light (t, 3): what it is lit by. wind: to the right."""
    size = picture.shape[1]
    rng = np.random.default_rng([seed, 3])
    cells = (np.arange(size) + 0.5) / size
    slant = float(np.clip(wind, -0.6, 0.6)) * (0.5 if kind == "rain" else 0.35)
    color = np.clip(light * 0.55 + (0.46 if kind == "rain" else 0.45), 0, 1)[:, None, None]
    for number in range(3):
        y0, x0, phase = rng.uniform(0, 1, 3)
        sway = 0.02 * np.sin(2 * np.pi * (times * 0.35 + phase)) * (kind == "snow")
        down = (cells[None, :] - (times * SPEED[kind][number] - y0)[:, None])[:, :, None]
        over = cells[None, None, :] - (times * slant * (0.6, 0.8, 1.0)[number] + sway - x0)[:, None, None]
        if kind == "rain":  # drops lean as the wind blows
            over = over - (cells[None, :, None] - 0.5) * slant * 0.4
        bright = _sampled(layer(kind, number, size), down, over)
        picture = picture + (color - picture) * (bright * STRENGTH[kind][number])[..., None]
    return picture


def _sampled(made: np.ndarray, down: np.ndarray, over: np.ndarray) -> np.ndarray:
    """A layer at these places (1 is its side), linear between its pixels."""
    size = len(made)
    row, column = np.broadcast_arrays(down * size - 0.5, over * size - 0.5)
    top, left = np.floor(row).astype(np.int32), np.floor(column).astype(np.int32)
    v, u = (row - top).astype(np.float32), (column - left).astype(np.float32)
    top, left = top % size, left % size
    below, right = (top + 1) % size, (left + 1) % size
    upper = made[top, left] * (1 - u) + made[top, right] * u
    return upper * (1 - v) + (made[below, left] * (1 - u) + made[below, right] * u) * v
