"""How sure a score is: intervals, the bias of few clips, what an endless number of clips would give.

A Frechet distance is biased: of two samples from the same clips it is well above 0, by about 1/n. So three things are
told beside it: the bias that its n brings (`expected_bias`), its value for n without end (`extrapolate`), and a 95 %
interval. A plain bootstrap would add that bias a second time, since a resample repeats clips; here only its spread
is used (`bootstrap_frechet`), or the distance is linearised in the weights of the clips (`frechet_influence`;
Rippl, Munk and Sturm 2016), which needs no resampling and also says what each single clip does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from storyreel.evaluate.frechet import EPS, frechet_distance, traces
from storyreel.evaluate.interval import Z95, Measured, mean_of
from storyreel.evaluate.protocols import Protocol
from storyreel.wording import counted


@dataclass(frozen=True)
class Features:
    """Features (n, d) of clips, or of their frames: `clip[i]` is the clip that row i belongs to, from 0 on."""

    x: Tensor
    clip: Tensor  # int64 (n,)

    @classmethod
    def of(cls, x: Tensor) -> Features:
        """(n, d), a row a clip, or (n, t, d), t rows a clip."""
        per_clip = 1 if x.ndim == 2 else x.shape[1]
        return cls(x.reshape(-1, x.shape[-1]), torch.arange(len(x)).repeat_interleave(per_clip))

    @property
    def clips(self) -> int:
        return int(self.clip.max()) + 1 if len(self.clip) else 0

    def pick(self, clips: Tensor) -> Tensor:
        """The rows of these clips."""
        keep = torch.zeros(self.clips, dtype=torch.bool)
        keep[clips] = True
        return self.x[keep[self.clip]]

    def per_clip(self, rows: Tensor) -> Tensor:
        """Sum of a value a row (n,) over each clip's rows: (clips,)."""
        return torch.zeros(self.clips, dtype=rows.dtype).index_add_(0, self.clip, rows)


def expected_bias(x: Tensor, n: int, m: int) -> float:
    """How far above the truth a Frechet distance of n and m clips is expected to be, for clips spread as `x` (k, d).

    (1/n + 1/m) (tr S + 1/2 sum_ij l_i l_j (1 + [i = j]) / (l_i + l_j)), l the eigenvalues of S: the second-order
    expansion of the distance around equal Gaussians. Good where n and m are well above d, too large below; there it is
    cut at 2 tr S, what sets that share no direction at all would have.
    """
    centred = x.detach().to("cpu", torch.float64)
    centred = centred - centred.mean(0)
    square = centred.T @ centred if len(x) > x.shape[1] else centred @ centred.T
    values = torch.linalg.eigvalsh(square / max(1, len(x) - 1)).clamp_min(0)
    values = values[values > EPS * len(values) * values[-1:].clamp_min(1e-300)]
    pairs = values[:, None] * values / (values[:, None] + values)
    bent = (pairs.sum() + pairs.trace()) / 2
    return float(min((1 / n + 1 / m) * (values.sum() + bent), 2 * values.sum()))


def extrapolate(a: Features, b: Features, *, ddof: int = 1, seed: int = 0, repeats: int = 4) -> float | None:
    """The Frechet distance for endlessly many clips on both sides, by a fit in 1/n through halves and the whole.

    None where half the clips are not more than the features: the bias does not fall as 1/n there.
    May be below 0 by chance when the truth is near 0.
    """
    if min(len(a.x), len(b.x)) // 2 <= a.x.shape[1]:
        return None
    rng, halves = torch.Generator().manual_seed(seed), []
    for _ in range(repeats):
        one, other = (torch.randperm(f.clips, generator=rng) for f in (a, b))
        for i, j in zip(one.tensor_split(2), other.tensor_split(2), strict=True):
            halves.append(frechet_distance(a.pick(i), b.pick(j), ddof=ddof))
    return 2 * frechet_distance(a.x, b.x, ddof=ddof) - float(np.mean(halves))


def frechet_influence(x: Tensor, y: Tensor, *, ddof: int = 1) -> Tensor:
    """How much each row of x (n, d) moves its Frechet distance from y, per unit of weight: float64 (n,), of mean 0.

    The distance changes by about (w_i - 1/n) times this when row i weighs w_i instead of 1/n. Above 0: the row is
    where real clips are not.
    """
    a, b = (f.detach().to("cpu", torch.float64) for f in (x, y))
    apart, a, b = a.mean(0) - b.mean(0), a - a.mean(0), b - b.mean(0)
    s1, s2 = a.T @ a / (len(a) - ddof), b.T @ b / (len(b) - ddof)
    values, vectors = torch.linalg.eigh(s1)
    there = values > EPS * len(s1) * values[-1].clamp_min(1e-300)
    root = vectors[:, there] * values[there].sqrt()  # S1 = root root^T
    back = vectors[:, there] / values[there].sqrt()
    inner, turn = torch.linalg.eigh(root.T @ s2 @ root)
    # The best transport of S1 to S2 is T = back turn inner^(1/2) turn^T back^T; the gradient in S1 is I - T.
    half = (a @ (back @ turn)) * inner.clamp_min(0) ** 0.25
    found = 2 * a @ apart + a.square().sum(1) - half.square().sum(1)
    return found - found.mean()


def interval_of_influence(value: float, *sides: Tensor) -> tuple[float, float] | None:
    """95 %, from what each clip of each side does: the sides are independent. None with fewer than two clips."""
    if any(len(side) < 2 for side in sides):
        return None
    spread = sum(float(side.double().var()) / len(side) for side in sides) ** 0.5
    return value - Z95 * spread, value + Z95 * spread


def bootstrap_frechet(
    a: Features, b: Features, value: float, *, ddof: int = 1, resamples: int = 200, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a Frechet distance: clips of both sides are resampled; its width comes from their spread, its
    middle stays `value`, since the mean of resamples is too high."""
    rng = np.random.default_rng(seed)
    half = Z95 * float(np.std([_weighted(a, b, ddof, rng) for _ in range(resamples)], ddof=1))
    return max(0.0, value - half), value + half


def _weighted(a: Features, b: Features, ddof: int, rng: np.random.Generator) -> float:
    """The distance of one resample. A clip drawn twice weighs two: no row is copied."""
    means, covariances = [], []
    for side in (a, b):
        times = np.bincount(rng.integers(side.clips, size=side.clips), minlength=side.clips)
        weights = torch.from_numpy(times).double()[side.clip]
        x, n = side.x.double(), weights.sum()
        mean = weights @ x / n
        x = (x - mean) * weights.sqrt()[:, None]
        means.append(mean)
        covariances.append(x.T @ x / (n - ddof))
    both, root = traces(*covariances)
    return float((means[0] - means[1]).square().sum() + both - 2 * root)


def clustered_mean(values: Sequence[float], groups: Sequence[str]) -> Measured:
    """The mean of one value a group (the mean of its members), with a 95 % interval from resampling groups.

    Clips of one prompt are no independent samples: a prompt is a group. NaN members are left out.
    """
    return mean_of(list(group_means(values, groups).values()))


def group_means(values: Sequence[float], groups: Sequence[str]) -> dict[str, float]:
    """Group -> mean of its members that are numbers; in order of appearance."""
    members: dict[str, list[float]] = {}
    for value, group in zip(values, groups, strict=True):
        if np.isfinite(value):
            members.setdefault(group, []).append(float(value))
    return {group: float(np.mean(those)) for group, those in members.items()}


def check_enough(metric: str, rules: Protocol, made: int, real: int) -> None:
    """ValueError below the protocol's minimum, on either side."""
    least = max(2, rules.minimum)
    for what, n in (("clip", made), ("real clip", real)):
        if n < least:
            raise ValueError(f"{metric}: {counted(n, what)}, {rules.name} needs at least {least}")
