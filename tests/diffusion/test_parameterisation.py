"""Each kind of output says the same; each weight is the error that it claims to be."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest
import torch

from storyreel.diffusion.parameterisation import (
    Kind,
    Weight,
    convert,
    diffuse,
    diffusion_loss,
    from_x,
    log_weight,
    network_input,
    target,
    to_x,
    x_loss,
)
from storyreel.diffusion.schedules import Cosine, NoiseLevel, exploding, preserving

KINDS = get_args(Kind)
LOGSNR = torch.linspace(-6, 6, 5, dtype=torch.float64)
FAMILIES = [preserving, exploding]


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    draw = [torch.randn(5, 3, 2, 4, 4, generator=rng, dtype=torch.float64) for _ in range(2)]
    return draw[0], draw[1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("have", "want"), [*product(KINDS, KINDS)])
def test_conversions_are_exact(family, have: Kind, want: Kind):
    (x, noise), level = pair(), family(LOGSNR)
    z = diffuse(x, noise, level)
    said = target(x, noise, level, have)
    torch.testing.assert_close(to_x(said, z, level, have), x)
    torch.testing.assert_close(from_x(x, z, level, have), said)
    wrong = said + 0.3  # a network that errs must be understood alike in every kind
    torch.testing.assert_close(convert(convert(wrong, z, level, have, want), z, level, want, have), wrong)


def test_v_is_salimans_and_hos():
    (x, noise), level = pair(), preserving(LOGSNR)
    z, at = diffuse(x, noise, level), level.like(x)
    v = target(x, noise, level, "v")
    torch.testing.assert_close(v, at.alpha * noise - at.sigma * x)
    torch.testing.assert_close(at.alpha * z - at.sigma * v, x)
    torch.testing.assert_close(convert(v, z, level, "v", "eps"), at.sigma * z + at.alpha * v)
    torch.testing.assert_close(network_input(z, level), z)


def test_v_is_edms_with_alpha_one():
    level = exploding(LOGSNR)
    z, output, sigma = *pair(), level.sigma.view(-1, 1, 1, 1, 1)
    edm = z / (sigma**2 + 1) - sigma / (sigma**2 + 1).sqrt() * output
    torch.testing.assert_close(to_x(output, z, level, "v"), edm)
    torch.testing.assert_close(network_input(z, level), z / (sigma**2 + 1).sqrt())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("kind", "weight"), [*product(KINDS, get_args(Weight))])
def test_the_loss_is_the_weighted_error_of_x_whatever_the_net_tells(family, kind: Kind, weight: Weight):
    (x, noise), level = pair(), family(LOGSNR)
    z = diffuse(x, noise, level)
    guess = x + 0.1 * noise.flip(-1)
    loss = diffusion_loss(from_x(guess, z, level, kind), x, noise, level, kind=kind, weight=weight)
    assert loss.shape == (5,)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, x_loss(guess, x, level, weight=weight), rtol=1e-4, atol=0)
    error = (guess - x).square().flatten(1).mean(1)
    torch.testing.assert_close(loss.double(), error * log_weight(level, weight).exp(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_are_errors_of_the_other_kinds(family):
    (x, noise), level = pair(), family(LOGSNR)
    z = diffuse(x, noise, level)
    guess = x + 0.1 * noise.flip(-1)
    for kind in KINDS:
        error = (from_x(guess, z, level, kind) - target(x, noise, level, kind)).square().flatten(1).mean(1)
        torch.testing.assert_close(x_loss(guess, x, level, weight=kind).double(), error, rtol=1e-4, atol=0)


def test_weights_by_number():
    logsnr = torch.tensor([0.1, 1.0, 9.0], dtype=torch.float64).log()
    level = preserving(logsnr)
    for weight, wanted in {
        "x": [1, 1, 1], "eps": [0.1, 1, 9], "v": [1.1, 2, 10], "truncated": [1, 1, 9], "min-snr": [0.1, 1, 5]
    }.items():  # fmt: skip
        torch.testing.assert_close(log_weight(level, weight).exp(), torch.tensor(wanted).double())


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_finite_at_both_ends_of_the_schedule(kind: Kind):
    x = torch.randn(4, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    level = Cosine().level(torch.tensor([0.0, 1e-6, 1 - 2.0**-24, 1.0]))
    output = target(x, -x, level, kind).requires_grad_()
    loss = diffusion_loss(output + 0.1, x, -x, level, kind=kind, weight=kind)
    torch.testing.assert_close(loss, torch.full((4,), 0.01), rtol=1e-3, atol=0)
    loss.sum().backward()
    assert bool(output.grad.isfinite().all())


def test_one_sample_does_not_see_another():
    (x, noise), level = pair(), preserving(LOGSNR)
    alone = diffusion_loss(x[1:2], x[1:2], noise[1:2], level[1:2])
    assert torch.equal(diffusion_loss(x, x, noise, level)[1:2], alone)


def test_unknown_names():
    x = torch.zeros(1, 1)
    level = NoiseLevel(torch.ones(1), torch.ones(1))
    with pytest.raises(ValueError, match="kind: expected x, eps or v, got 'u'"):
        to_x(x, x, level, "u")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="weight: expected"):
        log_weight(level, "u")  # pyright: ignore[reportArgumentType]
