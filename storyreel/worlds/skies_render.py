"""Draws the world `skies`: a sky, its clouds and lights. A frame depends on the scene and its time alone.

The picture is one unit wide and high; `horizon` is the height of the horizon from the top. Clouds lie on a ceiling
that is one unit above the eye: a pixel `v` above the horizon shows the point `Z = LENS / (v + HAZE)` units ahead of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from storyreel.worlds.scene_light import Light, light_at, screen
from storyreel.worlds.scene_noise import SIDE, UNIT, at, ease, tile
from storyreel.worlds.scene_weather import falling
from storyreel.worlds.skies_land import Land, land_of
from storyreel.worlds.skies_water import mirrored

LENS, HAZE = 0.9, 0.10
PERIOD = SIDE / UNIT
SOFT = {"wispy": 2.6, "puffy": 1.5, "overcast": 5.6, "storm": 4.8}  # how far from a cloud's edge to its middle
PIXELS = 400_000  # that are drawn at once
TURN = np.array(
    [[0.8, 0.6], [-0.6, 0.8]]
)  # of the small forms of clouds against the large: together they do not repeat


@dataclass(frozen=True)
class SkiesScene:
    """What is drawn: `attributes` are the words' values, the rest numbers that agree with them.

    altitude, climb, settle: the sun's (at night the moon's) height over the horizon is altitude + climb * settle *
    tanh(t / settle). sunlight: where that light comes from is the moon, the sun's own altitude. place, drift: across,
    0 to 1, at the same times. wind: units a second, to the right and towards the eye. edge: where clouds begin
    in their noise. seed: of land, stars and noise.
    """

    attributes: dict[str, str | None]
    horizon: float
    altitude: float
    climb: float
    settle: float
    sunlight: float | None
    place: float
    drift: float
    wind: tuple[float, float]
    edge: float
    seed: int

    def risen(self, times: np.ndarray) -> np.ndarray:
        """The altitude of the sun or the moon at these times, float64 (t,), picture heights over the horizon."""
        return self.altitude + self.climb * self.settle * np.tanh(times / self.settle)

    def across(self, times: np.ndarray) -> np.ndarray:
        """Where it stands, 0 (left) to 1, float64 (t,)."""
        return self.place + self.drift * self.settle * np.tanh(times / self.settle)

    def truth(self, times: np.ndarray) -> dict[str, Any]:
        """Numbers of the row: see `Skies`."""
        return {
            "wind": list(self.wind),
            "horizon": self.horizon,
            "altitude": np.round(self.risen(times), 5).tolist(),
            "place": np.round(self.across(times), 5).tolist(),
        }


def render(scene: SkiesScene, size: int, times: np.ndarray) -> np.ndarray:
    """uint8 (t, size, size, 3): the scene at these times (seconds)."""
    seen = scene.attributes
    land = land_of(
        seen["land"] or "",
        scene.horizon,
        size,
        scene.seed,
        snowy=seen["weather"] == "snow",
        lit=seen["time"] in ("dusk", "night"),
        starry=seen["light"] in ("moon", "stars"),
    )
    step = max(1, PIXELS // size**2)
    made = np.empty((len(times), size, size, 3), np.uint8)
    for first in range(0, len(times), step):
        part = slice(first, first + step)
        made[part] = _frames(scene, land, size, np.asarray(times[part], np.float64))
    return made


def _frames(scene: SkiesScene, land: Land, size: int, times: np.ndarray) -> np.ndarray:
    kind, weather = scene.attributes["clouds"], scene.attributes["weather"]
    veil = {"overcast": 0.72, "storm": 0.74}.get(kind or "", 0.0)
    gloom = {"storm": 0.36, "overcast": 0.22 if weather == "rain" else 0.06}.get(kind or "", 0.0)
    sun = scene.risen(times) if scene.sunlight is None else np.full(len(times), scene.sunlight)
    light = light_at(sun, rising=scene.attributes["time"] == "dawn", veil=veil, gloom=gloom)
    rows = land.water
    above = scene.horizon - (np.arange(rows, dtype=np.float32) + 0.5) / size
    picture = _sky(scene, land, light, above, size, times)
    picture = _with_land(picture, land, light, times)
    if rows < size:
        picture = np.concatenate([picture, mirrored(picture, land, scene, light, size, times)], 1)
    if weather in ("rain", "snow"):
        picture = falling(picture, weather, times, scene.seed, light.land, wind=scene.wind[0])
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _sky(scene: SkiesScene, land: Land, light: Light, above: np.ndarray, size: int, times: np.ndarray) -> np.ndarray:
    """float32 (t, rows, w, 3): gradient, stars, sun or moon, and clouds over all of them."""
    up = np.maximum(above, 0)[None, :, None, None]
    fade = np.exp(-up * 3.6)
    picture = light.zenith[:, None, None] + (light.horizon - light.zenith)[:, None, None] * fade
    picture = np.repeat(picture, size, axis=2)
    x = ((np.arange(size, dtype=np.float32) + 0.5) / size)[None, None, :]
    away = x - scene.across(times).astype(np.float32)[:, None, None]  # (t, 1, w)
    higher = above[None, :, None] - (scene.risen(times) + land.skyline(scene)).astype(np.float32)[:, None, None]
    near = away**2 + higher**2
    light_seen = scene.attributes["light"]
    clear = scene.attributes["clouds"] not in ("overcast", "storm")
    strength = 1.0 if light_seen == "sun" else 0.5 if clear and light_seen != "stars" else 0.0
    if light_seen in ("moon", "stars"):
        picture = picture + land.stars(above, times, faint=light_seen == "moon")
    if light_seen == "moon":
        picture = screen(
            picture,
            (0.30 * np.exp(-near * 60) + 0.16 * np.exp(-near * 9))[..., None] * np.array([0.75, 0.85, 1.0], np.float32),
        )
    elif strength:
        wide = np.exp(-(away**2 * 2.2 + np.maximum(above, 0)[None, :, None] ** 2 * 9)) * 0.55
        close = np.exp(-near * 26) * 0.7 * (light_seen == "sun")
        picture = picture + (light.glow[:, None, None] - picture) * ((wide + close) * strength).clip(0, 0.92)[..., None]
    disc = None
    if light_seen in ("sun", "moon"):
        radius = 0.042 if light_seen == "sun" else 0.047
        edge = 0.75 / size
        disc = ease(-np.sqrt(near), -radius - edge, -radius + edge)
        if light_seen == "sun":
            color = np.clip(light.glow + (1 - light.glow) * 0.6, 0, 1)[:, None, None]
        else:
            spots = at(tile("soft"), away * 10 + 0.5, higher * 10)[..., None] * 0.05
            color = np.array([0.93, 0.94, 0.90], np.float32) * (0.95 + spots)
        picture = picture + (color - picture) * disc[..., None]
    return _clouded(picture, scene, light, above, near, times, disc)


def _with_land(picture: np.ndarray, land: Land, light: Light, times: np.ndarray) -> np.ndarray:
    """The picture with the land before it, lit, and lights in its windows by night."""
    own = land.albedo * light.land[:, None, None]
    own = own + (light.horizon[:, None, None] * 0.92 - own) * land.air[..., None]
    if land.lamps.any():
        flicker = 0.88 + 0.12 * np.sin(times[:, None, None] * 2.4 + land.phase)
        on = ease(light.dark, 0.02, 0.8)[:, None, None]
        own = screen(own, land.lamps * (flicker * on)[..., None].astype(np.float32))
    return picture + (own - picture) * land.cover[..., None]


def _clouded(
    picture: np.ndarray,
    scene: SkiesScene,
    light: Light,
    above: np.ndarray,
    near: np.ndarray,
    times: np.ndarray,
    disc: np.ndarray | None,
) -> np.ndarray:
    """The picture with clouds before it: the sun shines through them a little, and their edges near it are bright."""
    kind = scene.attributes["clouds"]
    if kind == "clear":
        return picture
    size = picture.shape[2]
    thick = density(scene, above, size, times)
    step = max(1, round(size / 48))
    toward = np.roll(thick, step, axis=1)  # what is higher, where the light comes from
    toward[:, :step] = thick[:, :step]
    relief = {"wispy": 0.25, "puffy": 0.9}.get(kind or "", 0.0)
    lit = np.clip(0.72 + relief * (thick - toward) - (0.55 if kind == "puffy" else 0.25) * (thick - 0.5), 0, 1)
    color = light.shade[:, None, None] + (light.lit - light.shade)[:, None, None] * lit[..., None]
    if kind in ("overcast", "storm"):
        lit = np.clip(1.05 - 1.1 * thick + 2.2 * (thick - toward), 0, 1)
        deep = np.array([0.30, 0.34, 0.41], np.float32) if kind == "storm" else np.array([0.60, 0.63, 0.68], np.float32)
        color = light.horizon[:, None, None] * (deep + (1.1 - deep) * lit[..., None])
    if scene.attributes["light"] in ("sun", "moon"):
        rim = np.exp(-near * 22) * (1 - thick) * 0.9
        bright = (
            light.glow
            if scene.attributes["light"] == "sun"
            else np.broadcast_to(np.array([0.8, 0.85, 0.95], np.float32), light.glow.shape)
        )
        color = screen(color, rim[..., None] * bright[:, None, None])
    far = ease(above, 0.0, 0.16)[None, :, None]
    color = light.horizon[:, None, None] + (color - light.horizon[:, None, None]) * (0.25 + 0.75 * far[..., None])
    opaque = thick_to_alpha(thick, kind or "") * (0.35 + 0.65 * far)
    if disc is not None:
        opaque = opaque * (1 - 0.55 * disc)
    return picture + (color - picture) * opaque[..., None]


def thick_to_alpha(thick: np.ndarray, kind: str) -> np.ndarray:
    """How much of what is behind a cloud it hides."""
    if kind == "wispy":
        return 0.8 * thick
    return ease(thick, 0.0, 0.45) if kind == "puffy" else np.ones_like(thick)


def density(scene: SkiesScene, above: np.ndarray, size: int, times: np.ndarray) -> np.ndarray:
    """How thick the clouds are, float32 (t, rows, w) in 0 to 1; above (rows,): heights over the horizon."""
    return ease(noise_of(scene, above, size, times), scene.edge, scene.edge + SOFT[scene.attributes["clouds"] or ""])


def noise_of(scene: SkiesScene, above: np.ndarray, size: int, times: np.ndarray) -> np.ndarray:
    """What clouds are made of, float32 (t, rows, w): the higher, the thicker."""
    kind = scene.attributes["clouds"] or ""
    ahead = LENS / (np.maximum(above, 0) + HAZE)
    x = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    across = x[None, :] * (ahead / LENS)[:, None]
    along = np.broadcast_to(ahead[:, None], across.shape)
    start = np.random.default_rng(scene.seed).uniform(0, PERIOD, (3, 2))
    cross = (scene.wind[1], scene.wind[0])  # across the wind: how forms change while they move
    large, small, slow = {
        "wispy": ("cloud", "fine", "soft"),
        "puffy": ("cloud", "puffs", "soft"),
        "overcast": ("cloud", "puffs", "soft"),
        "storm": ("cloud", "puffs", "soft"),
    }[kind]
    stretch = np.array([0.45, 1.5]) if kind == "wispy" else np.array([1.0, 1.0])
    scale = {"wispy": 0.7, "puffy": 0.95, "overcast": 0.8, "storm": 0.7}[kind]

    def layer(name: str, number: int, turn: np.ndarray, aside: float = 0.0) -> np.ndarray:
        points = np.stack([across, along], -1) @ turn.T.astype(np.float32)
        moved = np.outer(times, scene.wind) * [-1, 1] + np.outer(times, cross) * aside
        offset = ((start[number] + moved @ turn.T) % PERIOD).astype(np.float32)[:, None, None]
        return at(tile(name, number), points[None, ..., 0] + offset[..., 0], points[None, ..., 1] + offset[..., 1])

    plain = np.diag(stretch * scale)
    seen = np.clip(1.25 - ahead * scale * 2.6 * UNIT / size / 3, 0, 1)[:, None]
    seen_large = np.clip(1.9 - ahead * scale * UNIT / size / 2, 0.25, 1)[:, None]
    noise = layer(large, 0, plain) * seen_large
    noise = noise + 0.55 * seen * layer(small, 1, TURN @ plain * 1.9)
    return noise + 0.55 * layer(slow, 2, plain * 0.31, aside=0.25)
