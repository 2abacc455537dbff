"""The error of colour: what it feels, and what it does not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from storyreel.nn.chroma import chroma_loss


def test_it_feels_colour_and_not_brightness():
    real, weight = torch.rand(2, 4, 3, 8, 8), torch.ones(3, 1, 1)
    assert float(chroma_loss(real, real.clone(), weight)) == 0
    brighter = real.clone()
    brighter[:, :3] += 0.25
    assert float(chroma_loss(brighter, real, weight)) < 1e-12
    redder = real.clone()
    redder[:, 0] += 0.3
    wanted = (0.2**2 + 2 * 0.1**2) / 3  # (0.3, 0, 0) less its mean
    assert float(chroma_loss(redder, real, weight)) == pytest.approx(wanted, rel=1e-4)
    assert float(chroma_loss(redder, real)) == float(chroma_loss(redder, real, weight))
    later = real.clone()
    later[:, 0, 1:] += 0.3
    first = torch.tensor([3.0, 0.0, 0.0])[:, None, None]
    assert float(chroma_loss(later, real, first)) < 1e-12
    assert float(chroma_loss(real[:, :1] + 0.5, real[:, :1], weight)) < 1e-12, "grey has none"


def test_a_matte_is_no_colour():
    real = torch.rand(2, 4, 1, 8, 8)
    other = real.clone()
    other[:, 3] = 1 - other[:, 3]
    assert float(chroma_loss(other, real)) == 0


def test_a_hue_weighs_more_than_among_squared_errors():
    """A small thing of another hue, beside noise of the same size in brightness: only the one is told."""
    real = torch.zeros(1, 3, 1, 16, 16)
    shoe, fine = real.clone(), real.clone()
    shoe[..., 4:8, 4:9] = torch.tensor([0.2, -0.1, -0.1])[:, None, None, None]  # as bright as before
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 1, 1, 16, 16, generator=rng).expand_as(real)
    fine = fine + noise * (shoe.square().mean() / noise.square().mean()).sqrt()
    torch.testing.assert_close(F.mse_loss(shoe, real), F.mse_loss(fine, real))
    assert chroma_loss(shoe, real) > 1e6 * chroma_loss(fine, real)
    assert chroma_loss(shoe, real) > 0.8 * F.mse_loss(shoe, real)
