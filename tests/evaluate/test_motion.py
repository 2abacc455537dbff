"""Motion measures on pictures whose movement is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from storyreel.evaluate.motion import dynamic, flicker, jitter, measures_of, sticking
from storyreel.nn.flow import blurred, flow_of


def texture(side: int = 160, seed: int = 0, soft: int = 5) -> torch.Tensor:
    """A smooth random picture (side, side), 0 to 255."""
    noise = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(seed))
    x = blurred(noise, soft)[0, 0]
    return (x - x.min()) / (x.max() - x.min()) * 255


def panned(shifts: list[tuple[float, float]], side: int = 64) -> torch.Tensor:
    """uint8 (t, side, side, 3): a window that slides over a texture, so that its content moves by `shifts`."""
    whole, frames = texture(), []
    spectrum = torch.fft.fft2(whole)
    fy, fx = torch.fft.fftfreq(len(whole))[:, None], torch.fft.fftfreq(len(whole))[None]
    for dx, dy in shifts:
        moved = torch.fft.ifft2(spectrum * torch.exp(-2j * math.pi * (fx * dx + fy * dy))).real
        frames.append(moved[40 : 40 + side, 40 : 40 + side])
    return torch.stack(frames)[..., None].expand(-1, -1, -1, 3).clamp(0, 255).round().byte()


@pytest.mark.parametrize("by", [(1.0, 0.0), (0.3, -0.6), (-4.0, 2.5), (5.0, 5.0)])
def test_flow_finds_a_movement_to_a_tenth_of_a_pixel(by: tuple[float, float]):
    flow = flow_of(panned([(0, 0), by]))
    inner = flow.by[0, :, 12:-12, 12:-12]
    assert inner.mean((1, 2)).tolist() == pytest.approx(by, abs=0.1)
    assert float(flow.texture[0, 12:-12, 12:-12].mean()) > 0.3


def test_a_flat_clip_has_no_flow_and_says_that_nobody_can_tell():
    flow = flow_of(torch.full((3, 32, 32, 3), 90, dtype=torch.uint8))
    assert float(flow.by.abs().max()) == 0
    assert float(flow.texture.max()) == 0
    assert math.isnan(jitter(flow))


def test_steady_motion_does_not_jitter_and_unsteady_does():
    steady = panned([(1.5 * t, 0.5 * t) for t in range(8)])
    unsteady = panned([(1.5 * t + (t % 2), 0.5 * t) for t in range(8)])  # back and forth by one pixel
    assert jitter(flow_of(steady)) < 0.4
    assert jitter(flow_of(unsteady)) == pytest.approx(2 / 64 * 100, rel=0.15)  # a second difference of two pixels


def test_dynamic_degree_tells_motion_from_standing_still():
    assert dynamic(flow_of(panned([(3.0 * t, 0) for t in range(8)]))) == 1
    assert dynamic(flow_of(panned([(0.2 * t, 0) for t in range(8)]))) == 0


def test_sticking_tells_detail_that_moves_from_detail_that_stays():
    rng = np.random.default_rng(0)
    detail = torch.from_numpy(rng.normal(0, 25, (160, 160))).float()
    coarse = texture(soft=15)

    def clip(stick: bool, boil: bool = False) -> torch.Tensor:
        frames = []
        for t in range(6):
            own = torch.from_numpy(rng.normal(0, 25, (64, 64))).float() if boil else None
            at = 80 - 2 * t
            fine = own if own is not None else detail[40:104, 40:104] if stick else detail[40:104, at : at + 64]
            frames.append(coarse[40:104, at : at + 64] * 0.7 + 35 + fine)
        return torch.stack(frames)[..., None].expand(-1, -1, -1, 3).clamp(0, 255).round().byte()

    assert sticking(clip(stick=False)) < 0.35
    assert sticking(clip(stick=True)) > 0.75
    assert 0.4 < sticking(clip(stick=False, boil=True)) < 0.6
    assert math.isnan(sticking(torch.full((3, 32, 32, 3), 90, dtype=torch.uint8)))


def test_flicker_is_vbenchs():
    frames = torch.zeros(3, 8, 8, 3, dtype=torch.uint8)
    assert flicker(frames) == 1
    frames[1] = 51
    assert flicker(frames) == pytest.approx(0.8)


def test_a_single_frame_cannot_tell():
    assert all(math.isnan(v) for v in measures_of(torch.zeros(1, 8, 8, 3, dtype=torch.uint8)).values())
    assert set(measures_of(panned([(0, 0), (1, 0), (2, 0)]))) == {
        "flicker", "jitter", "sticking", "dynamic", "smoothness", "periodicity",
    }  # fmt: skip
