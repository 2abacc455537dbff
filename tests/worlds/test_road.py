"""The world `road`: what its captions say is to be seen; speed and curvature are what rows declare."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from storyreel.worlds.road_draw import draw, scene_of
from storyreel.worlds.road_render import RoadScene, render
from storyreel.worlds.road_track import EYE, LENS, view

PLAIN = {"place": "desert", "time": "day", "weather": "clear", "bend": "straight", "ground": "flat", "speed": "slow",
         "traffic": "none", "car": None}  # fmt: skip
SIZE = 256


def scene(seed: int = 1, **seen: str | None) -> RoadScene:
    return scene_of({**PLAIN, **seen}, np.random.default_rng(seed))


def luma(made: np.ndarray) -> np.ndarray:
    return made.astype(float) @ [0.3, 0.59, 0.11]


def middle_line(
    frame: np.ndarray, drawn: RoadScene, way: float, near: float, far: float
) -> tuple[np.ndarray, np.ndarray]:
    """(metres ahead, brightness) along the middle of the road, as it lies in a frame of brightness."""
    seen = view(drawn.track, way, SIZE).ahead
    rows = np.flatnonzero((seen > near) & (seen < far))[::-1]
    columns = (0.5 + (drawn.track.aside(way, seen[rows]) - drawn.lane) * LENS / seen[rows]) * SIZE - 0.5
    return seen[rows], np.array(
        [np.interp(x, np.arange(SIZE), frame[row]) for row, x in zip(rows, columns, strict=True)]
    )


@pytest.mark.parametrize("speed", ["slow", "fast"])
@pytest.mark.parametrize("seed", range(4))
def test_the_lines_pass_at_the_declared_speed(speed: str, seed: int):
    drawn = scene(seed, speed=speed)
    seconds = 1.2 / drawn.track.speed  # a little over a metre, less than half a dash
    times = np.array([3.0, 3.0 + seconds])
    truth = drawn.truth(np.linspace(*times, 21))
    profiles = []
    grid = np.arange(4.5, 14.0, 0.05)
    for frame, way in zip(luma(render(drawn, SIZE, times)), drawn.track.way(times), strict=True):
        ahead, bright = middle_line(frame, drawn, float(way), 3.5, 16)
        profiles.append(np.interp(grid, ahead, bright))
    likeness = [np.corrcoef(profiles[0][by:], profiles[1][: len(grid) - by])[0, 1] for by in range(50)]
    measured = int(np.argmax(likeness)) * 0.05 / seconds
    assert max(likeness) > 0.9
    assert measured == pytest.approx(np.mean(truth["ego_speed"]), rel=0.06)
    assert truth["way"][-1] - truth["way"][0] == pytest.approx(np.mean(truth["ego_speed"]) * seconds, rel=0.01)


@pytest.mark.parametrize("bend", ["left", "right", "winding"])
def test_the_road_bends_as_declared(bend: str):
    """The road's edge lines far ahead lie where the curvature of the row leads them: found again in the picture."""
    found, declared = [], []
    for seed in range(6):
        drawn = scene(seed, bend=bend)
        frame = luma(render(drawn, SIZE, np.array([0.0])))[0]
        ahead = view(drawn.track, 0.0, SIZE).ahead
        row = int(np.argmin(np.abs(ahead - 22)))
        far = float(ahead[row])
        way = np.linspace(0, far, 400)
        turned = np.array(drawn.track.curvature(way))
        aside = float(np.trapezoid(np.cumsum(turned) * (way[1] - way[0]), way))  # the curvature, integrated twice
        line = frame[row]
        bright = line - np.convolve(np.pad(line, 8, mode="edge"), np.ones(17) / 17, mode="valid")
        offsets = np.arange(-9, 9, 0.05)
        edges = [0.5 + (offsets + side * 3.35 - drawn.lane) * LENS / far for side in (-1, 1)]
        fit = sum(np.interp(edge * SIZE - 0.5, np.arange(SIZE), bright, left=0, right=0) for edge in edges)
        found.append(offsets[int(np.argmax(fit))])
        declared.append(aside)
    assert np.median(np.abs(np.array(found) - declared)) < 0.35, (found, declared)
    if bend != "winding":
        assert all((x < 0) == (bend == "left") for x in declared)


def test_way_heading_and_place_are_integrals():
    track = scene(5, bend="winding", ground="hilly", speed="fast").track
    times = np.linspace(0, 20, 20001)
    assert np.abs(np.gradient(track.way(times), times) - track.speeds(times))[1:-1].max() < 1e-4
    way = np.linspace(0, 300, 30001)
    assert np.abs(np.gradient(track.heading(way), way) - track.curvature(way))[1:-1].max() < 1e-6
    assert (
        np.abs(np.gradient(np.gradient(track.aside(7.0, way), way), way)[2:-2] - track.curvature(7 + way)[2:-2]).max()
        < 1e-4
    )
    rise = np.gradient(track.above(7.0, way), way)[1:-1]
    assert np.abs(rise - (track.slope(7 + way) - track.slope(np.array(7.0)))[1:-1]).max() < 1e-5
    level = view(scene(1).track, 0.0, 100)
    rows = (np.arange(100) + 0.5) / 100
    below = np.isfinite(level.ahead)
    assert level.ahead[below][5:] == pytest.approx((LENS * EYE / (rows - 0.45))[below][5:], rel=0.02)


def test_fast_is_faster_than_slow_and_bends_are_bends():
    drawn = [draw(np.random.default_rng([0, i]), "train") for i in range(300)]
    way = np.linspace(0, 400, 200)
    for each in drawn:
        speeds, turned = each.track.speeds(np.linspace(0, 30, 100)), each.track.curvature(way)
        assert speeds.max() < 12 if each.attributes["speed"] == "slow" else speeds.min() > 16
        ways = {"left": (turned < 0).all(), "right": (turned > 0).all(), "straight": not turned.any(),
                "winding": turned.min() < -0.01 and turned.max() > 0.01}  # fmt: skip
        assert ways[each.attributes["bend"] or ""]
        assert bool(np.ptp(each.track.slope(way))) == (each.attributes["ground"] == "hilly")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(({"place": a}, {"place": b}) for a, b in (("forest", "fields"), ("fields", "desert"), ("village", "city"))),
        ({"time": "day"}, {"time": "dusk"}),
        ({"time": "dusk"}, {"time": "night"}),
        *(({"weather": a}, {"weather": b}) for a, b in (("clear", "fog"), ("clear", "rain"), ("rain", "snow"))),
        *(({"bend": a}, {"bend": b}) for a, b in (("left", "right"), ("straight", "left"))),
        ({"ground": "flat"}, {"ground": "hilly"}),
        ({"traffic": "none"}, {"traffic": "followed", "car": "red"}),
        ({"traffic": "none"}, {"traffic": "oncoming", "car": "blue"}),
        ({"traffic": "none"}, {"traffic": "passed", "car": "yellow"}),
        ({"traffic": "followed", "car": "white"}, {"traffic": "followed", "car": "blue"}),
    ],
)
def test_what_is_said_is_to_be_seen(one: dict[str, Any], other: dict[str, Any]):
    """A tenth of the pixels, or twenty of them by much, in some frame of two seconds, are others."""
    for seed in range(3):
        a, b = (render(scene(seed, **seen), 64, np.arange(16) / 8).astype(int) for seen in (one, other))
        differs = np.abs(a - b).max(-1)
        assert (differs > 8).mean((1, 2)).max() > 0.1 or (differs > 40).sum((1, 2)).max() >= 20


@pytest.mark.parametrize(("traffic", "color"), [("oncoming", "red"), ("passed", "blue"), ("followed", "yellow")])
@pytest.mark.parametrize("speed", ["slow", "fast"])
def test_cars_come_are_passed_or_stay(traffic: str, color: str, speed: str):
    """What differs from the same road without cars: it grows and leaves on its side, or stays before us."""
    for seed in range(3):
        full = scene(seed, traffic=traffic, car=color, speed=speed)
        times = np.arange(32) / 8
        empty = replace(full, attributes={**full.attributes, "traffic": "none"})
        gone = np.abs(luma(render(full, 64, times)) - luma(render(empty, 64, times))) > 12
        sizes = gone.sum((1, 2))
        assert (sizes >= 3).all() or traffic != "followed"
        assert (sizes[:16] >= 6).any()
        columns = np.flatnonzero(gone[int(np.argmax(sizes))].any(0))
        if traffic == "followed":
            assert sizes.max() < 2.5 * np.median(sizes)
        else:
            assert sizes.max() > 3 * max(1, sizes.min())
            assert columns.mean() < 32 if traffic == "oncoming" else columns.mean() > 32
