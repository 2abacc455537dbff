"""Intervals hold what they promise; the bias of few clips is what theory and the published measurement say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from storyreel.evaluate.frechet import frechet_distance
from storyreel.evaluate.uncertainty import (
    Features,
    bootstrap_frechet,
    clustered_mean,
    expected_bias,
    extrapolate,
    frechet_influence,
    interval_of_influence,
)


def drawn(n: int, d: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> torch.Tensor:
    x = torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double()
    return x * torch.arange(1, d + 1).double().rsqrt() * scale + shift


@pytest.mark.parametrize(("n", "share"), [(1024, 0.0835), (2048, 0.0419), (4096, 0.0210)])
def test_the_expected_bias_is_the_measured_one(n: int, share: float):
    """Two samples of a Gaussian of 400 features whose variances are 1/k: the distance as a share of tr S."""
    variances = 1 / torch.arange(1, 401).double()
    exact = torch.diag(variances.sqrt())
    plus_minus = torch.cat([exact, -exact]) * 400**0.5  # its covariance, by 2 * 400 - 1, is very nearly diag
    bias = expected_bias(plus_minus, n, n)
    assert bias / float(variances.sum()) == pytest.approx(share, rel=0.03)


def test_the_expected_bias_of_samples_is_near_what_they_show():
    found = [frechet_distance(drawn(600, 20, 2 * i), drawn(900, 20, 2 * i + 1)) for i in range(20)]
    assert expected_bias(drawn(900, 20, 99), 600, 900) == pytest.approx(float(np.mean(found)), rel=0.1)


def test_an_endless_number_of_clips_has_no_bias():
    pairs = [(drawn(600, 20, 2 * i), drawn(600, 20, 2 * i + 1)) for i in range(6)]
    at_600 = float(np.mean([frechet_distance(x, y) for x, y in pairs]))
    endless = [extrapolate(Features.of(x), Features.of(y)) for x, y in pairs]
    assert at_600 > 0.05
    assert abs(np.mean([e for e in endless if e is not None])) < at_600 / 10  # the truth is 0
    shifted = extrapolate(Features.of(drawn(2000, 4, 1)), Features.of(drawn(2000, 4, 2, 0.5)))
    assert shifted == pytest.approx(4 * 0.25, rel=0.1)
    assert extrapolate(Features.of(drawn(40, 20, 1)), Features.of(drawn(600, 20, 2))) is None


def test_influence_is_the_change_when_a_clip_weighs_more():
    x, y = drawn(60, 8, 1), drawn(80, 8, 2, 0.3, 1.2)
    moves = frechet_influence(x, y, ddof=0)
    assert float(moves.mean()) == pytest.approx(0, abs=1e-9)
    often = x.repeat(50, 1)
    for row in (0, 17, 42):
        more = frechet_distance(torch.cat([often, x[row : row + 1]]), y, ddof=0) - frechet_distance(x, y, ddof=0)
        assert more * (len(often) + 1) == pytest.approx(float(moves[row]), rel=0.02, abs=0.01)


@pytest.mark.parametrize("by", ["bootstrap", "influence"])
def test_intervals_hold_the_distance_about_95_times_in_100(by: str):
    """The truth that an interval speaks of is the mean distance at its n, bias and all. Fixed seeds."""
    n, held, runs = 150, 0, 120 if by == "influence" else 40
    pairs = [(drawn(n, 6, 2 * i), drawn(n, 6, 2 * i + 1, 0.3, 1.1)) for i in range(runs)]
    values = [frechet_distance(x, y) for x, y in pairs]
    for (x, y), value in zip(pairs, values, strict=True):
        if by == "bootstrap":
            low, high = bootstrap_frechet(Features.of(x), Features.of(y), value, resamples=40)
        else:
            interval = interval_of_influence(value, frechet_influence(x, y), frechet_influence(y, x))
            assert interval is not None
            low, high = interval
        held += low <= np.mean(values) <= high
    assert 0.86 <= held / len(pairs) <= 1.0


def test_a_plain_bootstrap_would_be_too_high_and_ours_is_not():
    x, y = drawn(100, 12, 1), drawn(100, 12, 2)
    value = frechet_distance(x, y)
    low, high = bootstrap_frechet(Features.of(x), Features.of(y), value)
    assert low <= value <= high
    rng = np.random.default_rng(0)
    picks = [(rng.integers(100, size=100), rng.integers(100, size=100)) for _ in range(30)]
    assert np.mean([frechet_distance(x[i], y[j]) for i, j in picks]) > 1.5 * value


def test_frames_of_one_clip_are_one_sample():
    """16 equal frames a clip say no more than one: the interval is as wide."""
    x, y = drawn(80, 4, 1), drawn(80, 4, 2, 0.5)
    value = frechet_distance(x, y, ddof=0)
    one = bootstrap_frechet(Features.of(x), Features.of(y), value, ddof=0)
    frames = [Features.of(v[:, None].expand(-1, 16, -1)) for v in (x, y)]
    assert frechet_distance(frames[0].x, frames[1].x, ddof=0) == pytest.approx(value)
    assert bootstrap_frechet(*frames, value, ddof=0) == pytest.approx(one)


def test_clips_of_one_prompt_are_one_sample():
    values, groups = [1.0] * 50 + [0.0] * 50 + [0.5], ["a"] * 50 + ["b"] * 50 + ["c"]
    found = clustered_mean(values, groups)
    assert (found.value, found.n) == (0.5, 3)
    assert found.low is not None
    assert found.low <= 0.2
    assert clustered_mean([float("nan"), 2.0], ["a", "b"]).value == 2
