"""Samplers on denoisers in closed form: orders of convergence, variances, formulas, and one video at a time."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchmarks.parts.exact import Gaussian, Mixture, ring
from storyreel.diffusion.samplers import (
    SAMPLERS,
    ancestral,
    ddim,
    dpm_solver,
    draw_noise,
    euler,
    evaluations,
    heun,
    starting_noise,
)
from storyreel.diffusion.sampling import Sampling
from storyreel.diffusion.schedules import Cosine, LogNormal, NoiseLevel, karras, uniform_logsnr, uniform_time

VP, VE = Cosine(), LogNormal()


def rngs(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + i) for i in range(count)]


def errors(sampler, schedule, steps: list[int]) -> list[float]:
    """RMS distance to the exact flow of a Gaussian, between two fixed levels."""
    exact = Gaussian(0.4, 0.3)
    z = torch.randn(64, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = []
    for n in steps:
        levels = uniform_logsnr(schedule, n, start=-5, end=5, clean=False)
        start = z * levels[0].norm
        there = exact.flow(start, levels[0], levels[-1])
        found.append(float((sampler(exact, start, levels) - there).square().mean().sqrt()))
    return found


@pytest.mark.parametrize("schedule", [VP, VE], ids=["preserving", "exploding"])
@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (heun, 2), (dpm_solver, 2)], ids=lambda s: str(s)[:14])
def test_order_of_convergence(sampler, order, schedule):
    steps = [32, 64, 128, 256]
    found = errors(sampler, schedule, steps)
    slope = math.log(found[-2] / found[-1]) / math.log(2)
    assert slope == pytest.approx(order, abs=0.15), found


@pytest.mark.parametrize("sampler", [ddim, dpm_solver, heun, euler], ids=["ddim", "dpm", "heun", "euler"])
@pytest.mark.parametrize("grid", ["time", "logsnr", "karras"])
def test_deterministic_samplers_follow_the_flow_to_its_clean_end(sampler, grid):
    levels = {
        "time": uniform_time(VP, 256),
        "logsnr": uniform_logsnr(VP, 256),
        "karras": karras(VE, 256, sigma_max=400),
    }[grid]
    exact = Gaussian(0.4, 0.3)
    z = torch.randn(512, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * levels[0].norm
    wanted = exact.flow(z, levels[0], levels[-1])
    assert float((sampler(exact, z, levels) - wanted).abs().max()) < (0.003 if sampler in (dpm_solver, heun) else 0.03)


def test_dpm_solver_is_second_order_on_a_crooked_grid_too():
    exact = Gaussian(0.4, 0.3)
    found = []
    for n in (128, 256):
        bent = torch.linspace(0, 1, n + 1, dtype=torch.float64)
        levels = VP.at(-5 + 10 * (bent + 0.12 * (bent * 6 * math.pi).sin() / 3))
        z = torch.randn(64, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        found.append(
            float((dpm_solver(exact, z, levels) - exact.flow(z, levels[0], levels[-1])).square().mean().sqrt())
        )
    assert math.log(found[0] / found[1]) / math.log(2) == pytest.approx(2, abs=0.2)


def test_dpm_solver_begins_and_ends_as_ddim():
    z, exact = torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), Gaussian(0.1, 0.5)
    for steps in (1, 2):
        levels = uniform_logsnr(VP, steps)
        assert torch.equal(dpm_solver(exact, z, levels), ddim(exact, z, levels))


def test_euler_is_eulers_step_in_sigma():
    exact, levels = Gaussian(0.1, 0.5), karras(VE, 9)
    z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 80
    plain, sigmas = z, levels.sigma.tolist()
    for i in range(9):
        plain = plain + (sigmas[i + 1] - sigmas[i]) * (plain - exact(plain, levels[i])) / sigmas[i]
    torch.testing.assert_close(euler(exact, z, levels), plain)


def test_heun_is_edms_algorithm():
    exact, levels = Gaussian(0.1, 0.5), karras(VE, 6)
    z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 80
    plain, sigmas = z, levels.sigma.tolist()
    for i in range(6):
        slope = (plain - exact(plain, levels[i])) / sigmas[i]
        tried = plain + (sigmas[i + 1] - sigmas[i]) * slope
        if sigmas[i + 1]:
            slope = (slope + (tried - exact(tried, levels[i + 1])) / sigmas[i + 1]) / 2
        plain = plain + (sigmas[i + 1] - sigmas[i]) * slope
    torch.testing.assert_close(heun(exact, z, levels), plain)


@pytest.mark.parametrize("name", ["ddim", "heun", "dpm-solver"])
def test_both_families_are_one_up_to_scale(name):
    """The flow does not know whether z was scaled."""
    logsnr = torch.linspace(-7, 7, 12, dtype=torch.float64)
    exact, one, other = Gaussian(0.2, 0.4), VP.at(logsnr), VE.at(logsnr)
    z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    made = SAMPLERS[name](exact, z, one) / one[-1].alpha
    torch.testing.assert_close(made, SAMPLERS[name](exact, z / one[0].alpha, other), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("family", [VP, VE], ids=["preserving", "exploding"])
@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
def test_an_ancestral_step_has_the_variance_of_the_paper(family, gamma):
    levels = family.at(torch.tensor([-1.0, 0.5], dtype=torch.float64))
    z = torch.full((1, 20_000), 0.7, dtype=torch.float64)
    stepped = ancestral(lambda z, level: 0 * z + 0.2, z, levels, rng=rngs(1), gamma=gamma)
    (a, b), (s, u) = levels.alpha.tolist(), levels.sigma.tolist()
    share = 1 - math.exp(-1.5)
    forward = s**2 - (a / b) ** 2 * u**2  # the variance of q(z_t | z_s)
    assert share * s**2 == pytest.approx(forward)
    deviation = math.sqrt(share) * u ** (1 - gamma) * s**gamma
    assert float(stepped.std()) == pytest.approx(deviation, rel=0.02)
    mean = a / b * u**2 / s**2 * 0.7 + forward * b / s**2 * 0.2  # of q(z_s | z_t, x), VDM equation 28
    assert float(stepped.mean()) == pytest.approx(mean, abs=0.03)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("grid", ["time", "karras"])
def test_ancestral_gives_the_distribution_for_every_gamma(gamma, grid):
    levels = uniform_time(VP, 200) if grid == "time" else karras(VE, 200, sigma_min=0.01)
    many = (1, 20_000)
    made = ancestral(Gaussian(0.4, 0.3), starting_noise(many, levels, rngs(1)), levels, rng=rngs(1, 9), gamma=gamma)
    assert float(made.mean()) == pytest.approx(0.4, abs=0.01)
    assert float(made.std()) == pytest.approx(0.3, rel=0.04)


def test_gamma_one_is_exact_on_white_data_and_gamma_zero_on_a_point():
    levels, many = uniform_time(VP, 3), (1, 50_000)
    z = starting_noise(many, levels, rngs(1))
    nearly = NoiseLevel(levels.alpha[:3], levels.sigma[:3])
    white = ancestral(Gaussian(0, 1), z, nearly, rng=rngs(1, 9), gamma=1.0)
    assert float(white.std()) == pytest.approx(1, rel=0.01)
    point = ancestral(lambda z, level: 0 * z + 0.5, z, nearly, rng=rngs(1, 9), gamma=0.0)
    assert float(point.std()) == pytest.approx(float(nearly[-1].sigma), rel=0.01)


@pytest.mark.parametrize(("name", "steps"), [("ddim", 64), ("ancestral", 128), ("heun", 40), ("dpm-solver", 40)])
def test_samplers_return_a_mixture(name, steps):
    """The share of every mode, and the spread around its centre."""
    exact: Mixture = ring(5, deviation=0.1)
    levels = uniform_logsnr(VP, steps)
    if name == "heun":
        levels = karras(VE, steps)
    shape = (1, 4000, 2)
    made = SAMPLERS[name](exact, starting_noise(shape, levels, rngs(1)), levels, rng=rngs(1, 9))[0]
    away = (made[:, None].double() - exact.centres).norm(dim=-1)
    shares = away.argmin(1).bincount(minlength=5) / len(made)
    assert float((shares - 0.2).abs().max()) < 0.03
    spread = float((away.min(1).values.square().mean() / 2).sqrt())
    assert spread == pytest.approx(0.1, rel=0.06)


# -- one video at a time -----------------------------------------------------------------------------------------


def slow(z: Tensor, level: NoiseLevel) -> Tensor:
    return Gaussian(0.4, 0.3)(z, level)


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_a_video_is_the_same_in_every_batch_and_order(name):
    levels, shape = uniform_logsnr(VP, 5), (2, 3, 4, 4)

    def sample(seeds: list[int]) -> Tensor:
        rng = [torch.Generator().manual_seed(s) for s in seeds]
        return SAMPLERS[name](slow, starting_noise((len(seeds), *shape), levels, rng), levels, rng=rng)

    together = sample([5, 6, 7])
    assert torch.equal(together, sample([7, 6, 5]).flip(0))
    assert torch.equal(together[1:2], sample([6]))
    assert not torch.equal(together[0], together[1])


def test_same_noise_gives_equal_frames_where_the_network_sees_frames_alone():
    levels, rng = uniform_time(VP, 6), rngs(2)
    z = starting_noise((2, 3, 4, 5, 5), levels, rng, same_noise=True)
    made = ancestral(slow, z, levels, rng=rng, gamma=0.5, same_noise=True)
    assert torch.equal(made, made[:, :, :1].expand_as(made))
    assert not torch.equal(made[0], made[1])
    assert float(made[:, :, 0].std()) > 0.1
    other = ancestral(slow, z, levels, rng=rng, gamma=0.5)
    assert not torch.equal(other[:, :, 0], other[:, :, 1])


@pytest.mark.parametrize("name", list(SAMPLERS))
def test_progress_and_evaluations_are_told(name):
    asked, told = [], []
    levels = uniform_logsnr(VP, 4)

    def denoise(z: Tensor, level: NoiseLevel) -> Tensor:
        asked.append(float(level.logsnr))
        return slow(z, level)

    z = torch.zeros(1, 1, 2, 2, 2)
    SAMPLERS[name](denoise, z, levels, rng=rngs(1), on_step=lambda i, n, x: told.append((i, n, x.shape)))
    assert told == [(i, 4, z.shape) for i in range(1, 5)]
    assert len(asked) == evaluations(name, levels)
    assert all(math.isfinite(each) for each in asked)  # never at the clean end


@pytest.mark.parametrize("name", list(SAMPLERS))
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_is_told_with_its_step(name, value):
    levels = uniform_logsnr(VP, 4)

    def breaks(z: Tensor, level: NoiseLevel) -> Tensor:
        return slow(z, level) if level.logsnr < levels[2].logsnr else z * 0 + value

    with pytest.raises(ValueError, match=r"NaN or infinity in step [23] of 4"):
        SAMPLERS[name](breaks, torch.zeros(1, 1, 2, 2, 2), levels, rng=rngs(1))


def test_what_cannot_be_sampled():
    z = torch.zeros(2, 1, 2, 2, 2)
    with pytest.raises(ValueError, match="rng: expected a generator for each of 2 videos, got 1"):
        ancestral(slow, z, uniform_time(VP, 2), rng=rngs(1))
    with pytest.raises(ValueError, match="gamma: expected 0 to 1, got 2"):
        ancestral(slow, z, uniform_time(VP, 2), rng=rngs(2), gamma=2)
    with pytest.raises(ValueError, match="noise that falls"):
        ddim(slow, z, NoiseLevel(torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5])))
    with pytest.raises(ValueError, match="levels: expected a grid of at least 2"):
        ddim(slow, z, uniform_time(VP, 2)[:1])
    with pytest.raises(ValueError, match="same_noise: expected videos"):
        draw_noise((2, 3), rngs(2), same_noise=True)
    with pytest.raises(ValueError, match="denoise: expected"):
        ddim(lambda z, level: z[:1], z, uniform_time(VP, 2))


def test_only_samplers_whose_steps_are_local_are_streamed():
    assert {name for name, sampler in SAMPLERS.items() if sampler.local} == {"ddim", "euler", "dpm-solver"}


def test_a_sampler_brings_its_grid_and_a_recipe_may_choose_another():
    assert torch.equal(Sampling(sampler="dpm-solver").levels(VP, 4).alpha, uniform_logsnr(VP, 4).alpha)
    assert torch.equal(Sampling(sampler="heun").levels(VP, 4).alpha, uniform_time(VP, 4).alpha)
    assert torch.equal(Sampling(sampler="dpm-solver", grid="karras").levels(VE, 4).sigma, karras(VE, 4).sigma)
    with pytest.raises(ValueError, match="grid: expected one of time, logsnr, karras, got 'rho'"):
        Sampling(grid="rho")  # pyright: ignore[reportArgumentType]


def test_gamma_reaches_ancestral_sampling_and_is_refused_elsewhere():
    levels, exact = uniform_time(VP, 4), Gaussian(0.4, 0.3)
    z = starting_noise((1, 1, 2, 2, 2), levels, rngs(1))
    made = [ancestral(exact, z, levels, rng=rngs(1), gamma=gamma) for gamma in (None, 0.0, 1.0)]
    assert torch.equal(made[0], made[1])
    assert not torch.allclose(made[0], made[2])
    with pytest.raises(ValueError, match=r"gamma: expected none with this sampler, got 0\.5"):
        Sampling(sampler="ddim", gamma=0.5)
    assert Sampling(sampler="ancestral", gamma=0.5).gamma == 0.5


def test_every_setting_of_the_grid_counts_or_is_refused():
    levels = Sampling(sampler="euler", grid="karras", sigma_min=0.01, sigma_max=700).levels(VE, 4)
    assert levels.ratio[:-1].tolist() == pytest.approx(karras(VE, 4, sigma_min=0.01, sigma_max=700).ratio[:-1].tolist())
    roots = levels.ratio[:-1] ** (1 / 7)  # Karras et al. 2022, equation 5
    assert roots.diff().tolist() == pytest.approx([(0.01 ** (1 / 7) - 700 ** (1 / 7)) / 3] * 3)
    logs = Sampling(grid="logsnr", sigma_min=0.01, sigma_max=100).levels(VP, 5).ratio[:-1].log10()
    assert logs.tolist() == pytest.approx([2, 1, 0, -1, -2], abs=1e-9)
    for sampling in ({"sigma_max": 80}, {"sampler": "heun", "sigma_min": 0.1}):
        with pytest.raises(ValueError, match="sigma_max: a grid of equal times has the ends of its schedule"):
            Sampling(**sampling)  # pyright: ignore[reportArgumentType]


def test_every_setting_of_guidance_counts_or_is_refused():
    levels = uniform_time(VP, 4)
    linear = Sampling(guidance=3.0, frame_guidance="linear", min_guidance=2.0).guidance_of(3.0, levels, 3)
    assert isinstance(linear, Tensor)
    assert linear.flatten().tolist() == [2.0, 2.5, 3.0]
    assert Sampling(frame_guidance="linear").guidance_of(1.0, levels, 3) == 1, "one pass"
    with pytest.raises(ValueError, match="min_guidance: expected 1 where frame_guidance is constant"):
        Sampling(min_guidance=2.0)
    with pytest.raises(ValueError, match="oscillate: expected 0 with triangle guidance, got 3"):
        Sampling(frame_guidance="triangle", oscillate=3)
    with pytest.raises(ValueError, match="guidance: expected 0 to 1000, got -1"):
        Sampling(guidance=-1.0)
