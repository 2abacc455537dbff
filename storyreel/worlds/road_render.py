"""Draws the world `road`: sky, ground, what stands beside the road and drives on it; each frame by its time alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storyreel.worlds.road_ground import ground
from storyreel.worlds.road_things import things
from storyreel.worlds.road_track import LENS, Track, View, view
from storyreel.worlds.scene_light import Light, light_at
from storyreel.worlds.scene_noise import at, ease, tile, waves
from storyreel.worlds.scene_weather import falling

SUN = {"day": 0.45, "dusk": 0.015, "night": -0.30}  # its altitude, which gives the light
FOG = {"clear": 700.0, "rain": 170.0, "snow": 120.0, "fog": 45.0}  # metres in which two thirds of what is seen is lost


@dataclass(frozen=True)
class RoadScene:
    """What is drawn: `attributes` are the words' values, the rest numbers that agree with them.

    lane: metres from the middle of the road to ours, to the right. others: the same of the other cars' lane; pace:
    their speed along the road, m/s, negative where they come; gap: between them, metres. seed: of what stands there.
    """

    attributes: dict[str, str | None]
    track: Track
    lane: float
    others: float
    pace: float
    gap: float
    seed: int

    def truth(self, times: np.ndarray) -> dict[str, Any]:
        """Numbers of the row: see `Road`."""
        way = self.track.way(times)
        return {
            "ego_speed": np.round(self.track.speeds(times), 4).tolist(),
            "way": np.round(way, 4).tolist(),
            "curvature": np.round(self.track.curvature(way), 6).tolist(),
            "slope": np.round(self.track.slope(way), 5).tolist(),
        }


def render(scene: RoadScene, size: int, times: np.ndarray) -> np.ndarray:
    """uint8 (t, size, size, 3): the scene at these times (seconds)."""
    weather, seen = scene.attributes["weather"] or "", scene.attributes
    veil = {"rain": 0.7, "snow": 0.75, "fog": 0.85}.get(weather, 0.0)
    gloom = {"rain": 0.18, "snow": 0.02}.get(weather, 0.0)
    light = light_at(np.array([SUN[seen["time"] or ""]]), veil=veil, gloom=gloom)
    made = np.empty((len(times), size, size, 3), np.float32)
    for picture, time in zip(made, np.asarray(times, np.float64), strict=True):
        way = float(scene.track.way(np.asarray(time)))
        seen_road = view(scene.track, way, size)
        picture[:] = _sky(scene, seen_road, light, way, size, float(time))
        ground(picture, scene, seen_road, light, way, FOG[weather])
        things(picture, scene, seen_road, light, float(time), FOG[weather])
    if weather in ("rain", "snow"):
        lit = np.broadcast_to(light.land, (len(times), 3))
        made = falling(made, weather, np.asarray(times), scene.seed, lit)
    return (np.clip(made, 0, 1) * 255 + 0.5).astype(np.uint8)


def _sky(scene: RoadScene, road: View, light: Light, way: float, size: int, time: float) -> np.ndarray:
    """float32 (size, size, 3): sky with slow clouds, and mountains or houses far away that turn with the road."""
    cells = ((np.arange(size) + 0.5) / size).astype(np.float32)
    up = road.horizon - cells
    turned = (cells - 0.5) / LENS + scene.track.heading(np.asarray(way)).astype(np.float32)  # radians
    fade = np.exp(-np.maximum(up, 0) * 4.5)[:, None, None]
    picture = light.zenith[0] + (light.horizon[0] - light.zenith[0]) * fade
    picture = np.repeat(picture, size, 1)
    if scene.attributes["time"] == "dusk" and scene.attributes["weather"] == "clear":
        glow = np.exp(-((turned[None] - 0.1) ** 2 * 3 + np.maximum(up, 0)[:, None] ** 2 * 16))[..., None]
        picture = picture + (light.glow[0] - picture) * 0.75 * glow
    if scene.attributes["weather"] != "fog":
        ahead = 0.55 / (np.maximum(up, 0) + 0.09)
        across = turned[None] * 1.4 * ahead[:, None] + scene.seed % 89
        noise = at(tile("cloud", 6), across * 0.9, np.repeat(ahead[:, None], size, 1) + 0.06 * time)
        cloud = ease(noise, 0.1, 1.8)[..., None] * ease(up, 0.02, 0.16)[:, None, None]
        color = light.lit[0] if scene.attributes["time"] != "night" else light.shade[0] * 1.3
        picture = picture + (color - picture) * 0.75 * cloud
    if scene.attributes["time"] == "night" and scene.attributes["weather"] == "clear":
        picture += _stars(turned, up, size)
    return _far(picture, scene, road, light, turned, up)


def _stars(turned: np.ndarray, up: np.ndarray, size: int) -> np.ndarray:
    """float32 (size, size, 1), on a grid of angles that turns with the road."""
    step = 0.055
    across, high = turned[None] / step, np.maximum(up, 0)[:, None] / step
    column, row = np.floor(across), np.floor(high)
    draw = np.modf(np.abs(np.sin(column * 127.1 + row * 311.7) * 43758.55))[0]
    other = np.modf(draw * 57.31)[0]
    far = np.hypot((across - column - 0.3 - 0.4 * draw) * step, (high - row - 0.3 - 0.4 * other) * step)
    star = np.exp(-((far / max(0.005, 0.6 / size)) ** 2)) * (draw > 0.55) * other
    return (star * ease(up, 0.03, 0.2)[:, None])[..., None].astype(np.float32)


def _far(
    picture: np.ndarray, scene: RoadScene, road: View, light: Light, turned: np.ndarray, up: np.ndarray
) -> np.ndarray:
    """The picture with hills, mesas or houses on the horizon."""
    rng = np.random.default_rng([scene.seed, 5])
    place = scene.attributes["place"]
    lengths, rough, base, tall = {
        "desert": ((2.1, 0.8, 0.31), 0.35, 0.03, 0.045),
        "city": ((1.3, 0.5), 0.0, 0.05, 0.02),
        "forest": ((1.9, 0.7, 0.22, 0.03), 0.3, 0.075, 0.03),
        "fields": ((2.6, 1.1, 0.4), 0.0, 0.03, 0.03),
        "village": ((2.0, 0.8, 0.3), 0.2, 0.06, 0.045),
    }[place or ""]
    color = {"desert": (0.66, 0.42, 0.30), "city": (0.45, 0.49, 0.55), "forest": (0.18, 0.33, 0.24)}.get(
        place or "", (0.36, 0.48, 0.40)
    )
    air = {"clear": 0.45, "rain": 0.75, "snow": 0.8, "fog": 0.985}[scene.attributes["weather"] or ""]
    for layer in range(2):
        ridge = base * (1 - 0.45 * layer) + tall * waves(turned, rng, lengths, rough) * (1 - 0.3 * layer)
        if place == "city":
            block = np.floor(turned / 0.045 + 7 * layer)
            ridge = ridge + 0.07 * np.modf(np.abs(np.sin(block * 12.9898 + scene.seed % 97) * 437.585))[0] * (
                1 - layer * 0.5
            )
        mask = np.clip((ridge[None] - up[:, None]) * len(up) + 0.5, 0, 1)[..., None]
        own = np.array(color, np.float32) * light.land[0] * (0.9 + 0.1 * layer)
        own = own + (light.horizon[0] - own) * (air if layer == 0 else air * 0.75)
        if scene.attributes["weather"] == "snow":
            own = own * 0.7 + 0.3 * light.horizon[0]
        picture = picture + (own - picture) * mask
    return picture
