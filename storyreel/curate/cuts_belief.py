"""Whether an interval that fits as a dissolve or a wipe is one: what is measured of it, weighed.

The weights were fitted by logistic regression to intervals of drawn test movies (`tests.movies`, seeds 100 to 123).
"""

from __future__ import annotations

import numpy as np

from storyreel.curate.cuts_evidence import Evidence
from storyreel.curate.cuts_gradual import Blends
from storyreel.curate.cuts_hard import alike
from storyreel.curate.cuts_wipe import band_fit, wipe_fit
from storyreel.curate.spans import Kind

BELIEVED = 0.2
DOUBTED = 0.05
_STAYS = 24  # frames before and behind that are looked at: something that goes by comes and goes
NAMES = ("ramp", "parabola", "dip", "beyond", "step", "length", "alike", "back", "fine", "inner", "edge", "band")


def belief_in(kind: Kind, features: np.ndarray) -> float:
    """From 0 to 1."""
    mean, spread, weights = _WEIGHTS[kind]
    value = float(np.clip(_terms((features - mean) / spread) @ weights, -30, 30))
    return float(1 / (1 + np.exp(-value)))


def _terms(values: np.ndarray) -> np.ndarray:
    """The values, their squares and 1."""
    values = np.clip(values, -3, 3)
    return np.concatenate([values, values * values, [1.0]])


def usual_change(evidence: Evidence, length: int) -> np.ndarray:
    """What changes within the shots on both sides of an interval, for each of its first frames, levels."""
    lag = min(length + 1, 10)
    change = evidence.distance(lag)
    before = np.r_[0.0, change[:-1]]  # up to the frame before the interval
    behind = np.zeros_like(change)
    shift = length + lag
    behind[: max(0, len(change) - shift)] = change[shift:]
    return np.maximum(before, behind)


def features_of(evidence: Evidence, blends: Blends, start: int, length: int) -> np.ndarray:
    """What is measured of frames [start, start + length), by NAMES, float64.

    beyond: logarithm of how much more changes across than within the shots; step: logarithm of the change; back: the
    least difference to frames farther away, as a share of the step; fine: share of the dip of fine detail that a
    blend explains; inner: logarithm of the change from frame to frame within, as a share of that outside.
    """
    fit = blends.fit(length, np.array([start]))
    step = float(fit.step[start]) + 1e-3
    before, behind = start - 1, start + length
    usual = float(usual_change(evidence, length)[start])
    later = np.arange(behind, min(len(evidence), behind + _STAYS))
    earlier = np.arange(max(0, before - _STAYS), before + 1)
    across = evidence.between(np.array([before]), later).min(), evidence.between(earlier, np.array([behind])).min()
    change = evidence.distance(1)
    outside = np.r_[change[max(1, start - 8) : start], change[behind + 1 : behind + 9]]
    inner = np.log((np.median(change[start : behind + 1]) + 0.5) / (np.median(outside) + 0.5 if len(outside) else 1.0))
    same = alike(evidence.detail[before], evidence.detail[behind])
    shape = float(fit.ramp[start]), float(fit.parabola[start]), float(np.clip(fit.dip[start], -0.5, 1.5))
    sizes = np.log(step / max(usual, 0.5)), np.log(step), np.log(length)
    back = float(min(across)) / step
    edges = max(-1.0, wipe_fit(evidence, start, length)), band_fit(evidence, start, length)
    return np.array([*shape, *sizes, same, back, _fine(evidence, start, length), inner, *edges], np.float64)


def _fine(evidence: Evidence, start: int, length: int) -> float:
    """How much of the passage of the fine detail's energy a blend explains, against a straight line, from -1 to 1."""
    fine = evidence.fine
    before, behind = fine[max(0, start - 3) : start].mean(), fine[start + length : start + length + 3].mean()
    weight = (np.arange(length) + 1) / (length + 1)
    seen = fine[start : start + length]
    line = (1 - weight) * before + weight * behind
    blend = (1 - weight) ** 2 * before + weight**2 * behind
    straight = ((seen - line) ** 2).sum() + 0.02 * (line**2).sum() + 1e-3
    return float(max(-1.0, 1 - ((seen - blend) ** 2).sum() / straight))


_WEIGHTS = {  # kind: mean and spread of the features; weights of them, of their squares and of 1
    "dissolve": (
        np.array([0.9689, 0.9322, 0.7614, 0.8079, 3.947, 2.768, 0.5882, 0.8818, -0.2868, 0.3644, 0.4445, 0.1155]),
        np.array([0.04577, 0.0874, 0.3274, 1.091, 0.5678, 0.7168, 0.3066, 0.1384, 0.8547, 0.7173, 0.216, 0.1462]),
        np.array([
            0.3023, 1.077, 0.7744, 0.4448, 0.7531, -0.3325, -0.8046, 0.8305, 1.046, 0.2437, 0.3417, -0.6598, -0.1164,
            0.2202, 0.367, -0.07129, -0.1908, 0.3554, -0.2933, -0.1654, 0.263, -0.1514, -0.5145, -0.08825, -1.576,
        ]),
    ),
    "wipe": (
        np.array([0.9767, -1.286, -0.03751, 0.5032, 3.796, 2.942, 0.6888, 0.9334, -0.9441, 0.2539, 0.5233, 0.1752]),
        np.array([0.04102, 15.06, 0.2616, 0.9117, 0.461, 0.4297, 0.2808, 0.07943, 0.2458, 0.6543, 0.1503, 0.2396]),
        np.array([
            0.05323, -0.01575, -0.329, 0.5395, 0.3283, 0.4954, -0.267, 0.01276, -0.09127, 0.5795, 0.2678, 1, -0.3898,
            0.03592, -0.07425, -0.04129, -0.1115, 0.1825, -0.01344, 0.05497, 0.04368, -0.36, -0.1632, 0.7648, -4.737,
        ]),
    ),
}  # fmt: skip
