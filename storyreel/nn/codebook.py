"""A plain vector quantiser, and a record of which codes are in use.

`nn.quantize` has the factorised, normalised one. Here codes are the vectors themselves, as in VQ-VAE (van den Oord et
al. 2017): nearest by squared distance. Such a codebook dies easily, so it is watched and dead codes are revived.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn


class CodeUsage(nn.Module):
    """Which of `num_codes` codes occurred in the last `window` steps, and how evenly."""

    idle: Tensor
    counts: Tensor

    def __init__(self, num_codes: int, window: int):
        super().__init__()
        if window < 1:
            raise ValueError(f"window: expected at least 1 step, got {window}")
        self.window = window
        self.register_buffer("idle", torch.full((num_codes,), window, dtype=torch.int32))  # steps since it occurred
        self.register_buffer("counts", torch.zeros(num_codes))  # occurrences, forgotten over the window

    @torch.no_grad()
    def update(self, codes: Tensor) -> Tensor:
        """Codes of any shape, one step's. -> how often each occurred (k,), over all processes."""
        seen = torch.zeros_like(self.counts).index_add_(
            0, codes.flatten(), torch.ones_like(codes.flatten(), dtype=torch.float32)
        )
        if dist.is_initialized():
            dist.all_reduce(seen)
        self.idle.add_(1).masked_fill_(seen > 0, 0)
        self.counts.mul_(1 - 1 / self.window).add_(seen)
        return seen

    @torch.no_grad()
    def spare(self, codes: Tensor) -> None:
        """These (bool (k,)) have a whole window from now on."""
        self.idle.masked_fill_(codes, 0)
        self.counts.masked_fill_(codes, 0.0)

    @property
    def dead(self) -> Tensor:
        """Bool (k,): did not occur for a whole window."""
        return self.idle >= self.window

    def report(self) -> dict[str, Tensor]:
        """`used`: share of the codes that occurred in the window; `perplexity`: how many the codes come to."""
        p = self.counts / self.counts.sum().clamp(min=1)
        return {
            "used": ((self.idle < self.window) & (self.counts > 0)).float().mean(),
            "perplexity": torch.exp(-(p * p.clamp(min=1e-12).log()).sum()),
        }


class Codebook(nn.Module):
    """Nearest code by squared distance. Vectors enter and leave as they are, `dim` wide.

    average: 0 learns the codes by gradient (the loss has the codebook term); above, they are moving averages of the
    vectors that chose them (VQ-VAE, Appendix A.1), this much of the old one being kept, and do not learn otherwise.
    """

    sizes: tuple[int, ...]

    def __init__(self, num_codes: int, dim: int, *, beta: float = 0.25, average: float = 0.0):
        super().__init__()
        if not 0 <= average < 1:
            raise ValueError(f"average: expected at least 0 and less than 1, got {average}")
        self.sizes, self.beta, self.average = (num_codes,), beta, average
        vectors = torch.randn(num_codes, dim) * dim**-0.5
        if average:
            self.register_buffer("vectors", vectors)
            self.register_buffer("mass", torch.ones(num_codes))
            self.register_buffer("sums", vectors.clone())
        else:
            self.vectors = nn.Parameter(vectors)

    vectors: Tensor
    mass: Tensor
    sums: Tensor

    @torch.no_grad()
    def nearest(self, x: Tensor) -> Tensor:
        """(..., dim) -> int64 (...)."""
        device = "cpu" if x.is_meta else x.device.type
        with torch.autocast(device, enabled=False):  # bfloat16 would miss the nearest
            book = self.vectors.float()
            flat = x.reshape(-1, x.shape[-1]).float()
            return torch.addmm(book.square().sum(-1), flat, book.T, alpha=-2).argmin(-1).view(x.shape[:-1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(..., dim) -> quantised, straight through; codes (..., 1); ||sg(x) - e||^2 + beta ||x - sg(e)||^2."""
        x = x.float()
        codes = self.nearest(x)
        e = F.embedding(codes, self.vectors)
        loss = self.beta * F.mse_loss(x, e.detach())
        if not self.average:
            loss = loss + F.mse_loss(e, x.detach())
        return x + (e - x).detach(), codes[..., None], loss

    def lookup(self, codes: Tensor) -> Tensor:
        """Codes (..., 1) -> (..., dim)."""
        return F.embedding(codes[..., 0], self.vectors)

    @torch.no_grad()
    def follow(self, x: Tensor, codes: Tensor, seen: Tensor) -> None:
        """One step of the moving average: x (n, dim) chose codes (n,); seen (k,) is how often each was chosen."""
        if not self.average:
            return
        sums = torch.zeros_like(self.sums).index_add_(0, codes, x.float())
        if dist.is_initialized():
            dist.all_reduce(sums)
        self.mass.lerp_(seen, 1 - self.average)
        self.sums.lerp_(sums, 1 - self.average)
        self.vectors.copy_(self.sums / self.mass.clamp(min=1e-3)[:, None])

    @torch.no_grad()
    def revive(self, dead: Tensor, x: Tensor, rng: torch.Generator) -> None:
        """Put the dead codes (bool (k,)) where vectors of this batch (n, dim) are, each at one drawn with `rng`."""
        drawn = torch.randint(len(x), dead.shape, generator=rng, device=rng.device).to(x.device)
        fresh = x.float()[drawn[(dead.cumsum(0) - 1).clamp(min=0)]]  # the first number goes to the first dead code
        if dist.is_initialized():
            dist.broadcast(fresh, 0)  # all processes have one codebook
        self.vectors.copy_(torch.where(dead[:, None], fresh, self.vectors))
        if self.average:
            self.sums.copy_(torch.where(dead[:, None], fresh, self.sums))
            self.mass.masked_fill_(dead, 1.0)
