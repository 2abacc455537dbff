"""Training in less memory: what is cheap is computed again for the backward pass, and not kept."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def recomputed(layers: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`layers(x)`, the same to the last bit, of which the backward pass keeps `x` alone.

    For cheap steps that end in a convolution or a linear layer: the backward pass computes them again until it has the
    last layer's input, and not that layer.
    """
    if not torch.is_grad_enabled() or torch.compiler.is_compiling():  # a compiler chooses what to keep
        return layers(x)
    return checkpoint(layers, x, use_reentrant=False, preserve_rng_state=False)  # pyright: ignore[reportReturnType]
