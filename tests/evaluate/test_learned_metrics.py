"""Kernel distances, the Inception Score, CLIPSIM and its kin, PSNR and SSIM, against slow or closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from storyreel.evaluate.clipsim import by_prompt, clipsim, r_precision, relative_matching
from storyreel.evaluate.inception_score import inception_score
from storyreel.evaluate.kernel import kernel_distance, kernel_influence, mmd2
from storyreel.evaluate.reconstruction import psnr, ssim


def rows(n: int, d: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double() + shift


def test_kernel_distance_is_the_sum_over_pairs():
    x, y = rows(12, 5, 1).numpy(), rows(9, 5, 2, 0.4).numpy()

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / 5 + 1) ** 3)

    within = [np.mean([k(a, b) for i, a in enumerate(s) for j, b in enumerate(s) if i != j]) for s in (x, y)]
    across = np.mean([k(a, b) for a in x for b in y])
    wanted = sum(within) - 2 * across
    assert mmd2(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(wanted, rel=1e-10)
    assert kernel_distance(torch.from_numpy(x), torch.from_numpy(y)) == (pytest.approx(wanted, rel=1e-10), 0.0)


def test_kernel_distance_has_no_bias_and_its_subsets_agree_with_all():
    same = [kernel_distance(rows(60, 8, 2 * i), rows(60, 8, 2 * i + 1))[0] for i in range(60)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 60**0.5
    x, y = rows(500, 8, 1), rows(400, 8, 2, 0.3)
    value, deviation = kernel_distance(x, y, size=200)
    assert value == pytest.approx(mmd2(x, y), abs=deviation)
    assert kernel_distance(x, y, size=200) == (value, deviation)  # seeded
    with pytest.raises(ValueError, match="at least 2"):
        kernel_distance(x[:1], y)


@pytest.mark.parametrize(("n", "m"), [(300, 250), (40, 260)])
def test_subsets_from_one_kernel_matrix_are_the_subsets_one_by_one(n: int, m: int, monkeypatch: pytest.MonkeyPatch):
    from storyreel.evaluate import kernel

    monkeypatch.setattr(kernel, "PART", 64)
    x, y = rows(n, 8, 1), rows(m, 8, 2, 0.3)
    together = kernel_distance(x, y, size=90, subsets=40)
    assert kernel._pairs(n, m) < 40 * kernel._pairs(min(n, 90), 90)
    rng = torch.Generator().manual_seed(0)
    size = min(n, 90)
    each = [
        mmd2(x[torch.randperm(n, generator=rng)[:size]], y[torch.randperm(m, generator=rng)[:90]]) for _ in range(40)
    ]
    assert together == (pytest.approx(np.mean(each), rel=1e-10), pytest.approx(np.std(each, ddof=1), rel=1e-8))


def test_kernel_influence_is_the_change_when_a_vector_leaves():
    x, y = rows(80, 6, 1), rows(90, 6, 2, 0.5)
    moves, _ = kernel_influence(x, y)
    assert float(moves.mean()) == pytest.approx(0, abs=1e-9)
    change = torch.tensor([mmd2(x, y) - mmd2(torch.cat([x[:i], x[i + 1 :]]), y) for i in range(80)]) * 79
    assert float(torch.corrcoef(torch.stack([moves, change.double()]))[0, 1]) > 0.98


def test_inception_score_of_known_answers():
    classes = 10
    sure = torch.full((1000, classes), -60.0)
    sure[torch.arange(1000), torch.arange(1000) % classes] = 60.0
    assert inception_score(sure, splits=1)[0] == pytest.approx(classes, rel=1e-6)
    assert inception_score(sure)[0] == pytest.approx(classes, rel=0.1)
    assert inception_score(torch.zeros(100, classes)) == (pytest.approx(1), pytest.approx(0))
    one = torch.full((100, classes), -60.0)
    one[:, 3] = 60.0
    assert inception_score(one)[0] == pytest.approx(1)
    with pytest.raises(ValueError, match="at least 10 rows"):
        inception_score(sure[:5])


def unit(x: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(x.double(), dim=-1)


def test_clipsim_is_the_mean_cosine_over_frames():
    frames, texts = unit(rows(3, 8, 1).reshape(3, 1, 8) + rows(24, 8, 2).reshape(3, 8, 8)), unit(rows(3, 8, 3))
    wanted = [np.mean([float(f @ t) for f in clip]) for clip, t in zip(frames, texts, strict=True)]
    assert clipsim(frames, texts).tolist() == pytest.approx(wanted)


def test_rm_is_the_mean_of_ratios_and_counts_what_it_drops():
    made = {"a": 0.2, "b": 0.3, "c": 0.1, "d": 0.4}
    found = relative_matching(made, {"a": 0.4, "b": 0.3, "c": 0.01})
    assert found.ratios == {"a": pytest.approx(0.5), "b": pytest.approx(1.0)}
    assert found.dropped == ("c",)
    with pytest.raises(ValueError, match="no prompt of these clips is a caption"):
        relative_matching(made, {"z": 1.0})
    with pytest.raises(ValueError, match=r"of 1 prompt fit no better than 0\.05"):
        relative_matching(made, {"c": 0.0})
    assert by_prompt(torch.tensor([1.0, 3.0, 5.0]), ["x", "y", "x"]) == {"x": 3, "y": 3}


def test_r_precision_of_perfect_of_blind_and_of_many():
    texts = unit(rows(400, 64, 1))
    prompts = [str(i) for i in range(400)]
    assert float(r_precision(texts, texts, prompts).mean()) == 1
    blind = float(r_precision(unit(rows(400, 64, 2)), texts, prompts).mean())
    assert blind < 0.05  # chance is 0.01
    assert float(r_precision(torch.ones(4, 8) / 8**0.5, torch.ones(4, 8) / 8**0.5, list("abcd")).sum()) == 0  # ties
    with pytest.raises(ValueError, match="at least 2 different prompts"):
        r_precision(texts[:3], texts[:3], ["same"] * 3)


def picture(seed: int) -> torch.Tensor:
    return torch.randint(0, 256, (2, 24, 20, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_psnr_and_ssim():
    a, b = picture(1), picture(2)
    wrong = float(((a.double() - b.double()) ** 2).mean())
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / wrong))
    assert psnr(a, a) == 100
    assert ssim(a, a) == pytest.approx(1)
    assert abs(ssim(a, b)) < 0.1
    grey = (a // 2 + 64).byte()
    assert 0.5 < ssim(a, grey) < 1
    with pytest.raises(ValueError, match="one length and size"):
        psnr(a, b[:1])
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(a[:, :8], b[:, :8])


def test_ssim_is_the_weighted_window_by_hand():
    """One window: 11x11 frames have a single value a colour."""
    a, b = picture(3)[:1, :11, :11], picture(4)[:1, :11, :11]
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    w = np.outer(line, line) / line.sum() ** 2
    found = []
    for c in range(3):
        x, y = a[0, ..., c].numpy().astype(float), b[0, ..., c].numpy().astype(float)
        mx, my = (w * x).sum(), (w * y).sum()
        vx, vy, xy = (w * x * x).sum() - mx**2, (w * y * y).sum() - my**2, (w * x * y).sum() - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        found.append((2 * mx * my + c1) * (2 * xy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    assert ssim(a, b) == pytest.approx(np.mean(found), rel=1e-9)
