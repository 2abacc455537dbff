"""The land of the world `skies`: sea, lake, hills, mountains or a city, and the stars above it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from storyreel.worlds.scene_light import rgb
from storyreel.worlds.scene_noise import at, ease, tile, waves

if TYPE_CHECKING:
    from storyreel.worlds.skies_render import SkiesScene

SHORE = {"sea": 0.0, "lake": 0.035, "city": 0.03}  # of the water below the horizon, picture heights


@dataclass(frozen=True)
class Land:
    """What stands before the sky, float32 (rows, w[, 3]): how much it hides, its colour in white light, how far the air
    takes its colour, and the light of its windows with the phase of their flicker.

    water: the first row that mirrors, `size` where none does. top: its highest point over the horizon.
    """

    water: int
    cover: np.ndarray
    albedo: np.ndarray
    air: np.ndarray
    lamps: np.ndarray
    phase: np.ndarray
    ridge: np.ndarray
    star: np.ndarray
    star_phase: np.ndarray
    horizon: float
    rough: float

    def skyline(self, scene: SkiesScene) -> float:
        """How high the land stands where the sun or the moon is: their altitude counts from there."""
        size = len(self.ridge)
        at_ = int(np.clip(scene.place, 0.05, 0.95) * size)
        reach = max(1, size // 12)
        return float(self.ridge[max(0, at_ - reach) : at_ + reach].max())

    def stars(self, above: np.ndarray, times: np.ndarray, *, faint: bool) -> np.ndarray:
        """float32 (t, rows, w, 3): they twinkle, and pale towards the horizon."""
        rows = len(above)
        twinkle = 0.8 + 0.2 * np.sin(times[:, None, None] * 4.0 + self.star_phase[None, :rows])
        shown = self.star[None, :rows] * twinkle * ease(above, 0.02, 0.25)[None, :, None] * (0.45 if faint else 1.0)
        return shown.astype(np.float32)[..., None] * np.array([0.95, 0.97, 1.0], np.float32)


@lru_cache(maxsize=4)
def land_of(kind: str, horizon: float, size: int, seed: int, *, snowy: bool, lit: bool, starry: bool) -> Land:
    """The land of this kind, the same for the same seed at every size. snowy: under snow. lit: with lights in windows.
    starry: with stars above it."""
    rng = np.random.default_rng([seed, 1])
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    up = horizon - y
    made = _Layers(size, x, up, lit)
    ridges = {"sea": _none, "lake": _lake, "hills": _hills, "mountains": _mountains, "city": _city}[kind](
        made, rng, snowy
    )
    water = size if kind in ("hills", "mountains") else min(size, round((horizon + SHORE[kind]) * size))
    stars = np.random.default_rng([seed, 2])
    star, phase = _stars(size, stars, 150 if starry else 0)
    return Land(
        water=water, cover=made.cover[:water], albedo=made.albedo[:water], air=made.air[:water],
        lamps=made.lamps[:water], phase=made.phase[:water], ridge=ridges, star=star, star_phase=phase,
        horizon=horizon, rough={"sea": 1.0, "city": 0.6}.get(kind, 0.35),
    )  # fmt: skip


class _Layers:
    """Land that is put on from far to near."""

    def __init__(self, size: int, x: np.ndarray, up: np.ndarray, lit: bool) -> None:
        self.size, self.x, self.up, self.lit = size, x, up, lit
        self.cover = np.zeros((size, size), np.float32)
        self.albedo = np.zeros((size, size, 3), np.float32)
        self.air = np.zeros((size, size), np.float32)
        self.lamps = np.zeros((size, size, 3), np.float32)
        self.phase = np.zeros((size, size), np.float32)

    def put(self, ridge: np.ndarray, color: np.ndarray, air: float | np.ndarray) -> None:
        """All below `ridge` (w,), heights over the horizon."""
        mask = np.clip((ridge[None] - self.up) * self.size + 0.5, 0, 1)
        self.cover = self.cover + (1 - self.cover) * mask
        self.albedo += (color - self.albedo) * mask[..., None]
        self.air += (air - self.air) * mask
        self.lamps *= 1 - mask[..., None]


def _none(made: _Layers, rng: np.random.Generator, snowy: bool) -> np.ndarray:
    if rng.random() < 0.6:  # a coast far away
        line = made.x[0]
        ridge = 0.008 + 0.022 * waves(line, rng, (0.7, 0.31, 0.13), 0.4) * ease(
            np.abs(line - rng.uniform(0.2, 0.8)), 0.1, 0.4
        )
        made.put(np.maximum(ridge, -0.01), rgb("5d6b78")[0], 0.72)
        return np.maximum(ridge, 0)
    return np.zeros(made.size, np.float32)


def _grass(made: _Layers, rng: np.random.Generator, color: np.ndarray, other: np.ndarray, depth: float) -> np.ndarray:
    """float32 (h, w, 3): patches and stripes of two colours."""
    u, v = rng.uniform(0, 8, 2)
    noise = at(tile("cloud"), made.x * 3.2 / depth + u, made.up * 9 / depth + v)
    fine = at(tile("fine"), made.x * 5 / depth + v, made.up * 16 / depth + u)
    return color + (other - color) * np.clip(0.5 + 0.28 * noise + 0.16 * fine, 0, 1)[..., None]


def _hills(made: _Layers, rng: np.random.Generator, snowy: bool) -> np.ndarray:
    line = made.x[0]
    colors = rgb("7f9a78", "6d9a55", "5b8a3c", "48752e") if not snowy else rgb("c6cfda", "dfe6ee", "eef2f7", "f6f9fc")
    others = rgb("6f8d74", "8aa657", "7d9d45", "35602a") if not snowy else rgb("b4bfcd", "cbd5e1", "dde5ee", "e3eaf2")
    tops = np.zeros(made.size, np.float32)
    for number in range(4):
        height = (0.075, 0.02, -0.07, -0.19)[number]
        ridge = height + (0.035, 0.04, 0.05, 0.05)[number] * waves(line, rng, (1.4, 0.62, 0.27))
        color = _grass(made, rng, colors[number], others[number], 1 + number * 0.6)
        shade = 1 - 0.32 * ease((ridge[None] - made.up), 0.0, 0.16)
        made.put(ridge, color * shade[..., None], (0.62, 0.36, 0.16, 0.03)[number])
        _trees(made, rng, ridge, number, snowy)
        tops = np.maximum(tops, ridge)
    return tops


def _trees(made: _Layers, rng: np.random.Generator, ridge: np.ndarray, number: int, snowy: bool) -> None:
    """Trees on and below a ridge."""
    color = (
        rgb("3f6a45", "2f5f2f", "28501f", "1f4019")[number]
        if not snowy
        else rgb("66757a", "566568", "47565a", "3a484c")[number]
    )
    wide = (0.010, 0.014, 0.022, 0.035)[number]
    for _ in range((16, 12, 8, 4)[number]):
        place, low, big = rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.7, 1.3)
        foot = ridge[min(made.size - 1, int(place * made.size))] - low * (0.01, 0.03, 0.05, 0.03)[number]
        reach = wide * big
        ball = ((made.x - place) / reach) ** 2 + ((made.up - foot - 1.1 * reach) / (1.35 * reach)) ** 2
        mask = np.clip((1 - np.sqrt(ball)) * reach * made.size + 0.5, 0, 1)
        round_ = 0.8 + 0.5 * np.clip((made.up - foot - reach) / reach + 0.3 * (place - made.x) / reach, -0.6, 0.7)
        made.cover = made.cover + (1 - made.cover) * mask
        made.albedo += (color * round_[..., None] - made.albedo) * mask[..., None]
        made.air += ((0.62, 0.36, 0.16, 0.03)[number] - made.air) * mask


def _mountain(
    made: _Layers, rng: np.random.Generator, ridge: np.ndarray, rock: np.ndarray, snow_from: float
) -> np.ndarray:
    """float32 (h, w, 3): slopes that face the light or not, with snow above a height."""
    below = ridge[None] - made.up
    u, v = rng.uniform(0, 8, 2)
    crest = (
        at(tile("puffs"), made.x * 2.1 + u, below * 1.2 + v) * 0.6
        + at(tile("fine"), made.x * 3.5 + v, below * 4 + u) * 0.4
    )
    slope = np.gradient(ridge) * made.size
    facing = np.clip(0.5 + 0.32 * crest + 0.55 * np.clip(slope, -1, 1)[None] * np.exp(-np.maximum(below, 0) * 7), 0, 1)
    color = rock * (0.55 + 0.6 * facing[..., None])
    snow = ease(made.up + 0.035 * crest, snow_from - 0.03, snow_from + 0.03)
    white = np.array([0.93, 0.96, 1.0], np.float32) * (0.68 + 0.32 * facing[..., None])
    return color + (white - color) * snow[..., None]


def _mountains(made: _Layers, rng: np.random.Generator, snowy: bool) -> np.ndarray:
    line = made.x[0]
    tops = np.zeros(made.size, np.float32)
    for number in range(3):
        lengths = ((0.8, 0.37, 0.17, 0.08, 0.04), (0.9, 0.41, 0.19, 0.09, 0.045), (0.7, 0.3, 0.14, 0.06))[number]
        ridge = (0.15, 0.06, -0.06)[number] + (0.13, 0.10, 0.05)[number] * waves(line, rng, lengths, 0.8)
        rock = rgb("7c8595", "6a7180", "4f5a58")[number]
        snow_from = -1.0 if snowy else (0.13, 0.13, 9.0)[number]
        made.put(ridge, _mountain(made, rng, ridge, rock, snow_from), (0.52, 0.27, 0.10)[number])
        tops = np.maximum(tops, ridge)
    _forest(made, rng, -0.13, snowy)
    return tops


def _forest(made: _Layers, rng: np.random.Generator, height: float, snowy: bool) -> None:
    """A line of firs in front."""
    line = made.x[0]
    base = height + 0.03 * waves(line, rng, (0.9, 0.37))
    ridge = base.copy()
    for place in rng.uniform(-0.02, 1.02, 46):
        tall = rng.uniform(0.045, 0.10)
        ridge = np.maximum(ridge, base + tall * np.clip(1 - np.abs(line - place) / (tall * 0.30), -1, 1))
    color = rgb("26402f")[0] if not snowy else rgb("8d9ba4")[0]
    below = ridge[None] - made.up
    grain = at(tile("fine"), made.x * 6, made.up * 9)
    made.put(ridge, color * (0.85 + 0.25 * np.clip(grain, -1, 1) - 0.35 * ease(below, 0.02, 0.25))[..., None], 0.02)


def _lake(made: _Layers, rng: np.random.Generator, snowy: bool) -> np.ndarray:
    line = made.x[0]
    tops = np.zeros(made.size, np.float32)
    for number in range(2):
        lengths = ((0.8, 0.36, 0.17, 0.08, 0.04), (0.6, 0.27, 0.12, 0.06))[number]
        ridge = (0.12, 0.035)[number] + (0.12, 0.05)[number] * waves(line, rng, lengths, (0.75, 0.5)[number])
        rock = rgb("76829a", "47604f")[number]
        snow_from = -1.0 if snowy else (0.12, 9.0)[number]
        made.put(ridge, _mountain(made, rng, ridge, rock, snow_from), (0.45, 0.16)[number])
        tops = np.maximum(tops, ridge)
    bank = -0.018 + 0.008 * waves(line, rng, (0.5, 0.2))
    for place in rng.uniform(-0.02, 1.02, 40):
        tall = rng.uniform(0.02, 0.055)
        bank = np.maximum(bank, -0.03 + tall * np.clip(1 - np.abs(line - place) / (tall * 0.33), 0, 1))
    made.put(bank, rgb("2b4534")[0] if not snowy else rgb("9aa8b0")[0], 0.05)
    return tops


def _city(made: _Layers, rng: np.random.Generator, snowy: bool) -> np.ndarray:
    line = made.x[0]
    tops = np.full(made.size, 0.0, np.float32)
    for number in range(3):
        place, colors = -0.03, rgb("8792a3", "6f7a8c", "555f70")
        while place < 1.03:
            wide = rng.uniform(0.045, 0.10) * (0.8, 1.0, 1.15)[number]
            center = 1 - 1.5 * abs(place + wide / 2 - 0.5)
            tall = (rng.uniform(0.10, 0.30) * max(0.35, center), rng.uniform(0.06, 0.20), rng.uniform(0.02, 0.09))[
                number
            ]
            spire = number < 2 and rng.random() < 0.2
            ridge = np.where((line >= place) & (line < place + wide), tall, -1).astype(np.float32)
            if spire:
                ridge = np.maximum(ridge, np.where(np.abs(line - place - wide / 2) < 0.006, tall * 1.3, -1))
            tone = (
                colors[number]
                * rng.uniform(0.8, 1.15)
                * np.array([rng.uniform(0.95, 1.08), 1, rng.uniform(0.94, 1.06)], np.float32)
            )
            side = 1 - 0.22 * (made.x > place + wide * 0.7)
            made.put(ridge, tone * side[..., None], (0.5, 0.3, 0.12)[number])
            _windows(made, rng, place, wide, tall, number)
            tops = np.maximum(tops, ridge)
            place += wide * rng.uniform(0.75, 1.25)
    made.put(np.full(made.size, 0.004, np.float32), rgb("3a4350")[0] if not snowy else rgb("c8d2dc")[0], 0.1)
    return tops


def _windows(made: _Layers, rng: np.random.Generator, place: float, wide: float, tall: float, number: int) -> None:
    """Lit windows on a grid of its own for every house."""
    pitch = (0.017, 0.020, 0.024)[number]
    columns, rows = max(1, int(wide / pitch)), max(1, int(tall / pitch))
    lit = rng.random((rows, columns)) < 0.55
    warm = rgb("ffd58a", "ffe9b8", "ffb45e", "cfe4ff")[rng.integers(0, 4, (rows, columns))] * rng.uniform(
        0.55, 1, (rows, columns, 1)
    )
    phase = rng.uniform(0, 6.28, (rows, columns))
    reach = max(pitch * 0.30, 0.5 / made.size)
    strong = min(1.0, pitch * 0.30 * made.size / 0.5)
    for row in range(rows if made.lit else 0):
        for column in range(columns):
            if not lit[row, column]:
                continue
            cx = place + wide * (column + 0.5) / columns
            cy = tall - pitch * (row + 0.7)
            left, right = int((cx - 2 * reach) * made.size), int((cx + 2 * reach) * made.size) + 2
            first = int((made.up[0, 0] - cy - 2 * reach) * made.size)
            part = (
                slice(max(0, first), max(0, first + int(4 * reach * made.size) + 3)),
                slice(max(0, left), max(0, right)),
            )
            dx, dy = np.abs(made.x[part] - cx), np.abs(made.up[part] - cy)
            glow = np.clip((reach - dx) * made.size + 0.5, 0, 1) * np.clip((reach * 1.2 - dy) * made.size + 0.5, 0, 1)
            made.lamps[part] = np.maximum(made.lamps[part], glow[..., None] * warm[row, column] * strong)
            made.phase[part] = np.where(glow > 0, phase[row, column], made.phase[part])


def _stars(size: int, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    star, phase = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    for row, column, bright, turn in rng.uniform(0, 1, (count, 4)):
        reach = max(0.0035 + 0.004 * bright**3, 0.55 / size)
        part = (slice(max(0, int((row - 0.03) * size)), int((row + 0.03) * size) + 2),
                slice(max(0, int((column - 0.03) * size)), int((column + 0.03) * size) + 2))  # fmt: skip
        glow = np.exp(-((y[part] - row) ** 2 + (x[part] - column) ** 2) / reach**2) * (0.3 + 0.7 * bright**2)
        phase[part] = np.where(glow > star[part], turn * 6.28, phase[part])
        np.maximum(star[part], glow, out=star[part])
    return star, phase
