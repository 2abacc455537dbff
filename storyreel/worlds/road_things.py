"""What is beside and on the road of the world `road`, from far to near: which there is follows from the place alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from storyreel.worlds.road_sprites import sprite
from storyreel.worlds.road_track import AHEAD, AXIS, EYE, LENS, View
from storyreel.worlds.scene_light import Light, rgb, screen

if TYPE_CHECKING:
    from storyreel.worlds.road_render import RoadScene

SIGHT, FULL = 140.0, 95.0  # metres: nothing is drawn beyond; all is drawn wholly below
NEAR = 1.7
CELL = 12.0  # metres of road for which things are drawn by lot


class Thing(NamedTuple):
    """Metres: ahead, across from the middle of the road to its middle, wide, tall. glow: of its lamps by day."""

    ahead: float
    across: float
    wide: float
    tall: float
    kind: str
    number: int
    glow: float = 0.0


class Projection(NamedTuple):
    """Where a thing is seen, in pictures: its middle, its foot, how large a metre is; below `crest` it is hidden."""

    middle: float
    foot: float
    scale: float
    crest: float


def things(picture: np.ndarray, scene: RoadScene, road: View, light: Light, time: float, fog: float) -> None:
    """Draws them into the picture (size, size, 3)."""
    way = float(scene.track.way(np.asarray(time)))
    there = [*_beside(scene, way), *_cars(scene, way, time)]
    ahead = np.array([thing.ahead for thing in there])
    right = np.interp(ahead, AHEAD, scene.track.aside(way, AHEAD)) - scene.lane
    above = np.interp(ahead, AHEAD, scene.track.above(way, AHEAD))
    crest = np.interp(ahead, AHEAD, road.crest)
    seen = np.exp(-ahead / fog)  # through the fog
    share = np.clip((SIGHT - ahead) / (SIGHT - FULL), 0, 1) * np.clip((ahead - NEAR) / 0.5, 0, 1)
    share *= np.clip((seen - 0.06) / 0.06, 0, 1)
    scale = LENS / ahead
    middle = 0.5 + (right + np.array([thing.across for thing in there])) * scale
    wide, tall = (np.abs([getattr(thing, name) for thing in there]) * scale for name in ("wide", "tall"))
    share *= np.clip(tall * len(picture) - 1.2, 0, 1) * (np.abs(middle - 0.5) < 0.5 + wide / 2)
    for i in np.argsort(-ahead):
        if share[i] > 0:
            foot = AXIS + (EYE - above[i]) * scale[i]
            place = Projection(float(middle[i]), float(foot), float(scale[i]), float(crest[i]))
            _draw(picture, there[i], place, (float(seen[i]), float(share[i])), scene, light)


def _cars(scene: RoadScene, way: float, time: float) -> Iterator[Thing]:
    kind, color = scene.attributes["traffic"], scene.attributes["car"]
    night = scene.attributes["time"] == "night" or scene.attributes["weather"] in ("fog", "rain")
    if kind == "followed":
        yield Thing(scene.gap + 0.8 * np.sin(0.7 * time), scene.lane, 1.85, 1.5, f"{color} back", 0, 0.5 * night)
    elif kind in ("oncoming", "passed"):
        side = "front" if kind == "oncoming" else "back"
        start = (scene.pace * time - way + scene.seed % 1009 / 1009 * scene.gap) % scene.gap
        for number in range(-1, int(SIGHT / scene.gap) + 1):
            ahead = start + number * scene.gap
            if NEAR < ahead < SIGHT:
                yield Thing(ahead, scene.others, 1.85, 1.5, f"{color} {side}", 0, 0.5 * night)


def _beside(scene: RoadScene, way: float) -> Iterator[Thing]:
    for cell in range(int(way // CELL), int((way + SIGHT) // CELL) + 1):
        snowy = scene.attributes["weather"] == "snow"
        for spot, across, wide, tall, kind, number in _cell(scene.attributes["place"] or "", snowy, scene.seed, cell):
            ahead = spot - way
            if NEAR < ahead < SIGHT:
                yield Thing(ahead, across, wide, tall, kind, number)


@lru_cache(maxsize=4096)
def _cell(place: str, snowy: bool, seed: int, cell: int) -> tuple[tuple[float, float, float, float, str, int], ...]:
    """(place along the road, across, wide, tall, kind, number) of what stands in one cell, both sides."""
    rng = np.random.default_rng([seed, 6, cell % 2**32])
    start, made = cell * CELL, []
    cold = "snowy " if snowy else ""
    for side in (-1, 1):
        spots = start + (np.arange(3) + rng.uniform(0.1, 0.9, 3)) * CELL / 3
        far, big, lot = rng.uniform(0, 1, 3), rng.uniform(0.8, 1.25, 3), rng.random(4)
        numbers = rng.integers(0, 60, 4)
        if place == "forest":
            for i in range(3):
                kind, tall = ("fir", 11.0) if numbers[i] % 3 else ("tree", 9.0)
                made.append(
                    (
                        spots[i],
                        side * (6.2 + 5.5 * far[i]),
                        tall * 0.75 * big[i],
                        tall * big[i],
                        cold + kind,
                        int(numbers[i] % 6),
                    )
                )
        elif place == "fields":
            made.append((start, side * 4.5, 0.22, 1.0, "post", 0))
            if lot[0] < 0.28:
                made.append(
                    (spots[0], side * (7 + 12 * far[0]), 7.5 * big[0], 7.5 * big[0], cold + "tree", int(numbers[0] % 6))
                )
            if lot[1] < 0.3:
                made.append(
                    (spots[1], side * (6 + 10 * far[1]), 2.2 * big[1], 1.6 * big[1], "bush", int(numbers[1] % 4))
                )
        elif place == "village":
            if lot[0] < 0.62:
                made.append((spots[1], side * (10.5 + 2 * far[1]), 8.5, 7.0 * big[1], "house", int(numbers[0] % 20)))
            if lot[1] < 0.5:
                made.append(
                    (spots[0], side * (6.4 + far[0]), 4.6 * big[0], 5.0 * big[0], cold + "tree", int(numbers[1] % 6))
                )
            if cell % 2 == (side > 0):
                made.append((start + 1, side * 5.0, -5.0 * side, 5.4, "lamp", 0))
        elif place == "desert":
            if lot[0] < 0.45:
                made.append(
                    (spots[0], side * (6.5 + 12 * far[0]), 3.4 * big[0], 4.6 * big[0], "cactus", int(numbers[0] % 2))
                )
            if lot[1] < 0.4:
                made.append(
                    (spots[1], side * (6 + 14 * far[1]), 4.2 * big[1], 2.6 * big[1], "rock", int(numbers[1] % 5))
                )
            if lot[2] < 0.5:
                made.append((spots[2], side * (5.5 + 9 * far[2]), 1.6 * big[2], 1.1 * big[2], "bush", 1))
        else:
            made.append((start + 6, side * (14.0 + 2.5 * far[0]), 13.0, 13 + 22 * far[1], "tower", int(numbers[0])))
            if cell % 2 == (side > 0):
                made.append((start + 1, side * 5.0, -5.5 * side, 6.0, "lamp", 0))
            if lot[2] < 0.35:
                made.append((spots[2], side * 6.2, 3.6, 4.2, cold + "tree", int(numbers[2] % 6)))
    return tuple((float(a), float(b), float(c), float(d), kind, n) for a, b, c, d, kind, n in made)


def _draw(
    picture: np.ndarray, thing: Thing, place: Projection, shares: tuple[float, float], scene: RoadScene, light: Light
) -> None:
    """One thing. shares: how well it is seen through the fog, and how much of it is there at all."""
    size = len(picture)
    wide, tall = abs(thing.wide) * place.scale * size, thing.tall * place.scale * size
    left, top = place.middle * size - wide / 2, place.foot * size - tall
    low = min(place.foot, place.crest + 1 / size)
    first, last = max(0, math.floor(top)), min(size, math.ceil(low * size) + 1)
    start, stop = max(0, math.floor(left)), min(size, math.ceil(left + wide) + 1)
    seen, share = shares
    if first >= last or start >= stop:
        return
    texture = sprite(thing.kind, thing.number).fit(tall)
    side = len(texture) - 2
    rows = np.arange(first, last)
    down = (rows + 0.5 - top) * (side / tall) + 0.5
    over = (np.arange(start, stop) + 0.5 - left) * (side / wide) + 0.5
    shine = max(float(light.dark[0]), thing.glow) * math.sqrt(seen) * share
    made = _sampled(texture if shine > 0.01 else texture[..., :4], down, over if thing.wide > 0 else side + 1 - over)
    if place.crest < place.foot:
        made = made * np.clip(place.crest * size - rows, 0, 1)[:, None, None]
    part = picture[first:last, start:stop]
    alpha = made[..., 3:4] * share
    part *= 1 - alpha
    part += made[..., :3] * (_lit(thing, scene, light) * (seen * share)) + alpha * (
        light.horizon[0] * (0.97 * (1 - seen))
    )
    if shine > 0.01:
        part[:] = screen(part, made[..., 4:] * shine)


def _lit(thing: Thing, scene: RoadScene, light: Light) -> np.ndarray:
    """What light falls on it."""
    if scene.attributes["time"] != "night":
        return light.land[0]
    off = abs(thing.across - scene.lane)
    beam = math.exp(-((off / (2.5 + 0.22 * thing.ahead)) ** 2) - thing.ahead / 40)
    return light.land[0] * 0.75 + beam * rgb("fff0d0")[0]


def _sampled(texture: np.ndarray, down: np.ndarray, over: np.ndarray) -> np.ndarray:
    """float32 (rows, columns, 7) at these texels, linear between them; nothing outside."""
    most = len(texture) - 1.001
    row, column = np.minimum(np.maximum(down, 0), most), np.minimum(np.maximum(over, 0), most)
    top, left = row.astype(np.intp), column.astype(np.intp)
    v, u = (row - top).astype(np.float32)[:, None, None], (column - left).astype(np.float32)[None, :, None]
    upper, lower = texture[top], texture[top + 1]
    rows = upper + (lower - upper) * v
    return rows[:, left] + (rows[:, left + 1] - rows[:, left]) * u
