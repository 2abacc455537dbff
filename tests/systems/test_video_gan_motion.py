"""Motion codes: smooth where they should be, and reachable at any time."""

from __future__ import annotations

import pytest
import torch

from storyreel.systems.video_gan_motion import MotionCodes, MotionKind, Noise, keyed_noise

DISTANCE = 64


def codes(kind: MotionKind, times: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    motion = MotionCodes(kind, 64, distance=DISTANCE, kernel=5, periods=(256, 1024))
    first, count = motion.rows_for(float(times.min()), float(times.max()))
    noise = Noise(keyed_noise(7, first, count, 64)[None], torch.tensor([first]))
    with torch.no_grad():
        return motion(noise, times[None])[0]


def jerk(kind: MotionKind) -> float:
    """The second difference of the code at anchors, in medians of all second differences."""
    times = torch.arange(0, 6 * DISTANCE, 0.5, dtype=torch.float64)
    found = codes(kind, times)
    second = (found[2:] - 2 * found[1:-1] + found[:-2]).norm(dim=1)
    anchors = [2 * DISTANCE * i - 1 for i in range(1, 6)]  # the middle of three lies on the anchor
    return float(torch.stack([second[max(0, i - 1) : i + 2].max() for i in anchors]).max() / second.median())


def test_bspline_is_smooth_at_anchors_and_linear_is_not():
    assert jerk("bspline") < 2.5
    assert jerk("linear") > 50


@pytest.mark.parametrize("kind", ["bspline", "linear"])
def test_a_code_depends_on_key_and_time_alone(kind: MotionKind):
    whole = codes(kind, torch.arange(0, 400.0, dtype=torch.float64))
    for start in (0, 63, 200):
        window = codes(kind, torch.arange(start, start + 20.0, dtype=torch.float64))
        assert torch.allclose(window, whole[start : start + 20], atol=1e-5)


def test_rows_of_noise_do_not_depend_on_those_beside_them():
    assert torch.equal(keyed_noise(5, 100, 3, 8)[1:], keyed_noise(5, 101, 5, 8)[:2])
    assert not torch.equal(keyed_noise(5, 100, 1, 8), keyed_noise(6, 100, 1, 8))


def test_waves_are_exact_after_a_year():
    """At 8 frames a second: a second difference that is as small as at the beginning."""
    year = 365 * 24 * 3600 * 8
    for start in (0, year):
        found = codes("bspline", torch.arange(start, start + 300, 0.5, dtype=torch.float64))
        assert (found[2:] - 2 * found[1:-1] + found[:-2]).abs().max() < 0.02


@pytest.mark.parametrize("times", [(-1.0, 3.0), (0.0, float("nan")), (0.0, 2e9), (5.0, 4.0)])
def test_times_that_cannot_be_are_refused(times: tuple[float, float]):
    motion = MotionCodes("bspline", 8, distance=4, kernel=3, periods=(4, 32))
    with pytest.raises(ValueError, match="times: expected frames from 0 to 1e\\+09"):
        motion.rows_for(*times)


def test_training_draws_all_the_noise_that_a_clip_needs():
    motion = MotionCodes("bspline", 8, distance=4, kernel=3, periods=(4, 32))
    start = torch.rand(64, dtype=torch.float64) * 1000
    noise = motion.drawn(start, 9, torch.Generator().manual_seed(0))
    assert motion(noise, start[:, None] + torch.tensor([0.0, 4.5, 9.0])).shape == (64, 3, 8)
