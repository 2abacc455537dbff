"""Quantisers: there and back, and what learns."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from storyreel.nn.quantize import FiniteScalarQuantizer, Quantizer, VectorQuantizer


def make(kind: str) -> Quantizer:
    torch.manual_seed(0)
    return VectorQuantizer(16, 32, 4) if kind == "vq" else FiniteScalarQuantizer(16, (5, 4, 2))


@pytest.mark.parametrize("kind", ["vq", "fsq"])
def test_lookup_gives_what_forward_gave(kind: str):
    quantize, x = make(kind), torch.randn(3, 7, 16)
    out, codes, loss = quantize(x)
    assert codes.shape == (3, 7, len(quantize.sizes))
    assert codes.dtype == torch.int64
    assert loss.shape == ()
    torch.testing.assert_close(quantize.lookup(codes), out, atol=1e-5, rtol=1e-5)
    for digit, size in enumerate(quantize.sizes):
        assert 0 <= codes[..., digit].min() <= codes[..., digit].max() < size


@pytest.mark.parametrize("kind", ["vq", "fsq"])
def test_gradients_pass_straight_through(kind: str):
    quantize, x = make(kind), torch.randn(5, 16, requires_grad=True)
    quantize(x)[0].square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.any() for p in (quantize.down.weight, quantize.up.weight))


def test_the_nearest_entry_is_taken_and_the_loss_is_the_papers():
    quantize, x = make("vq"), torch.randn(50, 16)
    assert isinstance(quantize, VectorQuantizer)
    _, codes, loss = quantize(x)
    z, book = F.normalize(quantize.down(x), dim=-1), F.normalize(quantize.codebook, dim=-1)
    distance = torch.cdist(z, book)
    assert codes[:, 0].equal(distance.argmin(-1))
    torch.testing.assert_close(loss, 1.25 * F.mse_loss(z, book[codes[:, 0]]))  # codebook term and beta 0.25


def test_the_loss_moves_both_the_entry_and_the_encoder():
    quantize = make("vq")
    assert isinstance(quantize, VectorQuantizer)
    quantize(torch.randn(5, 16))[2].backward()
    assert quantize.codebook.grad is not None
    assert quantize.down.weight.grad is not None
    assert quantize.codebook.grad.any()
    assert quantize.down.weight.grad.any()


def test_bfloat16_does_not_choose_another_entry():
    """Given the same projection, autocast must not blur which entry is nearest."""
    torch.manual_seed(0)
    quantize = VectorQuantizer(8, 4096, 8)
    quantize.down = torch.nn.Identity()  # type: ignore[assignment]
    x = torch.randn(500, 8)
    codes = quantize(x)[1]
    with torch.autocast("cpu", torch.bfloat16):
        assert quantize(x)[1].equal(codes)


def test_every_level_can_be_reached():
    quantize = make("fsq")
    assert isinstance(quantize, FiniteScalarQuantizer)
    quantize.down.weight.data.zero_()
    for bias, wanted in ((-20.0, [0, 0, 0]), (20.0, [4, 3, 1])):
        quantize.down.bias.data.fill_(bias)
        assert quantize(torch.zeros(1, 16))[1].tolist() == [wanted]


def test_a_digit_of_one_level_is_refused():
    with pytest.raises(ValueError, match="levels: expected at least 2"):
        FiniteScalarQuantizer(16, (4, 1))
