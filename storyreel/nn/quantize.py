"""Quantisers: continuous vectors to discrete codes and back.

A code is a tuple of `groups` small integers, so that codes are int64 (..., g). A vector quantiser has one group; a
finite scalar quantiser has one a dimension, which lets a model predict a code of a huge codebook digit by digit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class VectorQuantizer(nn.Module):
    """Factorised, l2-normalised codes (ViT-VQGAN, Yu et al. 2022; Phenaki, Section 2.1).

    Vectors of width `dim` are projected to `code_dim`, put on the unit sphere, and replaced by the nearest entry.
    """

    def __init__(self, dim: int, num_codes: int, code_dim: int, beta: float = 0.25):
        super().__init__()
        self.sizes = (num_codes,)
        self.beta = beta
        self.down = nn.Linear(dim, code_dim)
        self.up = nn.Linear(code_dim, dim)
        self.codebook = nn.Parameter(torch.randn(num_codes, code_dim))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(..., dim) -> quantised (..., dim), codes (..., 1), loss: ||sg(z) - e||^2 + beta ||z - sg(e)||^2."""
        z = F.normalize(self.down(x).float(), dim=-1)
        book = F.normalize(self.codebook.float(), dim=-1)
        device = "cpu" if z.is_meta else z.device.type  # when costs are counted there is no device
        with torch.no_grad(), torch.autocast(device, enabled=False):  # bfloat16 would miss the nearest
            codes = (z @ book.T).argmax(-1)
        e = F.embedding(codes, book)
        loss = F.mse_loss(e, z.detach()) + self.beta * F.mse_loss(z, e.detach())
        return self.up(z + (e - z).detach()), codes[..., None], loss

    def lookup(self, codes: Tensor) -> Tensor:
        """Codes (..., 1) -> (..., dim)."""
        return self.up(F.embedding(codes[..., 0], F.normalize(self.codebook.float(), dim=-1)))


class FiniteScalarQuantizer(nn.Module):
    """Each of a few dimensions is bounded and rounded to so many levels (Mentzer et al. 2023). No codebook to lose."""

    levels: Tensor

    def __init__(self, dim: int, levels: tuple[int, ...]):
        super().__init__()
        if not levels or min(levels) < 2:
            raise ValueError(f"levels: expected at least 2 a dimension, got {levels}")
        self.sizes = tuple(levels)
        self.down = nn.Linear(dim, len(levels))
        self.up = nn.Linear(len(levels), dim)
        self.register_buffer("levels", torch.tensor(levels), persistent=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(..., dim) -> quantised (..., dim), codes (..., g), loss (zero: nothing to commit to)."""
        top = (self.levels - 1).float()
        z = self.down(x).float().sigmoid() * top  # each in [0, levels - 1]
        rounded = z.round()
        codes = rounded.detach().long()
        z = z + (rounded - z).detach()
        return self.up(2 * z / top - 1), codes, z.new_zeros(())

    def lookup(self, codes: Tensor) -> Tensor:
        """Codes (..., g) -> (..., dim)."""
        return self.up(2 * codes.to(self.up.weight.dtype) / (self.levels - 1) - 1)


Quantizer = VectorQuantizer | FiniteScalarQuantizer
