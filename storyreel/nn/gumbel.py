"""Gumbel noise: the largest of logits with such noise is a draw from their softmax."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def gumbel(shape: Sequence[int], rng: torch.Generator) -> Tensor:
    """float32, drawn where the generator is: on the CPU, where every device is to see the same."""
    uniform = torch.rand(tuple(shape), generator=rng, device=rng.device)
    return -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
