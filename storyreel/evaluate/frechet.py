"""The Frechet distance of two sets of features, as FVD (Unterthiner et al. 2018) and FID (Heusel et al. 2017) use it.

    |m1 - m2|^2 + tr S1 + tr S2 - 2 tr (S1 S2)^(1/2)

The last trace is the sum of the singular values of S1^(1/2) S2^(1/2), so nothing complex is ever needed. It is found
in one of two ways, in float64, whichever is the smaller problem:

    more vectors than features    eigenvalues of R^T S2 R, where S1 = R R^T      (d x d)
    fewer                         eigenvalues of M M^T, where M = X Y^T          (n x n), straight from the vectors

Both take square roots of eigenvalues, which is exact to about 1e-10 unless many of them are zero (dead features,
repeated clips); then the singular values are taken of the root itself, which costs more and is exact to 1e-14.

Of thousands of vectors, copies cost as much as sums, so what is large is worked on in place, and of symmetric matrices
only the triangle that is read is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from storyreel.evaluate.moments import Moments, check_finite

EPS = torch.finfo(torch.float64).eps
ENOUGH, CHEAP, SMALL = 1e-9, 1e-12, 512  # error of the root's trace that is let pass; for matrices up to SMALL, CHEAP
STRIP = 256  # rows of a symmetric product that are computed at once


def frechet_distance(x: Tensor, y: Tensor, *, ddof: int = 1) -> float:
    """Of features (n, d) and (m, d): 0 (the same mean and covariance) and up; lower is better.

    Means something from about 2,048 clips on: below, it is too large by `uncertainty.expected_bias`.
    ddof: what the covariance's divisor lacks of n. ValueError for shapes that differ, NaN, or fewer than 2 vectors.
    """
    for features in (x, y):
        if features.ndim != 2 or features.shape[1] != x.shape[-1]:
            raise ValueError(f"features: expected two of (n, d), got {tuple(x.shape)} and {tuple(y.shape)}")
        check_finite(features)
        if len(features) < 2:
            raise ValueError(f"features: a Frechet distance needs at least 2 vectors a side, got {len(features)}")
    if min(len(x), len(y)) > x.shape[1]:
        return frechet_of_moments(Moments.of(x), Moments.of(y), ddof=ddof)
    (m1, a), (m2, b) = (_centred(f, ddof) for f in (x, y))
    both = torch.linalg.vector_norm(a).square() + torch.linalg.vector_norm(b).square()
    return _distance((m1 - m2).square().sum(), both, _root_by_gram(a, b))


def frechet_of_moments(one: Moments, other: Moments, *, ddof: int = 1) -> float:
    """The same from gathered moments; use it where there are more vectors than features."""
    if one.dim != other.dim:
        raise ValueError(f"features: {one.dim} on one side and {other.dim} on the other")
    apart = (one.mean - other.mean).square().sum()
    return _distance(apart, *traces(one.covariance(ddof), other.covariance(ddof)))


def traces(s1: Tensor, s2: Tensor) -> tuple[Tensor, Tensor]:
    """tr S1 + tr S2, and tr (S1 S2)^(1/2), of float64 (d, d) covariances that may be singular."""
    r1 = _root(s1)
    return s1.trace() + s2.trace(), _root_trace(r1.T @ s2 @ r1, lambda: r1.T @ _root(s2))


def _centred(features: Tensor, ddof: int) -> tuple[Tensor, Tensor]:
    """Mean (d,), and a (n, d) with a^T a the covariance: float64 on the CPU, never the caller's own tensor."""
    own = features.detach().to("cpu", torch.float64, copy=True)
    mean = own.mean(0)
    return mean, own.sub_(mean).div_((len(own) - ddof) ** 0.5)


def _root_by_gram(a: Tensor, b: Tensor) -> Tensor:
    """tr (S1 S2)^(1/2) of centred, scaled vectors: S1 = a^T a, S2 = b^T b."""
    if len(b) < len(a):
        a, b = b, a
    # whichever product of three is cheaper: through n x m, or through d x d
    if len(b) <= 2 * a.shape[1]:
        m = a @ b.T
        return _root_trace(_outer(m), lambda: m)
    return _root_trace(a @ (b.T @ b) @ a.T, lambda: a @ b.T)


def _outer(m: Tensor) -> Tensor:
    """M M^T, its lower triangle alone: what is above it, by more than STRIP rows, holds anything."""
    made = m.new_empty(len(m), len(m))
    for first in range(0, len(m), STRIP):
        last = first + STRIP
        torch.mm(m[first:last], m[:last].T, out=made[first:last, :last])
    return made


def _root(s: Tensor) -> Tensor:
    """R (d, rank) with R R^T = S: Cholesky's, at half the time, or of the directions in which anything varies."""
    factor, failed = torch.linalg.cholesky_ex(s)
    if not int(failed):
        return factor
    values, vectors = torch.linalg.eigh(s)
    there = values > EPS * len(s) * values[-1].clamp_min(0)
    return vectors[:, there] * values[there].sqrt()


def _root_trace(square: Tensor, root) -> Tensor:
    """Sum of the singular values of a matrix M; `root()` gives it where precision wants it.

    Of `square`, which is M M^T, the lower triangle is read, as the upper one of its transpose: LAPACK's order, which
    is copied as it lies.
    """
    if not square.numel():
        return square.new_zeros(())
    with _one_of_two_threads():
        values = torch.linalg.eigvalsh(square.mT, UPLO="U")
    noise = EPS * values[-1].clamp_min(0)  # of each eigenvalue; what it does to the sum of their roots:
    wrong = (noise / (2 * values.clamp_min(noise).sqrt())).nan_to_num(0.0).sum()
    total = values.clamp_min(0).sqrt().sum()
    if wrong > (CHEAP if len(values) <= SMALL else ENOUGH) * total:
        return torch.linalg.svdvals(root()).sum()
    return total


@contextmanager
def _one_of_two_threads() -> Iterator[None]:
    """LAPACK's way to tridiagonal form is bound by memory and meets at every column: for two threads, often both of
    one core, the meetings cost two to four times what they save. More threads are left as they are.
    """
    threads = torch.get_num_threads()
    if threads != 2:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _distance(apart: Tensor, both: Tensor, root: Tensor) -> float:
    """Rounding can bring the distance of equal sets below 0."""
    return max(0.0, float(apart + both - 2 * root))
