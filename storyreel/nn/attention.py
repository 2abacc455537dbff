"""Attention and the transformer block that the token systems share.

Axes: b batch, n tokens, l text tokens, h heads, d width, k width of a head.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

SHORT = 256  # at or below this many keys a plain batched matmul beats the fused kernel on a CPU

KeysValues = tuple[Tensor, Tensor]


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None, *, causal: bool = False) -> Tensor:
    """Softmax attention: (b, h, n, k) x (b, h, m, k) -> (b, h, n, k). `bias` is added to the scores, or a bool mask;
    causal, in place of one: each of n = m places sees itself and those before it."""
    if k.shape[-2] > SHORT or q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias, is_causal=causal)
    scores = (q @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    if causal:
        bias = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
    if bias is not None:
        scores = scores.masked_fill(~bias, -torch.inf) if bias.dtype == torch.bool else scores + bias
    return scores.softmax(-1).to(v.dtype) @ v


class SelfAttention(nn.Module):
    def __init__(self, dim: int, heads: int):
        super().__init__()
        if dim % heads:
            raise ValueError(f"heads: {heads} does not divide dim {dim}")
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """(b, n, d) -> (b, n, d)."""
        q, k, v = rearrange(self.to_qkv(x), "b n (three h k) -> three b h n k", three=3, h=self.heads)
        return self.to_out(rearrange(attend(q, k, v, bias), "b h n k -> b n (h k)"))


class CrossAttention(nn.Module):
    """Attention to a text. Its keys and values do not change while sampling, so they are computed apart, once."""

    def __init__(self, dim: int, heads: int, text_dim: int):
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_kv = nn.Linear(text_dim, 2 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def keys_values(self, text: Tensor) -> KeysValues:
        """Text (b, l, text_dim) -> two of (b, h, l, k)."""
        k, v = rearrange(self.to_kv(text), "b l (two h k) -> two b h l k", two=2, h=self.heads)
        return k, v

    def forward(self, x: Tensor, keys_values: KeysValues, mask: Tensor) -> Tensor:
        """x (b, n, d); mask (b, l), true where there is text. -> (b, n, d)."""
        q = rearrange(self.to_q(x), "b n (h k) -> b h n k", h=self.heads)
        out = attend(q, *keys_values, mask[:, None, None, :])
        return self.to_out(rearrange(out, "b h n k -> b n (h k)"))


class PreNormBlock(nn.Module):
    """Pre-norm transformer block: self-attention, cross-attention where there is text, and a two-layer MLP."""

    def __init__(self, dim: int, heads: int, mlp: int, text_dim: int = 0, dropout: float = 0.0):
        super().__init__()
        self.norm_self = nn.LayerNorm(dim)
        self.attention = SelfAttention(dim, heads)
        self.norm_text = nn.LayerNorm(dim) if text_dim else None
        self.to_text = CrossAttention(dim, heads, text_dim) if text_dim else None
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp), nn.GELU(), nn.Linear(mlp, dim))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, bias: Tensor | None = None, text: KeysValues | None = None, mask: Tensor | None = None
    ) -> Tensor:
        x = x + self.dropout(self.attention(self.norm_self(x), bias))
        if self.to_text is not None and self.norm_text is not None:
            assert text is not None
            assert mask is not None
            x = x + self.dropout(self.to_text(self.norm_text(x), text, mask))
        return x + self.dropout(self.mlp(self.norm_mlp(x)))


def causal_alibi(frames: int, heads: int, device: torch.device | None = None) -> Tensor:
    """(heads, t, t) scores to add: minus infinity on the future, and a penalty that grows with the distance.

    Press et al. 2022, "Train short, test long": no positions to learn, so any number of frames will do.
    """
    slopes = torch.arange(1, heads + 1, device=device, dtype=torch.float64).mul(-8 / heads).exp2().float()
    at = torch.arange(frames, device=device)
    distance = (at[:, None] - at[None, :]).float()
    return torch.where(distance < 0, -math.inf, -distance * slopes[:, None, None])
