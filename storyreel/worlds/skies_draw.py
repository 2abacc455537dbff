"""Draws a scene of the world `skies`: balanced attributes that go together, and numbers that agree with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from storyreel.worlds.skies_render import SOFT, SkiesScene, noise_of

TIMES = ("dawn", "noon", "dusk", "night")
LANDS = ("sea", "lake", "hills", "mountains", "city")
CLOUDS = ("clear", "wispy", "puffy", "overcast", "storm")
COVERS = ("few", "many")
SPEEDS = ("slow", "fast")
DIRECTIONS = ("left", "right", "nearer")
WEATHERS = ("dry", "rain", "snow")
LIGHTS = ("sun", "moon", "stars", "hidden")
MOVES = {"slow": (0.10, 0.16), "fast": (0.36, 0.50)}  # of the clouds, units a second
COVER = {"few": (0.16, 0.26), "many": (0.52, 0.66)}  # share of the sky that clouds take in the first seconds
EDGE = {"overcast": -2.8, "storm": -2.5}
SOLID = {"wispy": 0.18, "puffy": 0.10}  # what counts as cloud, of the way from its edge to its middle


def held_out(attributes: Mapping[str, str | None]) -> bool:
    """Whether training never has this land at this time of day: one land of each time, another for each."""
    land, time = attributes["land"], attributes["time"]
    return (LANDS.index(str(land)) + 2 * TIMES.index(str(time))) % 5 == 1


def draw(rng: np.random.Generator, split: str) -> SkiesScene:
    """A scene of this split (`train`, `held_out`)."""
    pairs = [(land, time) for land in LANDS for time in TIMES
             if held_out({"land": land, "time": time}) == (split == "held_out")]  # fmt: skip
    land, time = pairs[rng.integers(len(pairs))]
    clouds = str(rng.choice(CLOUDS, p=(0.2, 0.2, 0.26, 0.17, 0.17)))
    weather = str(rng.choice(WEATHERS, p=(0.2, 0.4, 0.4))) if clouds in ("overcast", "storm") else "dry"
    moves = clouds != "clear"
    seen: dict[str, str | None] = {
        "time": time,
        "land": land,
        "clouds": clouds,
        "cover": str(rng.choice(COVERS)) if clouds in ("wispy", "puffy") else None,
        "speed": str(rng.choice(SPEEDS)) if moves else None,
        "direction": str(rng.choice(DIRECTIONS)) if moves else None,
        "weather": weather,
    }
    seen["light"] = _light(rng, seen)
    return scene_of(seen, rng)


def _light(rng: np.random.Generator, seen: Mapping[str, str | None]) -> str:
    if seen["clouds"] in ("overcast", "storm"):
        return "hidden"
    if seen["time"] == "night":
        return "moon" if seen["cover"] == "many" or rng.random() < 0.38 else "stars"
    return "sun" if rng.random() < 0.75 else "hidden"


def scene_of(seen: dict[str, str | None], rng: np.random.Generator) -> SkiesScene:
    """A scene with these attributes."""
    time = seen["time"] or ""
    altitude, climb = {
        "dawn": (rng.uniform(0.0, 0.03), 0.022),
        "noon": (rng.uniform(0.40, 0.46), 0.004),
        "dusk": (rng.uniform(0.07, 0.10), -0.022),
        "night": (rng.uniform(0.26, 0.40), 0.012),
    }[time]
    if time == "noon":
        altitude -= 0.16  # so that it is in the picture; its light is noon's all the same
    speed = rng.uniform(*MOVES[seen["speed"]]) if seen["speed"] else 0.0
    lean = rng.uniform(-0.12, 0.12) * speed
    wind = {"left": (-speed, lean), "right": (speed, lean), "nearer": (lean, speed)}.get(
        seen["direction"] or "", (0.0, 0.0)
    )
    scene = SkiesScene(
        attributes=seen,
        horizon=float(rng.uniform(0.66, 0.74) + (0.03 if seen["land"] in ("hills", "mountains") else 0.0)),
        altitude=float(altitude),
        climb=climb,
        settle=float(rng.uniform(2.5, 3.5)),
        sunlight={"night": -0.30, "noon": 0.50}.get(time),
        place=float(rng.uniform(0.22, 0.72)),
        drift=0.012,
        wind=(float(wind[0]), float(wind[1])),
        edge=EDGE.get(seen["clouds"] or "", 0.0),
        seed=int(rng.integers(2**31)),
    )
    share = float(rng.uniform(*COVER[seen["cover"]])) if seen["cover"] else None
    return scene if share is None else replace(scene, edge=_edge(scene, share))


def _edge(scene: SkiesScene, share: float) -> float:
    """Where clouds must begin in their noise to take this share of the sky."""
    kind = scene.attributes["clouds"] or ""
    noise = noise_of(scene, np.linspace(0.08, scene.horizon, 14, dtype=np.float32), 14, np.arange(0, 2.5, 0.5))
    return float(np.quantile(noise, 1 - share)) - SOLID[kind] * SOFT[kind]
