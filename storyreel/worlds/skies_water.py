"""Water of the world `skies`: what it mirrors, its waves, and the light of the sun or the moon on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from storyreel.worlds.scene_light import Light
from storyreel.worlds.scene_noise import at, ease, tile
from storyreel.worlds.skies_land import Land

if TYPE_CHECKING:
    from storyreel.worlds.skies_render import SkiesScene


def mirrored(
    picture: np.ndarray, land: Land, scene: SkiesScene, light: Light, size: int, times: np.ndarray
) -> np.ndarray:
    """float32 (t, rows, w, 3): the water, which shows the picture above it upside down, moved by its waves."""
    rows = np.arange(land.water, size)
    deep = (rows + 0.5 - land.water) / size  # below the shore
    ahead = 0.10 / (deep + 0.02)
    x = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    across = (x[None] * ahead[:, None] * 2.4).astype(np.float32)
    along = np.broadcast_to(ahead[:, None].astype(np.float32) * 3.0, across.shape)
    start = np.random.default_rng([scene.seed, 4]).uniform(0, 8, (2, 2))
    side = 0.12 * np.sign(scene.wind[0] or 1)
    first = ((np.stack([times * -side, times * 0.30], -1) + start[0]) % 8).astype(np.float32)[:, None, None]
    second = ((np.stack([times * 0.21, times * 0.16], -1) + start[1]) % 8).astype(np.float32)[:, None, None]
    seen = np.clip(1.3 - ahead * 1.1 * 64 / size, 0.12, 1)[:, None]
    wave = at(tile("cloud", 5), across * 0.5 + first[..., 0], along + first[..., 1])
    wave = (0.6 * wave + 0.5 * at(tile("fine", 5), across * 0.8 + second[..., 0], along * 1.3 + second[..., 1])) * seen
    flip = land.water - 1 - deep[:, None] * size * (0.9 if land.rough < 0.5 else 0.75)
    source = flip[None] - np.abs(wave) * land.rough * (2 + 26 * deep[:, None]) * size / 64 * 0.35
    place = np.clip(source, 0, land.water - 1)
    top = np.floor(place).astype(np.int32)
    share = (place - top)[..., None].astype(np.float32)
    t, columns = np.arange(len(times))[:, None, None], np.arange(size)[None, None]
    shown = picture[t, top, columns]
    shown = shown + (picture[t, np.minimum(top + 1, land.water - 1), columns] - shown) * share
    body = light.horizon * 0.25 + light.zenith * 0.35 * np.array([0.75, 1.0, 1.0], np.float32)
    sinks = (0.22 + 0.30 * ease(deep, 0.0, 0.35))[None, :, None, None]
    shown = shown + (body[:, None, None] - shown) * sinks
    shown = shown * (1 + (0.16 if land.rough > 0.5 else 0.09) * np.clip(wave, -2, 2)[..., None])
    if scene.attributes["light"] in ("sun", "moon"):
        shown = _glitter(shown, wave, scene, light, deep, x, times)
    return np.clip(shown, 0, 1)


def _glitter(
    shown: np.ndarray,
    wave: np.ndarray,
    scene: SkiesScene,
    light: Light,
    deep: np.ndarray,
    x: np.ndarray,
    times: np.ndarray,
) -> np.ndarray:
    """The sun's or the moon's way over the water."""
    away = x[None, None] + 0.5 - scene.across(times)[:, None, None].astype(np.float32)
    wide = (0.035 + 0.16 * deep)[None, :, None]
    path = np.exp(-((away / wide) ** 2)) * ease(wave, -0.3, 1.1)
    moon = scene.attributes["light"] == "moon"
    color = np.broadcast_to(np.array([0.72, 0.78, 0.9], np.float32), light.glow.shape) if moon else light.glow
    return shown + (color[:, None, None] - shown) * np.clip(path * (0.75 if moon else 0.85), 0, 1)[..., None]
