"""Levels and grids against their formulas, at both ends too."""

from __future__ import annotations

import math

import pytest
import torch

from storyreel.diffusion import schedules
from storyreel.diffusion.schedules import Cosine, LogNormal, NoiseLevel, exploding, preserving

TIMES = torch.linspace(0.01, 0.99, 37, dtype=torch.float64)


def test_cosine_is_the_cosine():
    level = Cosine().level(TIMES)
    torch.testing.assert_close(level.alpha, (TIMES * math.pi / 2).cos())
    torch.testing.assert_close(level.sigma, (TIMES * math.pi / 2).sin())
    torch.testing.assert_close(level.logsnr, -2 * (TIMES * math.pi / 2).tan().log())


@pytest.mark.parametrize("schedule", [Cosine(), Cosine(shift=-2.0), LogNormal(), LogNormal(0.7, 1.6)])
def test_time_is_the_inverse_of_logsnr(schedule):
    torch.testing.assert_close(schedule.time(schedule.logsnr(TIMES)), TIMES)
    level = schedule.level(TIMES)
    torch.testing.assert_close(level.logsnr, schedule.logsnr(TIMES))
    torch.testing.assert_close(schedule.at(level.logsnr).sigma, level.sigma)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cosine_is_clipped_at_its_ends_and_never_nan(dtype):
    near = torch.tensor([0.0, 2.0**-30, 1 - 2.0**-24, 1.0], dtype=dtype)
    assert Cosine().logsnr(near).tolist() == [20, 20, -20, -20]
    level = Cosine().level(near)
    assert float(torch.minimum(level.alpha, level.sigma).min()) > 0
    torch.testing.assert_close(level.logsnr, Cosine().logsnr(near))


def test_log_normal_draws_the_sigmas_of_edm():
    times = schedules.draw_times(200_000, torch.Generator().manual_seed(0)).double()
    logs = LogNormal(-1.2, 1.2).level(times).sigma.log()
    assert abs(float(logs.mean()) + 1.2) < 0.01
    assert abs(float(logs.std()) - 1.2) < 0.01


def test_shift_adds_to_the_logsnr():
    shift = schedules.shift_for(256)
    assert shift == pytest.approx(-2 * math.log(4))
    torch.testing.assert_close(Cosine(shift=shift).logsnr(TIMES), Cosine().logsnr(TIMES) + shift)


def test_families():
    logsnr = torch.linspace(-20, 20, 41)
    for level in (preserving(logsnr), exploding(logsnr)):
        torch.testing.assert_close(level.logsnr, logsnr, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(preserving(logsnr).norm, torch.ones(41))
    assert bool((exploding(logsnr).alpha == 1).all())
    torch.testing.assert_close(preserving(logsnr).ratio, exploding(logsnr).ratio)


def test_spread_times_cover_the_range_once():
    rng = torch.Generator().manual_seed(3)
    times = schedules.draw_times(16, rng, spread=True)
    assert sorted((times * 16).long().tolist()) == list(range(16))
    many = torch.stack([schedules.draw_times(4, rng, spread=True) for _ in range(1000)])
    assert float((many.mean(0) - 0.5).abs().max()) < 0.05  # each place alone is uniform
    assert float(many.max()) < 1


def test_a_level_for_each_sample_meets_videos():
    z = torch.zeros(3, 2, 4, 5, 5)
    level = Cosine().level(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64))
    assert level.like(z).alpha.shape == (3, 1, 1, 1, 1)
    assert (level.like(z).alpha * z).dtype == torch.float32
    one = Cosine().level(torch.tensor(0.5, dtype=torch.float64))
    assert (one.like(z).alpha * z).dtype == torch.float32
    assert one.each(z).alpha.shape == (3,)
    assert one.each(z).logsnr.dtype == torch.float32


GRIDS = {
    "time": lambda n, **more: schedules.uniform_time(Cosine(), n, **more),
    "logsnr": lambda n, **more: schedules.uniform_logsnr(Cosine(), n, **more),
    "karras": lambda n, **more: schedules.karras(LogNormal(), n, **more),
    "karras preserving": lambda n, **more: schedules.karras(Cosine(), n, **more),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))
@pytest.mark.parametrize("steps", [1, 2, 7, 256])
def test_grids_fall_and_end_clean(grid, steps):
    levels: NoiseLevel = grid(steps)
    assert len(levels) == steps + 1
    assert bool((levels.ratio.diff() < 0).all())
    assert (float(levels[-1].alpha), float(levels[-1].sigma)) == (1, 0)
    assert levels[-1].clean
    assert not levels[0].clean
    if steps > 1:
        assert len(grid(steps, clean=False)) == steps + 1
        assert not grid(steps, clean=False)[-1].clean


def test_grids_have_their_formulas():
    levels = schedules.uniform_time(Cosine(), 4)
    torch.testing.assert_close(levels.sigma[1:-1], (torch.tensor([0.75, 0.5, 0.25]).double() * math.pi / 2).sin())
    levels = schedules.uniform_logsnr(Cosine(), 5, start=-8, end=8)
    torch.testing.assert_close(levels.logsnr[:-1], torch.linspace(-8, 8, 5, dtype=torch.float64))
    sigmas = schedules.karras(LogNormal(), 3, sigma_min=0.002, sigma_max=80).sigma
    middle = ((80 ** (1 / 7) + 0.002 ** (1 / 7)) / 2) ** 7
    torch.testing.assert_close(sigmas, torch.tensor([80, middle, 0.002, 0], dtype=torch.float64))


def test_what_is_no_grid():
    with pytest.raises(ValueError, match="steps: expected at least 1, got 0"):
        schedules.uniform_time(Cosine(), 0)
    with pytest.raises(ValueError, match="start: expected a log-SNR below"):
        schedules.uniform_logsnr(Cosine(), 4, start=3, end=3)
    with pytest.raises(ValueError, match="sigma_min"):
        schedules.karras(Cosine(), 4, sigma_min=2, sigma_max=1)
