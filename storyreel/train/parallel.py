"""One process or many: what the loop must know about ranks, and nothing more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from storyreel.systems.base import Batch, Loss, Stage, Tick
from storyreel.train.muon import foreach

Kind = Literal["none", "ddp", "fsdp"]
LossOf = Callable[[Batch, Tick], Loss]


class Single:
    """One process: everything is here."""

    rank, world = 0, 1

    def loss_of(self, stage: Stage, turn: str) -> LossOf:
        return stage.loss

    def together(self, turn: str, last: bool) -> contextlib.AbstractContextManager[None]:
        """Gradients are exchanged in the backward pass of the last micro-batch only."""
        return contextlib.nullcontext()

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all ranks."""
        return values

    def any(self, flag: bool) -> bool:
        """Whether it holds on any rank."""
        return flag

    def clip(self, params: list[nn.Parameter], limit: float) -> tuple[Tensor, Callable[[], None]]:
        """The norm of the gradients, and what scales them to at most `limit`, to be called when it is finite."""
        grads = [p.grad.detach() for p in params if p.grad is not None]
        if not grads:
            return torch.tensor(0.0), lambda: None
        norm = torch.linalg.vector_norm(torch.stack(foreach._foreach_norm(grads)))
        return norm, lambda: foreach._foreach_mul_(grads, (limit / (norm + 1e-6)).clamp(max=1.0))

    def whole(self, tensor: Tensor) -> Tensor:
        """A tensor gathered from all ranks, on the CPU."""
        return tensor.detach().cpu()

    def fill(self, tensor: Tensor, whole: Tensor) -> None:
        """Copy this rank's part of `whole` into `tensor`."""
        with torch.no_grad():
            tensor.copy_(whole)

    def settle(self, stage: Stage) -> None:
        """After the stage ran without a backward pass, before its weights are changed."""

    def wait(self) -> None:
        """Until every rank is here."""


def make(kind: Kind, stage: Stage) -> Single:
    if kind == "none":
        return Single()
    from storyreel.train.distributed import make_distributed

    return make_distributed(kind, stage)
