"""Muon: momentum whose matrices are made orthogonal (Jordan et al. 2024), https://kellerjordan.github.io/posts/muon/.

    gradient --momentum--> update --Newton-Schulz--> nearest matrix with equal singular values --lr--> weight

A gradient of a weight matrix has a few large directions; making all of them equally long lets the rare ones learn too.
On our tokenizers it reaches in 200 steps what AdamW reaches in 600 to 800 (docs/log.md). Only weights of linear layers
and convolutions (their kernels flattened to a matrix) are such matrices; the rest stays with AdamW.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic that the post fits: steepest at zero
MOMENTUM = 0.95
ITERATIONS = 5

foreach: Any = torch  # its operators on lists of tensors, which its type stubs hide


def matrices(stage: nn.Module) -> set[int]:
    """ids of the parameters that Muon is for: weights of linear layers and convolutions."""
    convolutions = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
    return {id(m.weight) for m in stage.modules() if isinstance(m, (nn.Linear, *convolutions)) and m.weight.ndim > 1}


class Muon(torch.optim.Optimizer):
    """Steps along orthogonalised Nesterov momentum; weight decay is decoupled, as in AdamW.

    All parameters of a group go through together, and matrices of one shape (or of its transpose) as one batch, so that
    a GPU runs a few dozen kernels a step. dtype: what Newton-Schulz runs in; bfloat16 is enough, and fast where bf16
    matmuls are. A group's `lr` may be a tensor of one value.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, *, weight_decay: float, dtype: torch.dtype):
        super().__init__(list(params), {"lr": lr, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step from the gradients; a parameter without one stays."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            grads, momenta = [p.grad for p in params], [self.state[p]["momentum"] for p in params]
            lr, here = group["lr"], [local(p) for p in params]
            foreach._foreach_lerp_([local(m) for m in momenta], [local(g) for g in grads], 1 - MOMENTUM)
            foreach._foreach_mul_(here, 1 - lr * group["weight_decay"])
            steps = self._steps(params, _nesterov(grads, momenta), lr)
            foreach._foreach_add_(here, [local(_shard_like(step, p)) for step, p in zip(steps, params, strict=True)])

    def _steps(self, params: list[nn.Parameter], updates: list[Tensor], lr: float | Tensor) -> list[Tensor]:
        """What is added to each parameter, in its shape: the orthogonal matrix times -lr max(1, rows / columns)^0.5."""
        waiting: dict[tuple[int, ...], list[int]] = defaultdict(list)
        flat = [update.flatten(1) for update in updates]
        for i, update in enumerate(flat):
            waiting[tuple(sorted(update.shape))].append(i)
        steps: dict[int, Tensor] = {}
        for (short, long), some in waiting.items():
            wide, tall = ([i for i in some if (flat[i].shape[0] > short) == up] for up in (False, True))
            batch = torch.stack([flat[i] for i in wide] + [flat[i].mT for i in tall])
            made = orthogonalize(batch.to(self.dtype)).to(batch.dtype)
            parts = made[: len(wide)] * -lr, (made[len(wide) :] * (-lr * (long / short) ** 0.5)).mT.contiguous()
            for each, part in zip((wide, tall), parts, strict=True):
                for i, step in zip(each, part.unbind(), strict=True):
                    steps[i] = step.view(params[i].shape)
        return [steps[i] for i in range(len(params))]


def orthogonalize(x: Tensor) -> Tensor:
    """(n, r, c) -> the same, each matrix with its singular values brought near one (0.7 to 1.2) by Newton-Schulz."""
    a, b, c = COEFFICIENTS
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def _nesterov(grads: list[Tensor], momenta: list[Tensor]) -> list[Tensor]:
    """Gradients drawn towards their momenta, whole also where they are sharded."""
    if not any(hasattr(grad, "full_tensor") for grad in grads):
        return list(foreach._foreach_lerp(grads, momenta, MOMENTUM))
    return [_whole(grad.lerp(momentum, MOMENTUM)) for grad, momentum in zip(grads, momenta, strict=True)]


def local(tensor: Tensor) -> Tensor:
    """The part of a sharded tensor that is here, detached; any other whole."""
    tensor = tensor.detach()
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor  # pyright: ignore[reportAttributeAccessIssue]


def _whole(tensor: Tensor) -> Tensor:
    """A sharded tensor gathered; any other as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor  # pyright: ignore[reportAttributeAccessIssue]


def _shard_like(tensor: Tensor, p: Tensor) -> Tensor:
    if not hasattr(p, "placements"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, p.device_mesh, p.placements)  # pyright: ignore[reportAttributeAccessIssue]
