"""The Frechet distance against closed forms and scipy; what is gathered in pieces equals the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from storyreel.evaluate.frechet import STRIP, frechet_distance, frechet_of_moments, traces
from storyreel.evaluate.moments import Moments


def drawn(n: int, d: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    spectrum = torch.arange(1, d + 1).float().rsqrt()
    turn = torch.linalg.qr(torch.randn(d, d, generator=rng))[0]
    return torch.randn(n, d, generator=rng) * spectrum @ turn * scale + shift


def by_scipy(x: torch.Tensor, y: torch.Tensor, ddof: int) -> float:
    linalg = pytest.importorskip("scipy.linalg")
    a, b = x.double().numpy(), y.double().numpy()
    s1, s2 = np.cov(a.T, ddof=ddof), np.cov(b.T, ddof=ddof)
    root = linalg.sqrtm(s1 @ s2)
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root).real)


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize(("n", "m", "d"), [(300, 250, 40), (60, 300, 48), (49, 52, 48)])
def test_it_is_what_scipy_says(n: int, m: int, d: int, ddof: int):
    x, y = drawn(n, d, 1), drawn(m, d, 2, scale=1.3, shift=0.2)
    assert frechet_distance(x, y, ddof=ddof) == pytest.approx(by_scipy(x, y, ddof), rel=1e-8)


@pytest.mark.parametrize(("n", "m", "d"), [(40, 40, 64), (40, 500, 64), (500, 30, 64), (20, 20, 300)])
def test_both_forms_agree_where_covariances_are_singular(n: int, m: int, d: int):
    x, y = drawn(n, d, 3), drawn(m, d, 4, shift=0.1)
    straight = frechet_distance(x, y)
    assert straight == pytest.approx(frechet_of_moments(Moments.of(x), Moments.of(y)), rel=1e-8)
    assert frechet_distance(y, x) == pytest.approx(straight, rel=1e-8)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_more_clips_than_one_strip_of_the_product(threads: int):
    """And with two threads, where one of them rests: the number stays what it was."""
    x, y = drawn(2 * STRIP + 40, 700, 1).double(), drawn(2 * STRIP + 90, 700, 2, scale=1.2, shift=0.1).double()
    kept, before = x.clone(), torch.get_num_threads()
    a, b = ((f - f.mean(0)) / (len(f) - 1) ** 0.5 for f in (x, y))
    both = a.square().sum() + b.square().sum() - 2 * torch.linalg.svdvals(a @ b.T).sum()
    wanted = float((x.mean(0) - y.mean(0)).square().sum() + both)
    torch.set_num_threads(threads)
    try:
        assert frechet_distance(x, y) == pytest.approx(wanted, rel=1e-10)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(x, kept)


def test_gaussians_with_a_known_distance():
    """Commuting covariances: sum of (sqrt l1 - sqrt l2)^2."""
    l1, l2 = torch.linspace(0.1, 2, 30).double(), torch.linspace(3, 0, 30).double()
    turn = torch.linalg.qr(torch.randn(30, 30, generator=torch.Generator().manual_seed(0)).double())[0]
    both, root = traces(turn * l1 @ turn.T, turn * l2 @ turn.T)
    assert float(both - 2 * root) == pytest.approx(float((l1.sqrt() - l2.sqrt()).square().sum()), rel=1e-10)


def test_a_shift_alone_is_its_square():
    x = drawn(200, 12, 5).double()
    assert frechet_distance(x, x + 0.5) == pytest.approx(12 * 0.25, rel=1e-9)


@pytest.mark.parametrize(("n", "d"), [(200, 16), (16, 200)])
def test_a_set_with_itself_is_nothing(n: int, d: int):
    x = drawn(n, d, 6)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-8 * float(x.square().sum() / n))


def test_dead_features_and_repeated_clips():
    x, y = drawn(300, 40, 7), drawn(300, 40, 8, scale=1.2)
    dead = torch.zeros(300, 25)
    alive = frechet_distance(x, y)
    assert frechet_distance(torch.cat([x, dead], 1), torch.cat([y, dead + 1], 1)) == pytest.approx(alive + 25, rel=1e-9)
    few, other = drawn(6, 90, 9).repeat(10, 1), drawn(60, 90, 10)
    once = frechet_distance(few[:6], other, ddof=0)
    assert frechet_distance(few, other, ddof=0) == pytest.approx(once, rel=1e-9)
    same = torch.ones(10, 30)
    assert frechet_distance(same, same) == 0


def test_pieces_in_any_order_give_the_whole():
    whole = torch.randint(-50, 50, (210, 9), generator=torch.Generator().manual_seed(0)).float()
    pieces = [Moments.of(part) for part in whole.split([100, 3, 7, 100])]
    gathered = Moments.empty(9)
    for piece in reversed(pieces):
        gathered.merge(piece)
    at_once = Moments.of(whole)
    assert gathered.n == 210
    assert torch.equal(gathered.total, at_once.total)
    assert torch.equal(gathered.outer, at_once.outer)
    x = drawn(100, 9, 11)
    halves = Moments.of(x[:37])
    halves.merge(Moments.of(x[37:]))
    torch.testing.assert_close(halves.covariance(), torch.cov(x.T.double()), rtol=1e-12, atol=1e-12)


def test_bad_features_are_named():
    x = drawn(20, 4, 12)
    broken = x.clone()
    broken[3, 1] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity in 1 of 20 rows, the first is row 3"):
        frechet_distance(broken, x)
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(x[:1], x)
    with pytest.raises(ValueError, match=r"expected two of \(n, d\)"):
        frechet_distance(x, drawn(20, 5, 1))
    with pytest.raises(ValueError, match="cannot merge 5 of them with 4"):
        Moments.of(x).merge(Moments.empty(5))
