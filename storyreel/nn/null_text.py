"""The unconditional branch of guidance: the text of a sample is replaced by a learned state that says nothing.

Axes: b batch, l text tokens, d width of a text state.
"""

from __future__ import annotations

import torch
from torch import Tensor


def without_text(text: Tensor, mask: Tensor, null_text: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """The text (b, l, d) and mask (b, l), with the one state `null_text` (d,) in place of the samples `where` (b,)."""
    first = torch.arange(text.shape[1], device=text.device) == 0
    return torch.where(where[:, None, None], null_text.to(text.dtype), text), torch.where(where[:, None], first, mask)


def drawn(count: int, share: float, rng: torch.Generator, device: torch.device) -> Tensor:
    """Which of `count` samples lose their conditioning in training, bool (count,) on the device: a share of them."""
    return (torch.rand(count, generator=rng, device=rng.device) < share).to(device)


def everywhere(batch: Tensor) -> Tensor:
    """All samples of a batch (b, ...), bool (b,)."""
    return torch.ones(len(batch), dtype=torch.bool, device=batch.device)
