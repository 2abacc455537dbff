"""Mean and covariance of features, gathered piece by piece.

The state is (n, sum, sum of outer products) in float64. It only ever adds up, so pieces that were gathered by several
processes, machines or days give what one pass would have given, whatever the order.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Moments:
    """State of n feature vectors of length d. `total` is float64 (d,), `outer` float64 (d, d)."""

    n: int
    total: Tensor
    outer: Tensor

    @classmethod
    def empty(cls, dim: int) -> Moments:
        return cls(0, torch.zeros(dim, dtype=torch.float64), torch.zeros(dim, dim, dtype=torch.float64))

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """Of (n, d) features. ValueError for another shape, NaN or infinity."""
        made = cls.empty(features.shape[-1])
        made.update(features)
        return made

    @property
    def dim(self) -> int:
        return len(self.total)

    def update(self, features: Tensor) -> None:
        """Add (b, d) features. ValueError for another shape, NaN or infinity."""
        if features.ndim != 2 or features.shape[1] != self.dim:
            raise ValueError(f"features: expected (n, {self.dim}), got {tuple(features.shape)}")
        check_finite(features)
        x = features.detach().to("cpu", torch.float64)
        self.n += len(x)
        self.total += x.sum(0)
        self.outer += x.T @ x

    def merge(self, other: Moments) -> None:
        """Add what another one gathered. ValueError for another number of features."""
        if other.dim != self.dim:
            raise ValueError(f"features: cannot merge {other.dim} of them with {self.dim}")
        self.n += other.n
        self.total += other.total
        self.outer += other.outer

    def all_reduce(self) -> None:
        """Sum over all ranks of the default process group; nothing without one."""
        import torch.distributed as dist

        if dist.is_available() and dist.is_initialized():
            count = torch.tensor([float(self.n)], dtype=torch.float64)
            for part in (count, self.total, self.outer):
                dist.all_reduce(part)
            self.n = int(count.item())

    @property
    def mean(self) -> Tensor:
        return self.total / max(1, self.n)

    def covariance(self, ddof: int = 1) -> Tensor:
        """float64 (d, d), divided by n - ddof: 1 as numpy's `cov`, 0 as the StyleGAN code. ValueError below 2."""
        if self.n < 2:
            raise ValueError(f"features: a covariance needs at least 2, got {self.n}")
        return (self.outer - torch.outer(self.total, self.total) / self.n) / (self.n - ddof)


def check_finite(features: Tensor, what: str = "features") -> None:
    """ValueError naming the first row that holds NaN or infinity."""
    bad = ~features.reshape(len(features), -1).isfinite().all(1)
    if bool(bad.any()):
        row = int(bad.nonzero()[0])
        raise ValueError(f"{what}: NaN or infinity in {int(bad.sum())} of {len(features)} rows, the first is row {row}")
