"""KID (Binkowski et al. 2018) and, on features of clips, KVD: a squared distance without the bias of few samples."""

from __future__ import annotations

import torch
from torch import Tensor

from storyreel.evaluate.moments import check_finite

SUBSETS, SUBSET_SIZE = 100, 1000
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
            raise ValueError(f"features: a kernel distance wants at least 2 vectors a side, got {len(features)}")
    a, b = (f.detach().to("cpu", torch.float64) for f in (x, y))
    n, m = min(size, len(a)), min(size, len(b))
    if n == len(a) and m == len(b):
        return mmd2(a, b), 0.0
    rng = torch.Generator().manual_seed(seed)
    found = torch.tensor(
        [
            mmd2(a[torch.randperm(len(a), generator=rng)[:n]], b[torch.randperm(len(b), generator=rng)[:m]])
            for _ in range(subsets)
        ]
    )
    return float(found.mean()), float(found.std())


def mmd2(a: Tensor, b: Tensor) -> float:
    """The unbiased estimate of MMD^2 from float64 (n, d) and (m, d): pairs of a vector with itself are left out."""
    aa, bb, ab = kernel(a, a), kernel(b, b), kernel(a, b)
    n, m = len(a), len(b)
    within = (aa.sum() - aa.trace()) / (n * (n - 1)) + (bb.sum() - bb.trace()) / (m * (m - 1))
    return float(within - 2 * ab.mean())


def kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3


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
