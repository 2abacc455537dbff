"""What stands beside the road of the world `road` and drives on it, as small pictures that are drawn here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from storyreel.worlds.scene_light import rgb
from storyreel.worlds.scene_noise import at, tile

SIDE = 96
CARS = {"red": "c8281e", "white": "eceef0", "blue": "2a58c8", "yellow": "f0c020"}
Brush = Callable[["Canvas", int], None]


class Canvas:
    """float32 (SIDE, SIDE): x from -0.5 to 0.5, up from 0 to 1; what is put on it, as (r, g, b, a, lamp r, g, b)."""

    def __init__(self) -> None:
        y, x = (np.mgrid[:SIDE, :SIDE].astype(np.float32) + 0.5) / SIDE
        self.x, self.up = x - 0.5, 1 - y
        self.made = np.zeros((SIDE, SIDE, 7), np.float32)

    def put(self, inside: np.ndarray, color: np.ndarray, shade: np.ndarray | float = 1.0) -> None:
        """inside: how far each point lies in the shape, canvas widths."""
        mask = np.clip(inside * SIDE + 0.5, 0, 1)[..., None]
        colored = np.clip(color * np.asarray(shade)[..., None], 0, 1) if np.ndim(shade) else color * shade
        self.made[..., :3] += (colored - self.made[..., :3]) * np.where(self.made[..., 3:4] > 0, mask, mask > 0)
        self.made[..., 3:4] = np.maximum(self.made[..., 3:4], mask)
        self.made[..., 4:] *= 1 - mask

    def shine(self, inside: np.ndarray, color: np.ndarray) -> None:
        mask = np.clip(inside * SIDE + 0.5, 0, 1)[..., None]
        self.made[..., 4:] = np.maximum(self.made[..., 4:], mask * color)

    def box(self, left: float, right: float, low: float, high: float) -> np.ndarray:
        sides = np.minimum(self.x - left, right - self.x)
        return np.minimum(sides, np.minimum(self.up - low, high - self.up))

    def ball(self, x: float, up: float, wide: float, tall: float) -> np.ndarray:
        return (1 - np.hypot((self.x - x) / wide, (self.up - up) / tall)) * min(wide, tall)


def tree(c: Canvas, number: int) -> None:
    rng = np.random.default_rng([21, number])
    c.put(c.box(-0.035, 0.035, 0, 0.45), rgb("5a4332")[0], 1 - 1.6 * np.abs(c.x + 0.015))
    green = rgb("4f7a32", "5f8a34", "3f6b38")[number % 3]
    grain = at(tile("fine", 3), c.x * 3 + number, c.up * 3)
    for _ in range(9):
        x, up, reach = rng.uniform(-0.2, 0.2), rng.uniform(0.42, 0.78), rng.uniform(0.14, 0.22)
        light = 0.78 + 0.9 * (c.up - 0.6) - 0.5 * c.x + 0.10 * grain + 0.3 * (c.up - up)
        c.put(c.ball(x, up, reach, reach), green, light)


def fir(c: Canvas, number: int) -> None:
    c.put(c.box(-0.03, 0.03, 0, 0.2), rgb("4a3628")[0])
    grain = at(tile("fine", 3), c.x * 3 + number, c.up * 4)
    green = rgb("2f5a3c", "2a5034", "38643a")[number % 3]
    for low in (0.08, 0.28, 0.48, 0.66):
        high = min(1.0, low + 0.42)
        half = 0.30 * (1.05 - low) * np.clip((high - c.up) / (high - low), 0, 1)
        inside = np.minimum(half - np.abs(c.x), np.minimum(c.up - low, high - c.up))
        c.put(inside, green, 0.75 + 0.5 * (c.up - low) - 0.7 * c.x + 0.14 * grain)


def snowy(brush: Brush) -> Brush:
    """The same under snow, which lies on what faces up."""

    def drawn(c: Canvas, number: int) -> None:
        brush(c, number)
        shade = np.clip(0.55 + 0.6 * at(tile("cloud", 4), c.x * 2, c.up * 4), 0, 1)[..., None]
        keep = (c.up[..., None] > 0.18) * shade * 0.75
        c.made[..., :3] += (np.array([0.93, 0.95, 0.99], np.float32) - c.made[..., :3]) * keep

    return drawn


def house(c: Canvas, number: int) -> None:
    wall = rgb("e8dcc4", "d9c0a0", "f0efe8", "c9d3d8", "d8a088")[number % 5]
    roof = rgb("9a4a38", "7a3f36", "5f5a60", "8a5238")[number % 4]
    c.put(c.box(-0.46, 0.46, 0, 0.52), wall, 0.92 - 0.25 * c.x)
    edge = 0.5 - np.abs(c.x) - (c.up - 0.5) * 0.75
    c.put(np.minimum(edge, np.minimum(c.up - 0.5, 0.97 - c.up)), roof, 0.95 - 0.3 * c.x)
    c.put(c.box(0.2, 0.28, 0.8, 1.0), rgb("7d5a4c")[0])
    c.put(c.box(-0.07, 0.07, 0, 0.27), rgb("6a4630")[0])
    for x in (-0.34, 0.22):
        for low in (0.12,):
            c.put(c.box(x - 0.02, x + 0.14, low, low + 0.2), rgb("f4f0e4")[0])
            c.put(c.box(x, x + 0.12, low + 0.02, low + 0.18), rgb("54708a")[0])
            c.shine(c.box(x, x + 0.12, low + 0.02, low + 0.18), rgb("ffcf7a")[0])


def tower(c: Canvas, number: int) -> None:
    rng = np.random.default_rng([23, number])
    c.put(c.box(-0.5, 0.5, 0, 1.0), rgb("8d97a6", "a59a8c", "737c8c", "9a8478")[number % 4], 0.95 - 0.4 * c.x)
    columns, rows = 5, 9
    for row in range(rows):
        for column in range(columns):
            x, low = -0.43 + 0.86 * column / columns, 0.12 + 0.86 * row / rows
            pane = c.box(x + 0.02, x + 0.14, low, low + 0.062)
            c.put(pane, rgb("4a6078", "5c7690")[int(rng.integers(2))])
            if rng.random() < 0.5:
                c.shine(pane, rgb("ffd890", "fff0c8", "d8e8ff")[int(rng.integers(3))])
    c.put(c.box(-0.42, 0.42, 0, 0.085), rgb("3a3f48")[0])
    c.shine(c.box(-0.42, 0.42, 0.01, 0.075), rgb("ffc878", "90c8ff", "ff90b0", "c8ffb0")[number % 4] * 0.9)


def cactus(c: Canvas, number: int) -> None:
    green = rgb("56803f")[0]
    light = 1.0 - 1.4 * c.x
    flip = 1 if number % 2 else -1
    c.put(c.box(-0.07, 0.07, 0, 0.93) + 0.0, green, light)
    c.put(c.ball(0, 0.93, 0.07, 0.07), green, light)
    for side, low, high in ((flip, 0.36, 0.72), (-flip, 0.5, 0.8)):
        c.put(c.box(min(0.0, side * 0.25), max(0.0, side * 0.25), low, low + 0.10), green, light)
        c.put(c.box(side * 0.25 - 0.05, side * 0.25 + 0.05, low, high), green, light)
        c.put(c.ball(side * 0.25, high, 0.05, 0.05), green, light)


def rock(c: Canvas, number: int) -> None:
    grain = at(tile("cloud", 4), c.x * 2 + number, c.up * 2)
    for x, wide, tall in ((-0.12, 0.32, 0.62), (0.2, 0.26, 0.42)):
        c.put(
            np.minimum(c.ball(x, 0.1, wide, tall), c.up), rgb("a8805c")[0], 0.8 + 0.5 * c.up - 0.7 * c.x + 0.12 * grain
        )


def bush(c: Canvas, number: int) -> None:
    rng = np.random.default_rng([25, number])
    grain = at(tile("fine", 3), c.x * 2 + number, c.up * 2)
    for _ in range(6):
        x, reach = rng.uniform(-0.28, 0.28), rng.uniform(0.18, 0.3)
        c.put(
            np.minimum(c.ball(x, 0.28, reach, reach * 1.5), c.up),
            rgb("5d8038", "6c7d3a")[number % 2],
            0.75 + 0.5 * c.up + 0.12 * grain,
        )


def post(c: Canvas, number: int) -> None:
    c.put(c.box(-0.06, 0.06, 0, 1.0), rgb("f0f0ec")[0])
    c.put(c.box(-0.06, 0.06, 0.68, 0.84), rgb("c83028")[0])


def lamp(c: Canvas, number: int) -> None:
    c.put(c.box(-0.012, 0.012, 0, 0.97), rgb("585e66")[0])
    c.put(c.box(-0.012, 0.15, 0.95, 0.975), rgb("585e66")[0])
    c.put(c.ball(0.15, 0.94, 0.055, 0.025), rgb("d8d8c8")[0])
    c.shine(c.ball(0.15, 0.94, 0.06, 0.035), rgb("ffe0a0")[0])


def car(color: str, front: bool) -> Brush:
    """From before (it comes) or from behind (it drives ahead)."""

    def drawn(c: Canvas, number: int) -> None:
        body = rgb(CARS[color])[0]
        light = 0.82 + 0.35 * c.up - 0.25 * np.abs(c.x)
        for x in (-0.34, 0.34):
            c.put(c.box(x - 0.09, x + 0.09, 0.0, 0.22), rgb("15161a")[0])
        c.put(c.box(-0.46, 0.46, 0.12, 0.52), body, light)
        cabin = np.minimum(0.38 - np.abs(c.x) - (c.up - 0.5) * 0.32, np.minimum(c.up - 0.48, 0.93 - c.up))
        c.put(cabin, body, light)
        glass = np.minimum(0.33 - np.abs(c.x) - (c.up - 0.54) * 0.32, np.minimum(c.up - 0.55, 0.84 - c.up))
        c.put(glass, rgb("2a3644")[0], 0.8 + 0.8 * (c.up - 0.5))
        c.put(c.box(-0.45, 0.45, 0.12, 0.2), rgb("2a2c30")[0])
        for x in (-0.34, 0.34):
            lampshade = c.box(x - 0.1, x + 0.1, 0.34, 0.44)
            c.put(lampshade, rgb("f4f0d8" if front else "b01818")[0])
            c.shine(c.ball(x, 0.39, 0.13, 0.10), rgb("fff4d0" if front else "ff3020")[0])
        c.put(c.box(-0.12, 0.12, 0.23, 0.31), rgb("f4f4f0")[0] * (0.4 if front else 1))

    return drawn


BRUSHES: dict[str, Brush] = {
    "tree": tree, "fir": fir, "snowy tree": snowy(tree), "snowy fir": snowy(fir), "house": house, "tower": tower,
    "cactus": cactus, "rock": rock, "bush": bush, "post": post, "lamp": lamp,
    **{f"{color} {'front' if front else 'back'}": car(color, front) for color in CARS for front in (True, False)},
}  # fmt: skip


@dataclass(frozen=True)
class Sprite:
    """A picture at halved sizes, each float32 (side + 2, side + 2, 7) with an empty border, colours times alpha."""

    levels: tuple[np.ndarray, ...]

    def fit(self, tall: float) -> np.ndarray:
        """The one to be shown `tall` pixels high."""
        number = math.floor(math.log2(SIDE / max(tall, 1e-6)) + 0.25)
        return self.levels[min(max(number, 0), len(self.levels) - 1)]


@lru_cache(maxsize=256)
def sprite(kind: str, number: int) -> Sprite:
    """The picture of this kind; its variants are numbered."""
    canvas = Canvas()
    BRUSHES[kind](canvas, number)
    made = canvas.made
    made[..., :3] *= made[..., 3:4]
    levels = []
    while len(made) >= 3:
        levels.append(np.pad(made, ((1, 1), (1, 1), (0, 0))))
        made = (made[::2, ::2] + made[1::2, ::2] + made[::2, 1::2] + made[1::2, 1::2]) / 4
        if len(made) % 2:
            levels.append(np.pad(made, ((1, 1), (1, 1), (0, 0))))
            break
    return Sprite(tuple(levels))
