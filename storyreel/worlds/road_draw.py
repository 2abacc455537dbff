"""Draws a scene of the world `road`: balanced attributes that go together, and numbers that agree with them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from storyreel.worlds.road_render import RoadScene
from storyreel.worlds.road_sprites import CARS
from storyreel.worlds.road_track import Track

TIMES = ("day", "dusk", "night")
PLACES = ("forest", "fields", "village", "desert", "city")
WEATHERS = ("clear", "rain", "snow", "fog")
BENDS = ("straight", "left", "right", "winding")
GROUNDS = ("flat", "hilly")
SPEEDS = ("slow", "fast")
TRAFFIC = ("none", "oncoming", "passed", "followed")
PACE = {"slow": (7.0, 10.0), "fast": (20.0, 26.0)}  # m/s


def held_out(attributes: Mapping[str, str | None]) -> bool:
    """Whether training never has this place at this time of day: one place of each time, another for each."""
    return (PLACES.index(str(attributes["place"])) + 2 * TIMES.index(str(attributes["time"]))) % 5 == 1


def draw(rng: np.random.Generator, split: str) -> RoadScene:
    """A scene of this split (`train`, `held_out`)."""
    pairs = [(place, time) for place in PLACES for time in TIMES
             if held_out({"place": place, "time": time}) == (split == "held_out")]  # fmt: skip
    place, time = pairs[rng.integers(len(pairs))]
    traffic = str(rng.choice(TRAFFIC))
    seen: dict[str, str | None] = {
        "place": place,
        "time": time,
        "weather": str(rng.choice(WEATHERS)),
        "bend": str(rng.choice(BENDS)),
        "ground": str(rng.choice(GROUNDS)),
        "speed": str(rng.choice(SPEEDS)),
        "traffic": traffic,
        "car": str(rng.choice(list(CARS))) if traffic != "none" else None,
    }
    return scene_of(seen, rng)


def scene_of(seen: dict[str, str | None], rng: np.random.Generator) -> RoadScene:
    """A scene with these attributes."""
    speed = float(rng.uniform(*PACE[seen["speed"] or ""]))
    turn = float(rng.uniform(0.010, 0.015))
    bend = {"left": -turn, "right": turn}.get(seen["bend"] or "", 0.0)
    sway = {"straight": 0.0, "winding": float(rng.uniform(0.016, 0.022))}.get(seen["bend"] or "", turn * 0.25)
    track = Track(
        bend=bend,
        sway=sway,
        turn=float(rng.uniform(80, 110)),
        phase=float(rng.uniform(0, 2 * np.pi)),
        rise=float(rng.uniform(2.2, 3.4)) if seen["ground"] == "hilly" else 0.0,
        hill=float(rng.uniform(110, 150)),
        hill_phase=float(rng.uniform(0, 2 * np.pi)),
        speed=speed,
        pulse=float(rng.uniform(0.05, 0.12)),
        beat=float(rng.uniform(5, 8)),
    )
    traffic = seen["traffic"]
    pace = {"oncoming": -float(rng.uniform(12, 18)), "passed": 0.4 * speed}.get(traffic or "", 0.0)
    gap = {"oncoming": (speed - pace) * 1.1, "passed": max(13.0, 0.6 * speed * 1.3)}.get(
        traffic or "", float(rng.uniform(7.5, 10.0))
    )
    return RoadScene(
        attributes=seen,
        track=track,
        lane=-1.75 if traffic == "passed" else 1.75,
        others=1.75 if traffic == "passed" else -1.75,
        pace=pace,
        gap=float(gap),
        seed=int(rng.integers(2**31)),
    )
