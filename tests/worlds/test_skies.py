"""The world `skies`: what its captions say is to be seen, and clouds move as they are declared to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from storyreel.worlds.skies_draw import draw, scene_of
from storyreel.worlds.skies_render import HAZE, LENS, SkiesScene, render

PLAIN = {"time": "noon", "land": "sea", "clouds": "puffy", "cover": "many", "speed": "slow", "direction": "left",
         "weather": "dry", "light": "hidden"}  # fmt: skip
MOMENT = np.array([1.0])


def scene(seed: int = 1, **seen: str | None) -> SkiesScene:
    return scene_of({**PLAIN, **seen}, np.random.default_rng(seed))


def luma(made: np.ndarray) -> np.ndarray:
    return made.astype(float) @ [0.3, 0.59, 0.11]


def shift(before: np.ndarray, after: np.ndarray, most: int = 14) -> float:
    """How far (rows, w) has moved along its rows, pixels: the peak of the correlation, between pixels."""
    inner = before[:, most:-most]
    likeness = []
    for by in range(-most, most + 1):
        moved = after[:, most + by : after.shape[1] - most + by]
        likeness.append(np.corrcoef(inner.ravel(), moved.ravel())[0, 1])
    at = int(np.clip(np.argmax(likeness), 1, 2 * most - 1))
    left, top, right = likeness[at - 1 : at + 2]
    return at - most + 0.5 * (left - right) / (left - 2 * top + right)


@pytest.mark.parametrize("clouds", ["wispy", "puffy", "overcast", "storm"])
@pytest.mark.parametrize("direction", ["left", "right", "nearer"])
@pytest.mark.parametrize("speed", ["slow", "fast"])
def test_clouds_move_as_declared(clouds: str, direction: str, speed: str):
    size, seconds, measured, declared = 192, 0.5 if speed == "slow" else 0.15, [], []
    for seed in range(5):
        cover = "many" if clouds in ("wispy", "puffy") else None
        seen = scene(seed, clouds=clouds, direction=direction, speed=speed, cover=cover)
        truth = seen.truth(MOMENT)
        frames = luma(render(seen, size, np.array([1.0, 1.0 + seconds])))
        height = 0.4
        row = int((truth["horizon"] - height) * size)
        if direction == "nearer":  # they rise in the picture
            declared.append(truth["wind"][1] * (height + HAZE) ** 2 / LENS * size * seconds)
            measured.append(-shift(*(frame[row - 20 : row + 20].T for frame in frames)))
        else:
            declared.append(truth["wind"][0] * (height + HAZE) * size * seconds)
            measured.append(shift(*(frame[row - 3 : row + 4] for frame in frames)))
    assert np.median(measured) == pytest.approx(np.median(declared), rel=0.2)


def test_fast_is_faster_than_slow():
    drawn = [draw(np.random.default_rng([0, i]), "train") for i in range(300)]
    speeds = {name: [np.abs(s.wind).max() for s in drawn if s.attributes["speed"] == name] for name in ("slow", "fast")}
    assert 2 * max(speeds["slow"]) < min(speeds["fast"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"time": "noon"}, {"time": "dusk"}),
        ({"time": "dawn"}, {"time": "dusk"}),
        ({"time": "noon"}, {"time": "night", "light": "moon"}),
        ({"land": "sea"}, {"land": "lake"}),
        ({"land": "hills"}, {"land": "mountains"}),
        ({"land": "sea"}, {"land": "city"}),
        ({"clouds": "puffy"}, {"clouds": "wispy"}),
        ({"clouds": "clear", "cover": None, "speed": None, "direction": None}, {"cover": "few"}),
        ({"cover": "few"}, {"cover": "many"}),
        ({"clouds": "overcast", "cover": None}, {"clouds": "storm", "cover": None}),
        ({"clouds": "storm", "cover": None}, {"clouds": "storm", "cover": None, "weather": "rain"}),
        ({"clouds": "overcast", "cover": None}, {"clouds": "overcast", "cover": None, "weather": "rain"}),
        ({"clouds": "storm", "cover": None, "weather": "rain"}, {"clouds": "storm", "cover": None, "weather": "snow"}),
        ({"light": "sun"}, {"light": "hidden"}),
        ({"time": "night", "light": "moon"}, {"time": "night", "light": "stars"}),
    ],
)
def test_what_is_said_is_to_be_seen(one: dict[str, Any], other: dict[str, Any]):
    """A tenth of the pixels, or twenty of them by much, are others where one attribute is another."""
    for seed in range(3):
        a, b = (luma(render(scene(seed, **seen), 64, MOMENT))[0] for seen in (one, other))
        differs = np.abs(a - b)
        assert (differs > 8).mean() > 0.1 or (differs > 40).sum() >= 20


@pytest.mark.parametrize("time", ["dawn", "dusk"])
def test_the_sun_rises_at_dawn_and_sets_at_dusk(time: str):
    seen = scene(2, time=time, clouds="clear", cover=None, speed=None, direction=None, light="sun")
    altitude = seen.truth(np.arange(0, 60, 0.5))["altitude"]
    way = np.diff(altitude) * (1 if time == "dawn" else -1)
    assert (way[:4] > 0.004).all()
    assert (way >= 0).all()
    frames = luma(render(seen, 96, np.array([0.0, 2.0])))
    top = [int(np.argmax((frame > frame.max() - 12).any(1))) for frame in frames]
    assert top[1] < top[0] if time == "dawn" else top[1] > top[0]


@pytest.mark.parametrize("cover", ["few", "many"])
def test_cover_is_the_share_of_the_sky(cover: str):
    for seed in range(4):
        cloudy = scene(seed, cover=cover)
        bare = replace(cloudy, attributes={**cloudy.attributes, "clouds": "clear"})
        rows = int(0.55 * 64)
        differ = [np.abs(a - b)[:rows] > 14 for a, b in zip(*(luma(render(s, 64, np.arange(0, 2, 0.5)))
                                                              for s in (cloudy, bare)), strict=True)]  # fmt: skip
        share = float(np.mean(differ))
        assert 0.08 < share < 0.45 if cover == "few" else 0.38 < share < 0.9, share


def test_water_shows_the_sky_and_windows_shine_at_night():
    day, night = (luma(render(scene(3, land="city", time=t, light=s), 128, MOMENT))[0]
                  for t, s in (("noon", "hidden"), ("night", "stars")))  # fmt: skip
    assert day.mean() > 2.5 * night.mean()
    assert (night > 120).sum() > 60
    lake = render(scene(3, land="lake", clouds="clear", cover=None), 128, MOMENT)[0].astype(float)
    assert np.abs(lake[-4:].mean((0, 1)) - lake[20:40].mean((0, 1))).max() < 60
