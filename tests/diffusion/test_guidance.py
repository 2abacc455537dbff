"""Guidance: its identities, its cost in passes, its scales, and what they make of a video."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from storyreel.diffusion.denoiser import Denoiser, side_by_side
from storyreel.diffusion.guidance import linear, oscillating, triangle, within
from storyreel.diffusion.parameterisation import Kind, diffuse, from_x
from storyreel.diffusion.samplers import ddim, dpm_solver, heun, starting_noise
from storyreel.diffusion.schedules import Cosine, LogNormal, NoiseLevel, preserving, uniform_logsnr, uniform_time


class Memory(NamedTuple):
    keys: list[tuple[Tensor, Tensor]]
    pooled: Tensor


class Net:
    """A network that tells the mean of its text as x, in the form of its kind; it counts passes and samples."""

    def __init__(self, kind: Kind = "x", schedule: Any = None):
        self.kind, self.passes, self.samples = kind, 0, 0
        self.at = (schedule or Cosine()).at

    def __call__(self, entered: Tensor, logsnr: Tensor, cond: Memory) -> Tensor:
        self.passes += 1
        self.samples += len(entered)
        level = self.at(logsnr)
        z = entered * level.like(entered).norm
        x = 0.5 * torch.tanh(z) + cond.pooled.view(-1, 1, 1, 1, 1) + cond.keys[0][1].mean()
        return from_x(x, z, level, self.kind)


def text(value: float, b: int = 2) -> Memory:
    return Memory([(torch.zeros(b, 3), torch.zeros(b, 2))], torch.full((b,), value))


COND, UNCOND = text(0.3), text(-0.1)
Z = torch.randn(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
HERE = preserving(torch.tensor(-1.0, dtype=torch.float64))


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("constant", [True, False])
def test_scale_one_is_the_conditional_network_exactly_in_one_pass(at_once, constant):
    net = Net()
    scale = 1.0 if constant else lambda level: 1.0
    made = Denoiser(net, COND, UNCOND, scale, predict="x", batched=at_once)(Z, HERE)
    assert (net.passes, net.samples) == (1, 2)
    assert torch.equal(made, Denoiser(net, COND, predict="x")(Z, HERE))


def test_scale_zero_is_the_unconditional_network_in_one_pass():
    net = Net()
    made = Denoiser(net, COND, UNCOND, 0, predict="x")(Z, HERE)
    assert (net.passes, net.samples) == (1, 2)
    assert torch.equal(made, Denoiser(net, UNCOND, predict="x")(Z, HERE))


def test_once_and_twice_give_the_same():
    once, twice = Net(), Net()
    one = Denoiser(once, COND, UNCOND, 4.0, predict="x")(Z, HERE)
    two = Denoiser(twice, COND, UNCOND, 4.0, predict="x", batched=False)(Z, HERE)
    assert (once.passes, twice.passes, once.samples, twice.samples) == (1, 2, 4, 4)
    torch.testing.assert_close(one, two)
    a, b = (Denoiser(once, cond, predict="x")(Z, HERE) for cond in (COND, UNCOND))
    torch.testing.assert_close(one, b + 4 * (a - b))


@pytest.mark.parametrize("schedule", [Cosine(), LogNormal()], ids=["preserving", "exploding"])
@pytest.mark.parametrize("kind", ["eps", "v"])
def test_it_does_not_matter_what_is_guided(kind, schedule):
    level = schedule.at(torch.tensor([-1.0, 0.7]))  # one a sample
    z = diffuse(Z * 0, Z, level)
    expected = Denoiser(Net("x", schedule), COND, UNCOND, 5.0, predict="x")(z, level)
    torch.testing.assert_close(Denoiser(Net(kind, schedule), COND, UNCOND, 5.0, predict=kind)(z, level), expected)


def test_guidance_of_gaussians_is_a_shift():
    """Conditionally N(m, s^2), else N(0, s^2): the guided mean moves by scale m, in closed form along the flow."""
    means = 0.3, 0.0

    def net(entered: Tensor, logsnr: Tensor, cond: Tensor) -> Tensor:
        level = preserving(logsnr.double())
        at, m = level.like(entered), cond.double()
        return m + at.alpha * 0.25 * (entered - at.alpha * m) / (at.alpha**2 * 0.25 + at.sigma**2)

    levels = uniform_logsnr(Cosine(), 200)
    z = torch.randn(1, 5000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for scale in (1.0, 3.0):
        both = [torch.full((1, 1), value) for value in means]
        made = dpm_solver(Denoiser(net, *both, scale, predict="x"), z, levels)
        assert float(made.mean()) == pytest.approx(scale * means[0], abs=0.02)
        assert float(made.std()) == pytest.approx(0.5, abs=0.02)


def test_ramp_guides_each_frame_by_its_own_scale():
    net = Net()
    made = Denoiser(net, COND, UNCOND, linear(1.0, 2.5, 4), predict="x")(Z, HERE)
    for frame, scale in enumerate([1.0, 1.5, 2.0, 2.5]):
        alone = Denoiser(net, COND, UNCOND, scale, predict="x")(Z, HERE)
        torch.testing.assert_close(made[:, :, frame], alone[:, :, frame])


def test_triangle_is_strongest_in_the_middle_frame():
    assert triangle(1.0, 2.5, 5).flatten().tolist() == pytest.approx([1.0, 1.75, 2.5, 1.75, 1.0])
    assert triangle(1.0, 2.5, 4).flatten().tolist() == pytest.approx([1.0, 2.0, 2.0, 1.0])
    assert triangle(1.0, 2.5, 1).flatten().tolist() == [1.0]


def test_some_frames_are_guided_by_their_own_scales():
    denoiser = Denoiser(Net(), COND, UNCOND, linear(1.0, 2.5, 4), predict="x")
    part = denoiser.of_frames(slice(1, 3), lambda cond: cond)(Z[:, :, 1:3], HERE)
    torch.testing.assert_close(part, denoiser(Z, HERE)[:, :, 1:3])


@pytest.mark.parametrize("sampler", [ddim, heun])
def test_oscillating_guidance_begins_high_and_then_takes_turns(sampler):
    levels, net = uniform_time(Cosine(), 8), Net()
    scale = oscillating(levels, first=3, high=15, low=1)
    assert [scale(level) for level in (levels[i] for i in range(8))] == [15, 15, 15, 1, 15, 1, 15, 1]
    z = starting_noise(Z.shape, levels, [torch.Generator().manual_seed(i) for i in range(2)])
    sampler(Denoiser(net, COND, UNCOND, scale, predict="x"), z, levels)
    if sampler is ddim:
        assert net.samples == 2 * (5 * 2 + 3)  # the low steps cost one pass


def test_guidance_within_an_interval_costs_one_pass_outside():
    net, levels = Net(), uniform_logsnr(Cosine(), 9, start=-8, end=8)
    denoise = Denoiser(net, COND, UNCOND, within(3.0, -4.5, 2.5), predict="x")
    z = torch.zeros_like(Z)
    ddim(denoise, z, levels)
    assert net.samples == 2 * (9 + 4)  # guided at -4, -2, 0, 2
    inside, outside = levels[4], levels[0]
    assert torch.equal(denoise(z, outside), Denoiser(net, COND, predict="x")(z, outside))
    assert torch.equal(denoise(z, inside), Denoiser(net, COND, UNCOND, 3.0, predict="x")(z, inside))


def test_a_network_reads_its_input_at_deviation_one_and_the_logsnr():
    seen = {}

    def net(entered: Tensor, logsnr: Tensor, cond: None) -> Tensor:
        seen.update(std=float(entered.std()), logsnr=logsnr)
        return torch.zeros_like(entered)

    level = LogNormal().at(torch.tensor(-8.0, dtype=torch.float64))
    z = diffuse(torch.randn(2, 50_000, generator=torch.Generator().manual_seed(0)), Z.new_zeros(2, 50_000), level)
    z = z + level.sigma * torch.randn(2, 50_000, generator=torch.Generator().manual_seed(1))
    made = Denoiser(net)(z, level)
    assert seen["std"] == pytest.approx(1, abs=0.01)
    assert seen["logsnr"].dtype == torch.float32
    assert seen["logsnr"].tolist() == pytest.approx([-8, -8])
    torch.testing.assert_close(made, z / (1 + level.sigma**2))  # v = 0


def test_a_guided_video_does_not_know_its_batch():
    levels, net = uniform_logsnr(Cosine(), 4), Net()

    def sample(seeds: list[int]) -> Tensor:
        cond, uncond = text(0.3, len(seeds)), text(-0.1, len(seeds))
        z = starting_noise((len(seeds), 3, 2, 4, 4), levels, [torch.Generator().manual_seed(s) for s in seeds])
        return dpm_solver(Denoiser(net, cond, uncond, 3.0, predict="x"), z, levels)

    assert torch.equal(sample([4, 5, 6])[1:2], sample([5]))


@pytest.mark.parametrize("scale", [-1.0, math.nan, math.inf])
def test_scales_out_of_range(scale):
    with pytest.raises(ValueError, match="guidance: expected a number from 0, got"):
        Denoiser(Net(), COND, UNCOND, scale)
    with pytest.raises(ValueError, match="guidance: expected a number from 0, got"):
        Denoiser(Net(), COND, UNCOND, lambda level: scale, predict="x")(Z, HERE)


def test_both_conditionings_have_one_form():
    both = side_by_side({"a": [COND], "b": None}, {"a": [UNCOND], "b": None})
    assert isinstance(both["a"][0], Memory)
    assert both["a"][0].pooled.shape == (4,)
    for one, other, line in [
        (torch.zeros(1, 2), torch.zeros(1, 3), r"the shape \(1, 2\)"),
        ({"a": None}, {"b": None}, "expected a, got b"),
        ([None], [None, None], "list of 1, got list of 2"),
        (torch.zeros(1), None, "Tensor, got NoneType"),
    ]:
        with pytest.raises(ValueError, match=line):
            side_by_side(one, other)


def test_level_is_one_for_the_batch_or_one_a_sample():
    net = Net()
    each = NoiseLevel(HERE.alpha.expand(2), HERE.sigma.expand(2))
    torch.testing.assert_close(
        Denoiser(net, COND, UNCOND, 2.0, predict="x")(Z, each), Denoiser(net, COND, UNCOND, 2.0, predict="x")(Z, HERE)
    )
