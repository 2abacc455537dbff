"""KID (Binkowski et al. 2018) and, on features of clips, KVD: a squared distance without the bias of few samples."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from storyreel.evaluate.moments import check_finite

SUBSETS, SUBSET_SIZE = 100, 1000
PART = 1024  # rows of a kernel matrix that are there at once
LARGEST = 4096  # vectors a side that enter the interval; the value uses all of them


def kernel_distance(
    x: Tensor, y: Tensor, *, seed: int = 0, subsets: int = SUBSETS, size: int = SUBSET_SIZE
) -> tuple[float, float]:
    """Mean and standard deviation over subsets of the unbiased MMD^2 of features (n, d) and (m, d).

    About 0 for sets of one kind (it may be below), and up; lower is better. Means something from 100 vectors on.
    The kernel is (x . y / d + 1)^3. The value is *not* multiplied by 1000, as the StyleGAN code and many papers do.
    `size` vectors a subset, without replacement; where a side has no more than that, all of it, and no deviation.
    """
    for features in (x, y):
        check_finite(features)
        if len(features) < 2:
            raise ValueError(f"features: a kernel distance needs at least 2 vectors a side, got {len(features)}")
    a, b = (f.detach().to("cpu", torch.float64) for f in (x, y))
    n, m = min(size, len(a)), min(size, len(b))
    if n == len(a) and m == len(b):
        return mmd2(a, b), 0.0
    rng = torch.Generator().manual_seed(seed)
    picks = [
        (torch.randperm(len(a), generator=rng)[:n], torch.randperm(len(b), generator=rng)[:m]) for _ in range(subsets)
    ]
    if _pairs(len(a), len(b)) < subsets * _pairs(n, m):
        found = _of_subsets(a, b, picks)
    else:
        found = torch.tensor([mmd2(a[i], b[j]) for i, j in picks], dtype=torch.float64)
    return float(found.mean()), float(found.std())


def _pairs(n: int, m: int) -> int:
    """How often `mmd2` of so many vectors asks the kernel."""
    return n * n + m * m + n * m


def _of_subsets(a: Tensor, b: Tensor, picks: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """`mmd2` of each pair of subsets, float64 (subsets,), with the kernel of each pair of vectors computed once.

    The sum of a kernel matrix over a subset is w^T K w, w being 1 at what is in it: for all subsets one product.
    """
    (n, m), (wa, wb) = map(len, picks[0]), (torch.zeros(len(f), len(picks), dtype=torch.float64) for f in (a, b))
    for column, (i, j) in enumerate(picks):
        wa[i, column] = wb[j, column] = 1
    aa, bb = (_sums(f, f, w, w) - _own(f) @ w for f, w in ((a, wa), (b, wb)))
    return aa / (n * (n - 1)) + bb / (m * (m - 1)) - 2 * _sums(a, b, wa, wb) / (n * m)


def _sums(a: Tensor, b: Tensor, wa: Tensor, wb: Tensor) -> Tensor:
    """wa^T K wb of each column of the weights, K never whole in memory."""
    parts = zip(a.split(PART), wa.split(PART), strict=True)
    return torch.stack([(w * (kernel(part, b) @ wb)).sum(0) for part, w in parts]).sum(0)


def _own(a: Tensor) -> Tensor:
    """The kernel of each vector with itself."""
    return (a.square().mean(1) + 1) ** 3


def mmd2(a: Tensor, b: Tensor) -> float:
    """The unbiased estimate of MMD^2 from float64 (n, d) and (m, d): pairs of a vector with itself are left out."""
    aa, bb, ab = kernel(a, a), kernel(b, b), kernel(a, b)
    n, m = len(a), len(b)
    within = (aa.sum() - aa.trace()) / (n * (n - 1)) + (bb.sum() - bb.trace()) / (m * (m - 1))
    return float(within - 2 * ab.mean())


def kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T).div_(a.shape[1]).add_(1).pow_(3)


def kernel_influence(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """How much each vector moves MMD^2, per unit of its weight: float64 (n,) and (m,), each of mean 0.

    From at most `LARGEST` vectors of the other side, evenly spaced.
    """
    a, b = (f.detach().to("cpu", torch.float64) for f in (x, y))
    return _influence(a, b), _influence(b, a)


def _influence(a: Tensor, b: Tensor) -> Tensor:
    some_a, some_b = (f[:: -(-len(f) // LARGEST)] for f in (a, b))
    means = [2 * (kernel(part, some_a).mean(1) - kernel(part, some_b).mean(1)) for part in a.split(1024)]
    found = torch.cat(means)
    return found - found.mean()
