"""Noise laws: their distributions, the preconditioning that goes with them, and the family, which does not matter."""

from __future__ import annotations

import pytest
import torch

from storyreel.diffusion.denoiser import Denoiser
from storyreel.diffusion.noise_laws import LAWS, preserving_law
from storyreel.diffusion.parameterisation import diffuse, diffusion_loss, network_input, noise_condition
from storyreel.diffusion.schedules import Cosine, LogNormal, draw_times

LOG_NORMAL = [name for name, law in LAWS.items() if isinstance(law, LogNormal)]
TIMES = torch.linspace(0.01, 0.99, 37, dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("edm", -1.2, 1.2),  # Karras et al. 2022, Table 1
        ("svd-images", -1.2, 1.0),  # 2311.15127: D.2
        ("svd-videos", 0.0, 1.0),  # D.2, at 320x576
        ("svd-text-to-video", 0.5, 1.4),  # D.3
        ("svd-image-to-video", 0.7, 1.6),  # D.4
        ("svd-image-to-video-large", 1.0, 1.6),
        ("svd-interpolation", 1.0, 1.2),  # D.5
        ("svd-augmentation", -3.0, 0.5),  # D.4, of the picture
    ],
)
def test_the_logarithm_of_sigma_is_normal(name: str, mean: float, std: float):
    sigma = LAWS[name].level(draw_times(200_000, torch.Generator().manual_seed(0), spread=True).double()).sigma
    assert float(sigma.log().mean()) == pytest.approx(mean, abs=0.01)
    assert float(sigma.log().std()) == pytest.approx(std, abs=0.01)
    assert bool((LAWS[name].level(TIMES).alpha == 1).all())


def test_the_table_above_has_all_of_them():
    assert len(LOG_NORMAL) == 8
    assert set(LAWS) == {"cosine", *LOG_NORMAL}


@pytest.mark.parametrize("name", LOG_NORMAL)
def test_the_loss_and_the_network_are_those_of_the_paper(name: str):
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise) with the error weighed by lambda (2311.15127, Appendix D)."""
    rng = torch.Generator().manual_seed(0)
    x, noise, output = (torch.randn(37, 3, 2, 4, 4, generator=rng, dtype=torch.float64) for _ in "xnf")
    level = LAWS[name].level(TIMES)
    sigma = level.sigma.view(-1, 1, 1, 1, 1)
    z = x + sigma * noise
    torch.testing.assert_close(diffuse(x, noise, level), z)
    entered = []

    def network(entering: torch.Tensor, logsnr: torch.Tensor, cond: None) -> torch.Tensor:
        entered.extend([entering, noise_condition(logsnr)])
        return output

    denoised = z / (sigma**2 + 1) - sigma / (sigma**2 + 1).sqrt() * output
    torch.testing.assert_close(Denoiser(network)(z, level), denoised)
    torch.testing.assert_close(entered[0], z / (sigma**2 + 1).sqrt())
    torch.testing.assert_close(entered[1].double(), 0.25 * level.sigma.log(), rtol=1e-5, atol=1e-6)
    weighed = (1 + level.sigma**2) / level.sigma**2 * (denoised - x).square().flatten(1).mean(1)
    torch.testing.assert_close(diffusion_loss(output, x, noise, level).double(), weighed, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", LOG_NORMAL)
def test_a_preserving_law_trains_the_same_network(name: str):
    """It enters the same, and what it should predict is the same."""
    rng = torch.Generator().manual_seed(0)
    x, noise, output = (torch.randn(37, 3, 2, 4, 4, generator=rng, dtype=torch.float64) for _ in "xnf")
    one, other = LAWS[name].level(TIMES), preserving_law(name).level(TIMES)
    torch.testing.assert_close(other.norm, torch.ones_like(other.norm))
    torch.testing.assert_close(one.logsnr, other.logsnr)
    torch.testing.assert_close(network_input(diffuse(x, noise, one), one), diffuse(x, noise, other))
    torch.testing.assert_close(
        diffusion_loss(output, x, noise, one), diffusion_loss(output, x, noise, other), rtol=1e-4, atol=0
    )


@pytest.mark.parametrize("name", list(LAWS))
def test_a_shift_moves_every_log_snr(name: str):
    torch.testing.assert_close(preserving_law(name, -2.0).logsnr(TIMES), preserving_law(name).logsnr(TIMES) - 2)


def test_the_cosine_law_is_the_schedule_that_it_was():
    assert preserving_law("cosine", -1.4) == Cosine(shift=-1.4)
    with pytest.raises(ValueError, match=r"noise: expected one of cosine, edm, .*, got 'sine'"):
        preserving_law("sine")
