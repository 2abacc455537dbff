"""Layers without aliasing: against the reference formula, and that they move with what they are given."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from storyreel.nn.alias_free import (
    Band,
    FourierFeatures,
    LowRank,
    Modulated,
    Resampling,
    filtered_leaky_relu,
    low_pass,
)

COARSE, FINE = Band(side=14, rate=8, cutoff=2.0, half_width=2.5), Band(side=22, rate=16, cutoff=6.0, half_width=3.0)


FILTERS = [(12, 2.0, 5.0, 16.0), (24, 8.0, 6.0, 64.0), (12, 30.0, 20.0, 128.0)]


@pytest.mark.parametrize(("taps", "cutoff", "width", "rate"), FILTERS)
def test_the_filter_is_scipys(taps: int, cutoff: float, width: float, rate: float):
    from scipy.signal import firwin

    assert low_pass(taps, cutoff, width, rate) == pytest.approx(firwin(taps, cutoff, width=width, fs=rate), abs=1e-12)


def reference(x: torch.Tensor, spec: Resampling) -> torch.Tensor:
    """Zeros between the pixels, one filter in two dimensions, leaky ReLU, another one, one pixel in `down` kept."""
    up, down = (torch.from_numpy(np.outer(f, f)) for f in (spec.up_filter(), spec.down_filter()))
    c = x.shape[1]
    y = F.conv_transpose2d(x, up.expand(c, 1, -1, -1) * spec.up**2, stride=spec.up, groups=c)
    room = spec.side - y.shape[-1]  # both grids share their middle
    assert room % 2 == 0
    y = F.leaky_relu(F.pad(y, [room // 2] * 4), 0.2) * math.sqrt(2)
    return F.conv2d(y, down.expand(c, 1, -1, -1), stride=spec.down, groups=c)


@pytest.mark.parametrize(
    ("before", "after"), [(COARSE, FINE), (FINE, FINE), (FINE, COARSE)], ids=["up", "same", "down"]
)
def test_polyphase_is_the_reference_formula(before: Band, after: Band):
    x = torch.randn(2, 3, before.side, before.side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    spec = Resampling(before, after)
    assert torch.allclose(filtered_leaky_relu(x, spec), reference(x, spec), atol=1e-12)


def test_float32_is_close_to_float64_and_differentiated_twice():
    x = torch.randn(1, 2, COARSE.side, COARSE.side, generator=torch.Generator().manual_seed(1), requires_grad=True)
    spec = Resampling(COARSE, FINE)
    y = filtered_leaky_relu(x, spec)
    assert torch.allclose(y.double(), reference(x.double(), spec), atol=1e-5)
    (first,) = torch.autograd.grad((y**2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x)
    assert second.isfinite().all()


def test_it_moves_with_its_input_and_a_plain_one_sticks():
    """A wave moved by a third of a pixel: filtered and moved is moved and filtered; without filters it is not."""
    wide = Band(side=64, rate=64, cutoff=20.0, half_width=12.0)
    spec = Resampling(wide, wide)
    at = (torch.arange(64, dtype=torch.float64) + 0.5) / 64

    def wave(shift: float) -> torch.Tensor:
        return torch.sin(2 * math.pi * 14 * (at - shift / 64)).expand(64, 64)[None, None]

    def moved(x: torch.Tensor, shift: float) -> torch.Tensor:
        spectrum = torch.fft.fft(x, dim=-1)
        waves = torch.fft.fftfreq(64, dtype=torch.float64)
        return torch.fft.ifft(spectrum * torch.exp(-2j * math.pi * waves * shift), dim=-1).real

    def off(layer) -> float:
        middle = (..., slice(20, 44), slice(20, 44))
        difference = layer(wave(1 / 3)) - moved(layer(wave(0.0)), 1 / 3)
        return float(difference[middle].std() / layer(wave(0.0))[middle].std())

    assert off(lambda x: filtered_leaky_relu(x, spec)) < 0.04
    assert off(lambda x: F.leaky_relu(x, 0.2)) > 0.1


def test_scaling_activations_is_scaling_weights():
    torch.manual_seed(0)
    layer = Modulated(5, 7, 3, 4)
    x, style = torch.randn(3, 5, 8, 8), torch.randn(3, 4)
    s = F.linear(style, layer.style * layer.style_scale, layer.style_bias)
    weight = layer.weight[None] * layer.scale * s[:, None, :, None, None]
    weight = weight / (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    grouped = F.conv2d(x.reshape(1, 15, 8, 8), weight.flatten(0, 1), padding=1, groups=3).view(3, 7, 8, 8)
    assert torch.allclose(layer(x, style), grouped, atol=1e-5)


def test_low_rank_weights_add_nothing_at_first_and_learn():
    torch.manual_seed(0)
    layer = LowRank(5, 7, 3, 4, rank=2)
    x, motion = torch.randn(3, 5, 8, 8), torch.randn(3, 4)
    assert not layer(x, motion).any()
    wanted, optimizer = torch.randn(3, 7, 8, 8), torch.optim.Adam(layer.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        loss = (layer(x, motion) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_fourier_features_turn_and_move():
    torch.manual_seed(0)
    layer = FourierFeatures(Band(side=16, rate=16, cutoff=2.0, half_width=2.0), 6, 3)
    style = torch.zeros(1, 3)
    still = layer.waves(style)
    with torch.no_grad():
        layer.transform.bias.copy_(torch.tensor([1.0, 0.0, 2 / 16, 0.0]))  # two pixels
    assert torch.allclose(layer.waves(style)[..., :-2], still[..., 2:], atol=1e-4)
    with torch.no_grad():
        layer.transform.bias.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))  # a quarter
    assert torch.allclose(layer.waves(style), still.rot90(1, (2, 3)), atol=1e-4) or torch.allclose(
        layer.waves(style), still.rot90(-1, (2, 3)), atol=1e-4
    )
