"""The discriminator: sizes, blur, spread over the batch, equalised weights."""

from __future__ import annotations

import pytest
import torch

from storyreel.nn.discriminator import Conv, Discriminator, DownBlock, blur, with_spread


@pytest.mark.parametrize("size", [4, 16, 24, 30])
@pytest.mark.parametrize("equalized", [False, True])
def test_any_size_gives_a_score_a_picture(size, equalized):
    torch.manual_seed(0)
    net = Discriminator(size, channels=4, width=8, equalized=equalized)
    score = net(torch.randn(6, 4, size, size))
    assert score.shape == (6,)
    assert 0.02 < score.std() < 20  # neither vanished nor blown up
    score.sum().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())


def test_widths_are_stylegan2s():
    """Channel multiplier 1: 512 channels up to 32 pixels, then half at each doubling; as 128x128 has it."""
    with torch.device("meta"):
        net = Discriminator(128)
    widths = [tuple(b.conv2.weight.shape[:2]) for b in net.blocks if isinstance(b, DownBlock)]
    assert net.from_pixels.weight.shape == (128, 3, 1, 1)
    assert widths == [(256, 128), (512, 256), (512, 512), (512, 512), (512, 512)]
    assert net.mix.weight.shape == (512, 513, 3, 3)
    assert net.hidden.weight.shape == (512, 512 * 4 * 4)


def test_blur_keeps_the_mean_and_spreads_1331():
    point = torch.zeros(1, 1, 7, 7)
    point[..., 3, 3] = 64
    line = torch.tensor([1.0, 3.0, 3.0, 1.0])
    torch.testing.assert_close(blur(point, 3)[0, 0].sum(), torch.tensor(64.0))
    torch.testing.assert_close(blur(point, 2)[0, 0, 2:6, 2:6], line[:, None] * line)


def test_spread_tells_equal_pictures_from_different_ones():
    same, different = torch.ones(4, 2, 3, 3), torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    assert with_spread(same, 4).shape == (4, 3, 3, 3)
    assert with_spread(same, 4)[:, 2].max() < 1e-3
    torch.testing.assert_close(
        with_spread(different, 4)[0, 2, 0, 0], different.var(0, correction=0).sqrt().mean(), rtol=1e-4, atol=1e-5
    )
    assert with_spread(different[:3], 2).shape == (3, 3, 3, 3)  # three do not go by twos


def test_equalised_weights_have_size_one_and_the_same_effect():
    torch.manual_seed(0)
    plain = Conv(16, 8, 3)
    torch.manual_seed(0)
    equal = Conv(16, 8, 3, equalized=True)
    x = torch.randn(1, 16, 5, 5)
    assert 0.9 < equal.weight.std() < 1.1
    torch.testing.assert_close(plain(x), equal(x))
