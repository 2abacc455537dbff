"""Jolts at anchors, and motion that comes again, on pictures whose movement is known."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from storyreel.evaluate.repetition import at_anchors, periodicity, second_differences, smoothness
from storyreel.nn.flow import flow_of
from storyreel.systems.video_gan_motion import MotionCodes, Noise, keyed_noise
from tests.evaluate.test_motion import panned


def test_second_differences_are_those_of_a_parabola():
    t = torch.arange(6.0)
    assert second_differences((3 * t**2 + t + 1)[:, None]).tolist() == pytest.approx([6.0] * 4)


@pytest.mark.parametrize(("kind", "low", "high"), [("bspline", 0, 2.5), ("linear", 50, math.inf)])
def test_splines_are_smooth_at_anchors_and_lines_are_not(kind: Any, low: float, high: float):
    torch.manual_seed(0)
    motion = MotionCodes(kind, 64, distance=64, kernel=5, periods=(256, 1024))
    times = torch.arange(0, 6 * 64, 0.5, dtype=torch.float64)
    first, count = motion.rows_for(0, float(times[-1]))
    with torch.no_grad():
        found = motion(Noise(keyed_noise(7, first, count, 64)[None], torch.tensor([first])), times[None])[0]
    assert low < at_anchors(found, [128 * k for k in range(1, 6)]) < high


def wandering(turns: int, frames: int = 32) -> list[tuple[float, float]]:
    """Places of a window that turns sharply every `turns` frames; 0: never."""
    places, x, way = [], 0.0, 1.0
    for t in range(frames):
        places.append((x, 0.5 * x))
        x += 0.7 * way
        way = -way if turns and t % turns == turns - 1 else way
    return places


def test_a_clip_that_is_jolted_every_so_many_frames_is_not_smooth():
    assert smoothness(panned(wandering(0))) < 1.5
    assert smoothness(panned(wandering(8))) > 2.5
    assert smoothness(panned(wandering(7))) > 2.5


def test_one_jolt_is_no_anchor():
    frames = panned(wandering(0)).clone()
    frames[9:] = frames[9:].flip(0)
    assert smoothness(frames) < 2


def test_motion_that_comes_again_is_periodic():
    def swinging(period: float) -> list[tuple[float, float]]:
        return [(4 * math.sin(2 * math.pi * t / period), 0.5 * t) for t in range(25)]

    rng = torch.Generator().manual_seed(0)
    steps = torch.randn(25, 2, generator=rng).cumsum(0) * 0.7
    assert periodicity(flow_of(panned(swinging(8)))) > 0.9
    assert periodicity(flow_of(panned([(float(x), float(y)) for x, y in steps]))) < 0.5
    once = [(4 * math.sin(math.pi * t / 24), 0.0) for t in range(25)]
    assert periodicity(flow_of(panned(once))) < 0.3


def test_what_cannot_tell_is_no_number():
    still = torch.full((20, 32, 32, 3), 90, dtype=torch.uint8)
    assert math.isnan(smoothness(still))
    assert math.isnan(periodicity(flow_of(still)))
    assert math.isnan(smoothness(panned(wandering(0, 13))))
    assert math.isnan(periodicity(flow_of(panned(wandering(0, 8)))))
