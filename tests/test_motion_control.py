"""The motion asked for against the flow measured."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from reproductions.motion_control import motion_control, rank_correlation, speed_of
from storyreel.clip import Clip


def moving(pixels: int, fps: int = 8) -> Clip:
    """A smooth texture that goes right by so many pixels a frame."""
    y, x = np.mgrid[0:48, 0:120]
    wide = 128 + 50 * np.sin(x / 5 + y / 9) + 40 * np.cos(y / 6 - x / 11)
    frames = [np.repeat(wide[:, 40 - i * pixels :][:, :48, None], 3, 2) for i in range(4)]
    return Clip(np.stack(frames).astype(np.uint8), Fraction(fps))


def test_speed_is_in_pixels_a_second():
    assert speed_of(moving(0)) == pytest.approx(0, abs=0.5)
    assert speed_of(moving(1)) == pytest.approx(8, rel=0.3)
    assert speed_of(moving(2, fps=16)) == pytest.approx(2 * speed_of(moving(2)))
    assert speed_of(Clip(moving(2).frames[:1])) == 0


def test_what_moves_as_asked_correlates_and_what_does_not_does_not():
    clips = [moving(pixels) for pixels in (0, 1, 2, 3)]
    found = motion_control([0, 85, 170, 255], clips)
    assert found.value == pytest.approx(1)
    assert found.n == 4
    assert motion_control([255, 170, 85, 0], clips).value == pytest.approx(-1)
    assert not np.isfinite(motion_control([127, 127, 127, 127], clips).value)
    with pytest.raises(ValueError, match="expected one for each number asked for"):
        motion_control([1, 2, 3], clips)


def test_ranks_are_those_of_scipy():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 5, 30).tolist(), rng.normal(size=30).tolist()
    assert rank_correlation(one, other).value == pytest.approx(float(spearmanr(one, other).statistic))
