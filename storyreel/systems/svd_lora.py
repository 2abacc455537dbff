"""Factors of low rank beside the attention in time of Stable Video Diffusion's network (Hu et al. 2021, "LoRA",
https://arxiv.org/abs/2106.09685; Blattmann et al. 2023, Appendix D.4.2: rank 16, in the layers in time alone).

    y = W x + (alpha / rank) B A x

A begins random and B at zero, so that nothing changes at first. The network itself is neither changed nor copied: its
linear layers add what the factors give. Names of factors are PEFT's: `LAYER.lora_A.weight`, `LAYER.lora_B.weight`.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LAYER = re.compile(r".*\.temporal_transformer_blocks\.\d+\.attn[12]\.(to_q|to_k|to_v|to_out\.0)")
A, B = "lora_A.weight", "lora_B.weight"


def temporal_attention(network: nn.Module) -> dict[str, nn.Linear]:
    """The linear layers of the attention in time, by name."""
    named = network.named_modules()
    return {name: layer for name, layer in named if isinstance(layer, nn.Linear) and LAYER.fullmatch(name)}


class Factors(nn.Module):
    """A and B for each layer of `temporal_attention`, in effect as long as this module lives."""

    def __init__(self, network: nn.Module, rank: int, alpha: float):
        super().__init__()
        self.rank, self.scale = rank, alpha / rank
        self.names = list(layers := temporal_attention(network))
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for i, layer in enumerate(layers.values()):
            self.down.append(nn.Parameter(torch.empty(rank, layer.in_features)))
            self.up.append(nn.Parameter(torch.zeros(layer.out_features, rank)))
            nn.init.kaiming_uniform_(self.down[i], a=math.sqrt(5))
            layer.register_forward_hook(self._added(i))

    def _added(self, i: int):
        def hook(layer: nn.Module, entered: tuple[Tensor, ...], output: Tensor) -> Tensor:
            low = F.linear(entered[0], self.down[i].to(entered[0].dtype))
            return output + self.scale * F.linear(low, self.up[i].to(low.dtype))

        return hook

    def by_name(self) -> dict[str, Tensor]:
        """PEFT's names -> the factors."""
        out: dict[str, Tensor] = {}
        for name, down, up in zip(self.names, self.down, self.up, strict=True):
            out |= {f"{name}.{A}": down, f"{name}.{B}": up}
        return out


@torch.no_grad()
def merge(weights: Mapping[str, Tensor], factors: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """The weights of a network with factors added to them, in their own dtype: what it gives with the factors."""
    out = dict(weights)
    for name in (n.removesuffix(f".{A}") for n in factors if n.endswith(A)):
        whole = out[f"{name}.weight"]
        added = factors[f"{name}.{B}"].float() @ factors[f"{name}.{A}"].float()
        out[f"{name}.weight"] = (whole.float() + scale * added).to(whole.dtype)
    return out


def digest(weights: Mapping[str, Tensor]) -> str:
    """sha256 of a network's weights by name, as float16, hex: the same for its file in full and in half precision."""
    whole = hashlib.sha256()
    for name in sorted(weights):
        half = weights[name].detach().to("cpu", torch.float16).contiguous()
        whole.update(f"{name}:{tuple(half.shape)};".encode())
        whole.update(half.flatten().view(torch.uint8).numpy().data)
    return whole.hexdigest()
