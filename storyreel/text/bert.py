"""The forward pass of a BERT encoder (Devlin et al. 2018, post-norm), straight over published safetensors.

transformers takes five seconds to import; this takes none, and gives the same states to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor


@dataclass(frozen=True)
class BertConfig:
    """The fields of a published `config.json` that the forward pass needs."""

    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    max_position_embeddings: int = 512
    layer_norm_eps: float = 1e-12


class Bert:
    """Frozen BERT: token ids (b, l) -> last hidden states (b, l, hidden_size) float32.

    weights: tensors by their published names; kept as they are, so a memory-mapped file is read only where used.
    """

    def __init__(self, config: BertConfig, weights: dict[str, Tensor]) -> None:
        self.config = config
        self.weights = weights
        missing = [name for name in self._names() if name not in weights]
        if missing:
            raise ValueError(
                f"BERT weights lack {missing[0]!r} and {len(missing) - 1} more; expected a BERT checkpoint"
            )
        # Queries, keys and values in one product: fewer and larger matrix products for short sentences.
        self._qkv = [(self._joined(i, "weight"), self._joined(i, "bias")) for i in range(config.num_hidden_layers)]

    def to(self, device: torch.device | str) -> None:
        """Move the weights."""
        self.weights = {name: tensor.to(device) for name, tensor in self.weights.items()}
        self._qkv = [(weight.to(device), bias.to(device)) for weight, bias in self._qkv]

    def __call__(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """ids int64 (b, l); mask bool (b, l), true where there is a token, None when nothing is padded."""
        w, c = self.weights, self.config
        if ids.shape[1] > c.max_position_embeddings:
            raise ValueError(f"ids: {ids.shape[1]} tokens, the model has places for {c.max_position_embeddings}")
        x = F.embedding(ids, w["embeddings.word_embeddings.weight"])  # (b, l, d)
        x = x + w["embeddings.token_type_embeddings.weight"][0]
        x = x + w["embeddings.position_embeddings.weight"][: ids.shape[1]]
        x = self._norm(x, "embeddings.LayerNorm")
        see = None if mask is None else mask[:, None, None, :]  # (b, 1, 1, l)
        for i in range(c.num_hidden_layers):
            x = self._layer(x, see, i)
        return x

    def _layer(self, x: Tensor, see: Tensor | None, i: int) -> Tensor:
        at = f"encoder.layer.{i}"
        q, k, v = rearrange(
            F.linear(x, *self._qkv[i]), "b l (three h d) -> three b h l d", three=3, h=self.config.num_attention_heads
        )
        mixed = rearrange(F.scaled_dot_product_attention(q, k, v, attn_mask=see), "b h l d -> b l (h d)")
        x = self._norm(x + self._linear(mixed, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        inner = F.gelu(self._linear(x, f"{at}.intermediate.dense"))
        return self._norm(x + self._linear(inner, f"{at}.output.dense"), f"{at}.output.LayerNorm")

    def _joined(self, i: int, kind: str) -> Tensor:
        at = f"encoder.layer.{i}.attention.self"
        return torch.cat([self.weights[f"{at}.{part}.{kind}"] for part in ("query", "key", "value")])

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        w, b = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x.float(), (self.config.hidden_size,), w, b, self.config.layer_norm_eps)

    def _names(self) -> list[str]:
        parts = [f"attention.self.{p}" for p in ("query", "key", "value")]
        parts += ["attention.output.dense", "attention.output.LayerNorm"]
        parts += ["intermediate.dense", "output.dense", "output.LayerNorm"]
        names = [f"embeddings.{p}_embeddings.weight" for p in ("word", "token_type", "position")]
        bases = [f"encoder.layer.{i}.{p}" for i in range(self.config.num_hidden_layers) for p in parts]
        return names + [f"{base}.{kind}" for base in ["embeddings.LayerNorm", *bases] for kind in ("weight", "bias")]
