"""The road of the world `road` as closed forms of the way along it, and how it is seen from the car.

Lengths are metres. The eye is EYE above the road and looks along it; a point `d` ahead, `x` to the right and `z` above
the tangent of the road is seen LENS * x / d picture widths right of the middle, and LENS * (EYE - z) / d below AXIS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EYE, LENS, AXIS = 1.7, 0.85, 0.45
NEAREST, FARTHEST = 1.6, 420.0
AHEAD = np.geomspace(NEAREST, FARTHEST, 150)  # where the road is looked up


@dataclass(frozen=True)
class Track:
    """bend: curvature, 1/m, to the right; sway: of turns to both sides, each `turn` long with its phase. rise:
    height of hills, each `hill` long with its phase. speed: m/s, of which the share `pulse` swings in `beat` s."""

    bend: float
    sway: float
    turn: float
    phase: float
    rise: float
    hill: float
    hill_phase: float
    speed: float
    pulse: float
    beat: float

    def way(self, times: np.ndarray) -> np.ndarray:
        """Metres driven at these times (seconds)."""
        swing = 2 * np.pi / self.beat
        return self.speed * (times + self.pulse / swing * (1 - np.cos(swing * times)))

    def speeds(self, times: np.ndarray) -> np.ndarray:
        """m/s at these times: the derivative of `way`."""
        return self.speed * (1 + self.pulse * np.sin(2 * np.pi / self.beat * times))

    def curvature(self, way: np.ndarray) -> np.ndarray:
        """1/m, positive to the right, at these places."""
        return self.bend + self.sway * np.sin(2 * np.pi / self.turn * way + self.phase)

    def heading(self, way: np.ndarray) -> np.ndarray:
        """Radians that the road has turned to the right: the integral of the curvature."""
        wave = 2 * np.pi / self.turn
        return self.bend * way - self.sway / wave * np.cos(wave * way + self.phase)

    def slope(self, way: np.ndarray) -> np.ndarray:
        """Metres up a metre."""
        wave = 2 * np.pi / self.hill
        return self.rise * wave * np.cos(wave * way + self.hill_phase)

    def aside(self, way: float, ahead: np.ndarray) -> np.ndarray:
        """How far right of its tangent at `way` the road is, so far ahead."""
        wave = 2 * np.pi / self.turn
        here = wave * way + self.phase
        return self.bend * ahead**2 / 2 - self.sway / wave**2 * (
            np.sin(here + wave * ahead) - np.sin(here) - wave * ahead * np.cos(here)
        )

    def above(self, way: float, ahead: np.ndarray) -> np.ndarray:
        """How far above its tangent at `way` the road is, so far ahead."""
        wave = 2 * np.pi / self.hill
        here = wave * way + self.hill_phase
        return self.rise * (np.sin(here + wave * ahead) - np.sin(here) - wave * ahead * np.cos(here))


@dataclass(frozen=True)
class View:
    """The road from one place: for every row of the picture how far ahead it shows the ground, float (rows,), inf over
    it; `crest`: at each of AHEAD the highest row (0 to 1) that nearer ground reaches, which hides what lies below it.
    horizon: where level ground far away would be."""

    ahead: np.ndarray
    crest: np.ndarray
    horizon: float
    top: float


def view(track: Track, way: float, size: int) -> View:
    """What is seen from `way`, in a picture of so many rows."""
    seen = AXIS + LENS * (EYE - track.above(way, AHEAD)) / AHEAD
    crest = np.minimum.accumulate(seen)
    rows = (np.arange(size) + 0.5) / size
    falling = np.concatenate([[True], np.diff(crest) < 0])
    ahead = np.interp(rows, crest[falling][::-1], AHEAD[falling][::-1], left=np.inf)
    return View(ahead, crest, AXIS + LENS * float(track.slope(np.asarray(way))), float(crest[-1]))
