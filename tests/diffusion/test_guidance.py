"""Guidance: its identities, its cost in passes, its scales, and what they make of a video."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from storyreel.diffusion.guidance import denoiser, guided, oscillating, ramp, side_by_side, within
from storyreel.diffusion.parameterisation import Kind, diffuse, from_x
from storyreel.diffusion.samplers import ddim, dpm_solver, heun, starting_noise
from storyreel.diffusion.schedules import Cosine, Level, LogNormal, preserving, uniform_logsnr, uniform_time


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


TOLD, UNTOLD = text(0.3), text(-0.1)
Z = torch.randn(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
HERE = preserving(torch.tensor(-1.0, dtype=torch.float64))


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("constant", [True, False])
def test_scale_one_is_the_conditional_network_exactly_in_one_pass(at_once, constant):
    net = Net()
    scale = 1.0 if constant else lambda level: 1.0
    made = guided(net, TOLD, UNTOLD, scale, kind="x", at_once=at_once)(Z, HERE)
    assert (net.passes, net.samples) == (1, 2)
    assert torch.equal(made, denoiser(net, TOLD, kind="x")(Z, HERE))


def test_scale_zero_is_the_unconditional_network_in_one_pass():
    net = Net()
    made = guided(net, TOLD, UNTOLD, 0, kind="x")(Z, HERE)
    assert (net.passes, net.samples) == (1, 2)
    assert torch.equal(made, denoiser(net, UNTOLD, kind="x")(Z, HERE))


def test_once_and_twice_give_the_same():
    once, twice = Net(), Net()
    one = guided(once, TOLD, UNTOLD, 4.0, kind="x")(Z, HERE)
    two = guided(twice, TOLD, UNTOLD, 4.0, kind="x", at_once=False)(Z, HERE)
    assert (once.passes, twice.passes, once.samples, twice.samples) == (1, 2, 4, 4)
    torch.testing.assert_close(one, two)
    a, b = (denoiser(once, cond, kind="x")(Z, HERE) for cond in (TOLD, UNTOLD))
    torch.testing.assert_close(one, b + 4 * (a - b))


@pytest.mark.parametrize("schedule", [Cosine(), LogNormal()], ids=["preserving", "exploding"])
@pytest.mark.parametrize("kind", ["eps", "v"])
def test_it_does_not_matter_what_is_guided(kind, schedule):
    level = schedule.at(torch.tensor([-1.0, 0.7]))  # one a sample
    z = diffuse(Z * 0, Z, level)
    wanted = guided(Net("x", schedule), TOLD, UNTOLD, 5.0, kind="x")(z, level)
    torch.testing.assert_close(guided(Net(kind, schedule), TOLD, UNTOLD, 5.0, kind=kind)(z, level), wanted)


def test_guidance_of_gaussians_is_a_shift():
    """Told N(m, s^2), untold N(0, s^2): the guided mean moves by scale m, in closed form along the whole flow."""
    told, untold = 0.3, 0.0

    def net(entered: Tensor, logsnr: Tensor, cond: Tensor) -> Tensor:
        level = preserving(logsnr.double())
        at, m = level.like(entered), cond.double()
        return m + at.alpha * 0.25 * (entered - at.alpha * m) / (at.alpha**2 * 0.25 + at.sigma**2)

    levels = uniform_logsnr(Cosine(), 200)
    z = torch.randn(1, 5000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for scale in (1.0, 3.0):
        cond = [torch.full((1, 1), value) for value in (told, untold)]
        made = dpm_solver(guided(net, *cond, scale, kind="x"), z, levels)
        assert float(made.mean()) == pytest.approx(scale * told, abs=0.02)
        assert float(made.std()) == pytest.approx(0.5, abs=0.02)


def test_ramp_guides_each_frame_by_its_own_scale():
    net = Net()
    made = guided(net, TOLD, UNTOLD, ramp(1.0, 2.5, 4), kind="x")(Z, HERE)
    for frame, scale in enumerate([1.0, 1.5, 2.0, 2.5]):
        alone = guided(net, TOLD, UNTOLD, scale, kind="x")(Z, HERE)
        torch.testing.assert_close(made[:, :, frame], alone[:, :, frame])


@pytest.mark.parametrize("sampler", [ddim, heun])
def test_oscillating_guidance_begins_high_and_then_takes_turns(sampler):
    levels, net = uniform_time(Cosine(), 8), Net()
    scale = oscillating(levels, first=3, high=15, low=1)
    assert [scale(level) for level in (levels[i] for i in range(8))] == [15, 15, 15, 1, 15, 1, 15, 1]
    z = starting_noise(Z.shape, levels, [torch.Generator().manual_seed(i) for i in range(2)])
    sampler(guided(net, TOLD, UNTOLD, scale, kind="x"), z, levels)
    if sampler is ddim:
        assert net.samples == 2 * (5 * 2 + 3)  # the low steps cost one pass


def test_guidance_within_an_interval_costs_one_pass_outside():
    net, levels = Net(), uniform_logsnr(Cosine(), 9, start=-8, end=8)
    denoise = guided(net, TOLD, UNTOLD, within(3.0, -4.5, 2.5), kind="x")
    z = torch.zeros_like(Z)
    ddim(denoise, z, levels)
    assert net.samples == 2 * (9 + 4)  # guided at -4, -2, 0, 2
    inside, outside = levels[4], levels[0]
    assert torch.equal(denoise(z, outside), denoiser(net, TOLD, kind="x")(z, outside))
    assert torch.equal(denoise(z, inside), guided(net, TOLD, UNTOLD, 3.0, kind="x")(z, inside))


def test_a_network_is_told_its_input_at_deviation_one_and_the_logsnr():
    seen = {}

    def net(entered: Tensor, logsnr: Tensor, cond: None) -> Tensor:
        seen.update(std=float(entered.std()), logsnr=logsnr)
        return torch.zeros_like(entered)

    level = LogNormal().at(torch.tensor(-8.0, dtype=torch.float64))
    z = diffuse(torch.randn(2, 50_000, generator=torch.Generator().manual_seed(0)), Z.new_zeros(2, 50_000), level)
    z = z + level.sigma * torch.randn(2, 50_000, generator=torch.Generator().manual_seed(1))
    made = denoiser(net, None)(z, level)
    assert seen["std"] == pytest.approx(1, abs=0.01)
    assert seen["logsnr"].dtype == torch.float32
    assert seen["logsnr"].tolist() == pytest.approx([-8, -8])
    torch.testing.assert_close(made, z / (1 + level.sigma**2))  # v = 0


def test_a_guided_video_does_not_know_its_batch():
    levels, net = uniform_logsnr(Cosine(), 4), Net()

    def sample(seeds: list[int]) -> Tensor:
        told, untold = text(0.3, len(seeds)), text(-0.1, len(seeds))
        z = starting_noise((len(seeds), 3, 2, 4, 4), levels, [torch.Generator().manual_seed(s) for s in seeds])
        return dpm_solver(guided(net, told, untold, 3.0, kind="x"), z, levels)

    assert torch.equal(sample([4, 5, 6])[1:2], sample([5]))


@pytest.mark.parametrize("scale", [-1.0, math.nan, math.inf])
def test_scales_out_of_range(scale):
    with pytest.raises(ValueError, match="guidance: wanted a number from 0, got"):
        guided(Net(), TOLD, UNTOLD, scale)
    with pytest.raises(ValueError, match="guidance: wanted a number from 0, got"):
        guided(Net(), TOLD, UNTOLD, lambda level: scale, kind="x")(Z, HERE)


def test_what_is_told_and_what_is_not_have_one_form():
    both = side_by_side({"a": [TOLD], "b": None}, {"a": [UNTOLD], "b": None})
    assert isinstance(both["a"][0], Memory)
    assert both["a"][0].pooled.shape == (4,)
    for one, other, line in [
        (torch.zeros(1, 2), torch.zeros(1, 3), r"the shape \(1, 2\)"),
        ({"a": None}, {"b": None}, "wanted a, got b"),
        ([None], [None, None], "list of 1, got list of 2"),
        (torch.zeros(1), None, "Tensor, got NoneType"),
    ]:
        with pytest.raises(ValueError, match=line):
            side_by_side(one, other)


def test_level_is_one_for_the_batch_or_one_a_sample():
    net = Net()
    each = Level(HERE.alpha.expand(2), HERE.sigma.expand(2))
    torch.testing.assert_close(
        guided(net, TOLD, UNTOLD, 2.0, kind="x")(Z, each), guided(net, TOLD, UNTOLD, 2.0, kind="x")(Z, HERE)
    )
