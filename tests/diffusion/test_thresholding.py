"""Dynamic thresholding against numpy, beyond PyTorch's limit, and what it must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from storyreel.diffusion.denoiser import Denoiser
from storyreel.diffusion.schedules import preserving
from storyreel.diffusion.thresholding import CHUNK, absolute_quantile, check_quantile, dynamic_threshold

HERE = preserving(torch.tensor(0.0, dtype=torch.float64))


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("quantile", [0.01, 0.5, 0.9, 0.995, 0.99951, 1.0])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 3e8])
@pytest.mark.parametrize("count", [1, 2, 17, 30_001])
def test_the_quantile_is_numpys(count, scale, quantile):
    x = draw(count) * scale
    wanted = np.quantile(np.abs(x.numpy().astype(np.float64)), quantile)
    assert float(absolute_quantile(x, quantile)) == pytest.approx(wanted, rel=1e-6)


def test_the_quantile_of_few_different_values():
    x = torch.tensor([0.0, -0.0, -2, 2, 2, 2, 5, -1e30])
    for quantile in (0.1, 0.25, 0.5, 0.75, 0.8, 1.0):
        wanted = np.quantile(np.abs(x.double().numpy()), quantile)
        assert float(absolute_quantile(x, quantile)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype):
    x = (draw(5000) * 2).to(dtype)
    wanted = np.quantile(np.abs(x.double().numpy()), 0.995)
    assert float(absolute_quantile(x, 0.995)) == pytest.approx(wanted, rel=1e-6)
    assert dynamic_threshold(x[None]).dtype == dtype


def test_more_values_than_torch_can_take():
    """A ramp, shuffled by chunks: its quantile is known, and a float32 count would have stopped at 2^24."""
    count = 2**24 + 12_345
    x = torch.zeros(count, dtype=torch.float16)
    x[: count // 4] = 2
    x[: count // 100] = -8
    with pytest.raises(RuntimeError, match="too large"):
        torch.quantile(x.float(), 0.5)
    assert float(absolute_quantile(x, 0.5)) == 0
    assert float(absolute_quantile(x, 0.8)) == 2
    assert float(absolute_quantile(x, 0.995)) == 8
    assert float(dynamic_threshold(x[None], 0.995)[0, -1]) == 0
    assert float(dynamic_threshold(x[None], 0.995)[0, count // 50]) == 0.25


def test_chunks_do_not_show():
    x = draw(2, CHUNK + 1001)
    assert torch.equal(absolute_quantile(x, 0.9), absolute_quantile(x.flip(1).T, 0.9))


def test_the_formula():
    x = draw(3, 3, 4, 8, 8) * torch.tensor([0.5, 2.0, 7.0]).view(3, 1, 1, 1, 1)
    made = dynamic_threshold(x, 0.9)
    for one, other in zip(x.numpy(), made.numpy(), strict=True):
        s = max(1.0, np.quantile(np.abs(one), 0.9))
        np.testing.assert_allclose(other, np.clip(one, -s, s) / s, rtol=1e-5, atol=1e-6)
    assert float(made.abs().max()) <= 1


def test_no_effect_below_one():
    x = draw(2, 3, 4, 8, 8).clamp(-1, 1)
    assert torch.equal(dynamic_threshold(x), x)
    few = x.clone()
    few[0, 0, 0, 0, 0] = 9  # below the quantile's share: clipped, nothing scaled
    assert torch.equal(dynamic_threshold(few), few.clamp(-1, 1))


def test_one_scale_a_clip_and_not_a_frame():
    x = draw(1, 3, 4, 16, 16).clamp(-1, 1) * torch.tensor([1.0, 1, 1, 4]).view(1, 1, 4, 1, 1)
    made = dynamic_threshold(x, 0.95)
    ratio = float(made[0, 0, 0, 0, 0] / x[0, 0, 0, 0, 0])
    assert ratio < 1
    torch.testing.assert_close(made[:, :, :3], x[:, :, :3] * ratio)  # a bright frame dims all of them alike


def test_a_clip_does_not_know_its_batch():
    x = draw(3, 3, 2, 9, 9) * 3
    assert torch.equal(dynamic_threshold(x)[1:2], dynamic_threshold(x[1:2]))
    assert torch.equal(dynamic_threshold(x), dynamic_threshold(x))


def test_a_denoiser_clips_or_scales_or_leaves_what_its_network_predicts():
    def net(entered: torch.Tensor, logsnr: torch.Tensor, cond: None) -> torch.Tensor:
        return 2 * entered

    x = draw(2, 3, 2, 9, 9) * 3
    assert torch.equal(Denoiser(net, predict="x", threshold=0)(x, HERE), (2 * x).clamp(-1, 1))
    assert torch.equal(Denoiser(net, predict="x", threshold=0.9)(x, HERE), dynamic_threshold(2 * x, 0.9))
    assert torch.equal(Denoiser(net, predict="x")(x, HERE), 2 * x)
    with pytest.raises(ValueError, match="quantile: expected more than 0 and at most 1"):
        Denoiser(net, threshold=1.01)
    with pytest.raises(ValueError, match="quantile: expected more than 0 and at most 1"):
        check_quantile(0.0)


def test_nan_stays_for_the_sampler_to_find():
    x = draw(1, 3, 2, 9, 9)
    x[0, 0, 0, 0, 0] = torch.nan
    assert bool(dynamic_threshold(x).isnan().any())
