"""The ground of the world `road`: asphalt with its lines, verges and land beside it, lit by day or by headlights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from storyreel.worlds.road_track import AHEAD, EYE, FARTHEST, LENS, View
from storyreel.worlds.scene_light import Light, rgb
from storyreel.worlds.scene_noise import at, ease, tile

if TYPE_CHECKING:
    from storyreel.worlds.road_render import RoadScene

HALF, EDGE, DASH, PERIOD = 3.7, 3.35, 3.0, 9.0  # of the road: half its width, its lines, a dash and the next, metres
LAND = {  # two colours that alternate, and those of the verge
    "forest": rgb("4a5a30", "384a28", "6a7044"),
    "fields": rgb("7fa040", "c8b050", "74904a"),
    "village": rgb("6a9848", "7aa854", "8a8a70"),
    "desert": rgb("d8aa70", "c49560", "b88a5c"),
    "city": rgb("8a8c90", "7c7e84", "a0a2a4"),
}
SNOW = rgb("eef2f8", "dfe6f0", "d0d8e2")


def ground(picture: np.ndarray, scene: RoadScene, road: View, light: Light, way: float, fog: float) -> None:
    """Draws it into the picture (size, size, 3)."""
    size = len(picture)
    first = int(np.argmax(np.isfinite(road.ahead))) if np.isfinite(road.ahead).any() else size
    ahead = road.ahead[first:].astype(np.float32)[:, None]
    x = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5)[None]
    track = scene.track
    middle = np.interp(ahead[:, 0], AHEAD, track.aside(way, AHEAD)).astype(np.float32)[:, None]
    across = x * ahead / LENS - middle + np.float32(scene.lane)  # metres right of the middle of the road
    wide = ahead / (LENS * size)  # of a pixel
    long = np.minimum(ahead * ahead / (LENS * EYE * size), 60)
    along = np.float64(way) + ahead.astype(np.float64)
    color = _land(scene, across, along, wide, long, light)
    asphalt = _asphalt(scene, across, along, wide, long, light)
    on_road = _band(across, -HALF, HALF, wide)[..., None]
    color = color + (asphalt - color) * on_road
    if scene.attributes["time"] == "night":
        color = color * (light.land[0] * 0.6 + _beam(scene, across, ahead)[..., None] * rgb("fff0d0")[0])
    else:
        color = color * light.land[0]
    haze = (1 - np.exp(-ahead / fog))[..., None]
    color = color + (light.horizon[0] * 0.97 - color) * haze
    share = np.clip(((np.arange(first, size) + 0.5) / size - road.top) * size + 0.5, 0, 1)[:, None, None]
    picture[first:] += (color - picture[first:]) * share


def _band(value: np.ndarray, low: float, high: float, wide: np.ndarray) -> np.ndarray:
    """How much of a pixel that is `wide` lies between low and high."""
    return np.clip((value - low) / wide + 0.5, 0, 1) - np.clip((value - high) / wide + 0.5, 0, 1)


def _land(
    scene: RoadScene, across: np.ndarray, along: np.ndarray, wide: np.ndarray, long: np.ndarray, light: Light
) -> np.ndarray:
    place = scene.attributes["place"] or ""
    one, other, verge = SNOW if scene.attributes["weather"] == "snow" else LAND[place]
    u = across / 9.0
    v = ((along / 9.0) % 8).astype(np.float32)
    large = at(tile("cloud", 7), u, v) * np.clip(1.6 - long / 6, 0, 1)
    small = at(tile("fine", 7), u * 2.2, v * 2) * np.clip(1.4 - long / 1.6, 0, 1) * np.clip(1.4 - wide / 0.5, 0, 1)
    mix = np.clip(0.5 + 0.24 * large + 0.20 * small, 0, 1)
    if place == "fields":  # strips of grain and grass, each some forty metres long
        phase = ((along / 42 + np.where(across > 0, 0.37, 0)) % 2).astype(np.float32)
        soft = np.clip(long / 42, 0.02, 0.8)
        strip = ease(np.abs(phase - 1), 0.5 - soft / 2, 0.5 + soft / 2)
        rows = np.sin(across * 3.0) * np.clip(1.2 - wide / 0.5, 0, 1)
        mix = np.clip(strip * 0.8 + 0.10 * rows + 0.2 * (mix - 0.5) + 0.1, 0, 1)
    color = one + (other - one) * mix[..., None]
    color = color * (1 + 0.08 * small)[..., None]
    reach = {"city": 3.2, "village": 1.8}.get(place, 0.9)
    side = _band(np.abs(across), HALF, HALF + reach, wide)[..., None]
    return color + (verge * (1 + 0.06 * small)[..., None] - color) * side * 0.85


def _asphalt(
    scene: RoadScene, across: np.ndarray, along: np.ndarray, wide: np.ndarray, long: np.ndarray, light: Light
) -> np.ndarray:
    weather = scene.attributes["weather"]
    grain = at(tile("fine", 8), across / 2.5, ((along / 14.0) % 8).astype(np.float32)) * np.clip(1.3 - long / 1.5, 0, 1)
    tracks = np.exp(-((np.abs(np.abs(across) - 1.75) - 0.75) ** 2) / 0.12)
    tone = 0.36 + 0.022 * grain - 0.025 * tracks
    color = tone[..., None] * np.array([0.98, 1.0, 1.04], np.float32)
    if weather == "snow":
        white = np.clip(0.8 - 0.65 * tracks + 0.15 * grain, 0, 1)[..., None]
        color = color + (SNOW[1] - color) * white * 0.8
    if weather == "rain":  # wet: darker, and the sky in it far away
        color = color * 0.72
        gloss = np.exp(-wide * LENS * 300 / 30)[..., None]
        color = color + (light.horizon[0] / np.maximum(light.land[0], 0.2) - color) * 0.30 * (1 - gloss)
    lines = _band(np.abs(across), EDGE - 0.11, EDGE + 0.11, np.maximum(wide, 0.05))
    lines = np.maximum(lines, _band(across, -0.09, 0.09, np.maximum(wide, 0.05)) * _dashes(along, long))
    return color + (rgb("f2f0e6")[0] - color) * (lines * (0.45 if weather == "snow" else 0.92))[..., None]


def _dashes(along: np.ndarray, long: np.ndarray) -> np.ndarray:
    """How much of a pixel that is `long` metres long is a dash of the middle line."""

    def painted(place: np.ndarray) -> np.ndarray:
        whole = np.floor(place / PERIOD)
        return whole * DASH + np.minimum(place - whole * PERIOD, DASH)

    reach = np.maximum(long, 0.15)
    return ((painted(along + reach / 2) - painted(along - reach / 2)) / reach).astype(np.float32)


def _beam(scene: RoadScene, across: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """How bright the headlights make the ground."""
    off = across - scene.lane
    return (
        np.exp(-((off / (1.6 + 0.16 * ahead)) ** 2)) * np.exp(-ahead / 26) * (1 - np.exp(-ahead / 2.2)) * 1.35
    ).astype(np.float32)


__all__ = ["FARTHEST", "ground"]
