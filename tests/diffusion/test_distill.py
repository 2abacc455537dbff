"""Distillation of denoisers in closed form is exact; augmentation noises as much as it says."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from benchmarks.parts.exact import Gaussian
from storyreel.diffusion.augment import augmentation_of, augmented, draw_augmentation
from storyreel.diffusion.denoiser import Denoiser
from storyreel.diffusion.distill import draw_halving, guidance_target, halved, progressive_target
from storyreel.diffusion.parameterisation import diffuse, x_loss
from storyreel.diffusion.samplers import ddim, ddim_step, starting_noise, stochastic
from storyreel.diffusion.schedules import Cosine, LogNormal, NoiseLevel, karras, uniform_logsnr, uniform_time

EXACT = Gaussian(0.4, 0.3)
GRIDS = {"time": uniform_time(Cosine(), 16), "logsnr": uniform_logsnr(Cosine(), 16), "karras": karras(LogNormal(), 16)}


def rngs(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + i) for i in range(count)]


def student_of(teacher, levels: NoiseLevel):
    """What a student that has learnt perfectly says: the target itself, at the levels of its own grid."""

    def denoise(z: Tensor, level: NoiseLevel) -> Tensor:
        i = int((levels.ratio - level.ratio).abs().argmin())
        assert i % 2 == 0, "a student is asked on its own grid"
        return progressive_target(teacher, z, levels[i], levels[i + 1], levels[i + 2])

    return denoise


@pytest.mark.parametrize("grid", GRIDS.values(), ids=list(GRIDS))
def test_progressive_distillation_of_a_gaussian_is_exact_from_16_steps_to_1(grid):
    z = torch.randn(8, 5, generator=rngs(1)[0], dtype=torch.float64) * grid[0].norm
    wanted, teacher, levels = ddim(EXACT, z, grid), EXACT, grid
    for steps in (8, 4, 2, 1):
        teacher, levels = student_of(teacher, levels), halved(levels)
        assert len(levels) == steps + 1
        torch.testing.assert_close(ddim(teacher, z, levels), wanted, rtol=1e-9, atol=1e-9)


def test_the_target_is_salimans_and_hos():
    """Algorithm 2, written out; and at a clean end it is z'' itself."""
    grid = GRIDS["time"]
    z = torch.randn(4, 3, generator=rngs(1)[0], dtype=torch.float64)
    for i in (4, 14):
        here, middle, there = grid[i], grid[i + 1], grid[i + 2]
        half = middle.alpha * EXACT(z, here) + middle.sigma / here.sigma * (z - here.alpha * EXACT(z, here))
        end = there.alpha * EXACT(half, middle) + there.sigma / middle.sigma * (
            half - middle.alpha * EXACT(half, middle)
        )
        kept = there.sigma / here.sigma
        made = progressive_target(EXACT, z, here, middle, there)
        torch.testing.assert_close(made, (end - kept * z) / (there.alpha - kept * here.alpha))
        torch.testing.assert_close(ddim_step(z, made, here, there), end)
        if there.clean:
            torch.testing.assert_close(made, end, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("steps", [2, 256, 1024])
def test_targets_of_a_batch_in_float32(steps):
    """Each sample at its own level, of all that can be drawn; in float32 as good as in float64."""
    grid = uniform_time(Cosine(), steps)
    here, middle, there = draw_halving(grid, 64, rngs(1)[0])
    assert here.alpha.shape == (64,)
    x = 0.4 + 0.3 * torch.randn(64, 3, 1, 2, 2, generator=rngs(1)[0])
    z = diffuse(x, torch.randn(x.shape, generator=rngs(1, 1)[0]), here)
    made = progressive_target(EXACT, z, here, middle, there)
    assert made.dtype == torch.float32
    torch.testing.assert_close(
        made.double(), progressive_target(EXACT, z.double(), here, middle, there), rtol=1e-3, atol=1e-3
    )
    loss = x_loss(made + 0.01, made, here, weight="truncated")
    torch.testing.assert_close(loss.double(), 1e-4 * here.logsnr.exp().clamp(min=1), rtol=0.02, atol=0)


def test_halvings_start_everywhere_on_the_students_grid():
    grid = GRIDS["time"]
    here, middle, there = draw_halving(grid, 500, rngs(1)[0])
    starts = {round(float(v), 9) for v in here.sigma}
    assert starts == {round(float(v), 9) for v in grid[::2].sigma[:-1]}
    assert bool((here.ratio > middle.ratio).all())
    assert bool((middle.ratio > there.ratio).all())
    assert bool((there.sigma == 0).any())


def test_what_cannot_be_distilled():
    with pytest.raises(ValueError, match="steps: expected an even number to halve, got 5"):
        halved(uniform_time(Cosine(), 5))
    grid = uniform_time(Cosine(), 2)
    with pytest.raises(ValueError, match="the teacher gave NaN"):
        progressive_target(lambda z, level: z * math.nan, torch.zeros(1, 1), grid[0], grid[1], grid[2])


def test_guidance_target_is_the_guided_teacher_at_each_samples_scale():
    def net(entered: Tensor, logsnr: Tensor, cond: Tensor) -> Tensor:
        return 0.5 * entered + cond[:, None] * logsnr[:, None]

    z = torch.randn(3, 4, generator=rngs(1)[0]).requires_grad_()
    level = Cosine().level(torch.tensor([0.2, 0.5, 0.7]))
    cond, uncond = torch.ones(3), torch.zeros(3)
    scales = torch.tensor([1.0, 4.2, 15.0])
    made = guidance_target(net, z, level, cond=cond, uncond=uncond, guidance=scales)
    assert not made.requires_grad
    for i, scale in enumerate(scales.tolist()):
        one = Denoiser(net, cond[:1], uncond[:1], scale)(z[i : i + 1], level[i : i + 1])
        torch.testing.assert_close(made[i : i + 1], one.detach())


def test_the_stochastic_sampler_asks_as_often_as_ddim_and_is_it_in_one_step():
    asked = []

    def denoise(z: Tensor, level: NoiseLevel) -> Tensor:
        asked.append(level)
        return EXACT(z, level)

    z = torch.randn(2, 3, generator=rngs(1)[0])
    grid = uniform_time(Cosine(), 8)
    stochastic(denoise, z, grid, rng=rngs(2))
    torch.testing.assert_close(torch.stack([level.sigma for level in asked]), grid.sigma[:-1])
    one = uniform_time(Cosine(), 1)
    assert torch.equal(stochastic(EXACT, z, one), ddim(EXACT, z, one))


@pytest.mark.parametrize("name", ["time", "karras"])
def test_the_stochastic_sampler_returns_the_distribution(name):
    grid = uniform_time(Cosine(), 200) if name == "time" else karras(LogNormal(), 200, sigma_min=0.01)
    many = (1, 20_000)
    made = stochastic(EXACT, starting_noise(many, grid, rngs(1)), grid, rng=rngs(1, 9))
    assert float(made.mean()) == pytest.approx(0.4, abs=0.01)
    assert float(made.std()) == pytest.approx(0.3, rel=0.04)


# -- augmentation ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [Cosine(), LogNormal()], ids=["preserving", "exploding"])
def test_augmentation_noises_as_much_as_it_says(schedule):
    low = torch.zeros(2, 3, 4, 32, 32) + 0.5
    level = augmentation_of(schedule, 4.0)
    noised, told = augmented(low, level, rngs(2))
    assert told.tolist() == pytest.approx([math.log(4)] * 2)
    assert told.dtype == torch.float32
    noise = noised - float(level.alpha) * 0.5
    assert float(noise.std()) == pytest.approx(float(level.sigma), rel=0.02)
    assert float(level.alpha / level.sigma) ** 2 == pytest.approx(4)
    assert torch.equal(noised[1:2], augmented(low[1:2], level, rngs(1, 1))[0])  # alone as in a batch
    same, _ = augmented(low, level, rngs(2), same_noise=True)
    assert torch.equal(same[:, :, 0], same[:, :, 3])


def test_augmentation_of_training():
    level = draw_augmentation(Cosine(), 4000, rngs(1)[0], max_time=0.5)
    assert float(level.logsnr.min()) >= Cosine().logsnr(torch.tensor(0.5)) - 1e-4
    assert float(Cosine().time(level.logsnr).mean()) == pytest.approx(0.25, abs=0.01)
    with pytest.raises(ValueError, match="max_time"):
        draw_augmentation(Cosine(), 2, rngs(1)[0], max_time=1.5)


def test_no_augmentation():
    level = augmentation_of(Cosine(), math.inf)
    noised, told = augmented(torch.ones(1, 1, 1, 2, 2), level, rngs(1))
    torch.testing.assert_close(noised, torch.ones(1, 1, 1, 2, 2), atol=1e-3, rtol=0)
    assert told.tolist() == pytest.approx([20])
    with pytest.raises(ValueError, match="snr: expected more than 0"):
        augmentation_of(Cosine(), 0)
