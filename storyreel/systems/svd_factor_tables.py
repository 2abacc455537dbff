"""Factors of low rank beside many layers of Stable Video Diffusion's network (Hu et al. 2021, "LoRA",
https://arxiv.org/abs/2106.09685), in two tables, so that a model that has nothing else is a small file.

    W' = W + (alpha / rank) B A      of a linear layer, or of a convolution, whose weight is seen as one matrix

Row k of `down` holds row k of every layer's A, one beside the other; row k of `up` holds column k of every layer's B. A
begins random and B at zero, so that nothing changes at first. The network's own weights are neither changed nor copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.systems.svd_lora import LAYER

Layer: TypeAlias = nn.Linear | nn.Conv2d | nn.Conv3d
Where: TypeAlias = Literal["time", "all"]

USUAL = 64  # numbers that enter a layer whose A is as large as its values in the table


def layers_of(network: nn.Module, on: Where) -> dict[str, Layer]:
    """The layers that factors are beside, by name: those of the attention in time, or all linear ones and all
    convolutions."""
    found = {name: m for name, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Conv3d)}
    return found if on == "all" else {name: layer for name, layer in found.items() if LAYER.fullmatch(name)}


class FactorTables(nn.Module):
    """The factors of some layers, which take part in what these give as long as this module lives."""

    def __init__(self, layers: Mapping[str, Layer], rank: int, alpha: float):
        super().__init__()
        self.scale = alpha / rank
        enters = [layer.weight[0].numel() for layer in layers.values()]
        leaves = [len(layer.weight) for layer in layers.values()]
        self.down = nn.Parameter(torch.empty(rank, sum(enters)).uniform_(-1, 1) / math.sqrt(USUAL))
        self.up = nn.Parameter(torch.zeros(rank, sum(leaves)))
        column = row = 0
        for layer, more, out in zip(layers.values(), enters, leaves, strict=True):
            forward = self._forward(layer, slice(column, column + more), slice(row, row + out))
            layer.forward = forward  # pyright: ignore[reportAttributeAccessIssue]
            column, row = column + more, row + out

    def _forward(self, layer: Layer, enters: slice, leaves: slice) -> Callable[[Tensor], Tensor]:
        """What the layer does from now on. enters, leaves: its columns of `down` and of `up`."""
        share = self.scale * math.sqrt(USUAL / (enters.stop - enters.start))

        def forward(x: Tensor) -> Tensor:
            down, up, own = self.down[:, enters], self.up[:, leaves], layer.weight.flatten(1)
            weight = torch.addmm(own, up.T, down, alpha=share).view_as(layer.weight)
            if isinstance(layer, nn.Linear):
                return F.linear(x, weight, layer.bias)
            return layer._conv_forward(x, weight, layer.bias)  # pyright: ignore[reportPrivateUsage]

        return forward
