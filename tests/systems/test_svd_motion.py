"""The motion bucket: faster clips have higher ones, and a training set fills all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from storyreel.systems.svd_motion import BUCKETS, bucket_of, flow_speed, quantiles


def moving(pixels: float, frames: int = 5, size: int = 64) -> Tensor:
    """A soft pattern that moves to the right by so many pixels a frame, (1, 3, t, h, w)."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    at = [x - pixels * i for i in range(frames)]
    pictures = [np.sin(x / 5) * np.cos(y / 6) + 0.5 * np.sin((x + y) / 9) for x in at]
    return torch.from_numpy(np.stack(pictures)).div(1.6).expand(1, 3, -1, -1, -1)


@pytest.mark.parametrize("pixels", [0.0, 0.5, 1.0, 2.0])
def test_the_speed_is_in_pixels_a_second(pixels: float):
    assert float(flow_speed(moving(pixels), 8)) == pytest.approx(8 * pixels, abs=0.35 * 8 * pixels + 0.1)
    assert float(flow_speed(moving(pixels), 16)) == pytest.approx(2 * float(flow_speed(moving(pixels), 8)))


def test_a_picture_does_not_move():
    assert flow_speed(moving(1.0, frames=1), 8).tolist() == [0.0]


def test_a_training_set_fills_all_buckets():
    speeds = torch.rand(5000, generator=torch.Generator().manual_seed(0)).square() * 9
    buckets = bucket_of(speeds, quantiles(speeds))
    assert buckets.min() >= 0
    assert buckets.max() <= BUCKETS - 1
    counts = torch.histc(buckets, 8, 0, BUCKETS)
    assert counts.tolist() == pytest.approx([5000 / 8] * 8, rel=0.05)
    assert (buckets[speeds.argsort()].diff() >= 0).all()


def test_equal_speeds_have_their_middle():
    speeds = torch.tensor([0.0] * 50 + [3.0] * 50)
    found = bucket_of(torch.tensor([0.0, 3.0, 9.0]), quantiles(speeds))
    assert found.tolist() == pytest.approx([63, 191, 255], abs=1.5)
