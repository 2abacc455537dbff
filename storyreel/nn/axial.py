"""Attention along one axis of a video's tokens, each causal (GODIVA, Wu et al. 2021, Eq. 10 and 11).

Axes: b batch, t frames, h rows, w columns, l text tokens, d width, a heads, k width of a head.
Temporal attention runs through the frames at one place; row attention down the rows of one column; column attention
along the columns of one row. Three such layers let a token see what lies before it or beside it on all three axes,
for O(n (t + h + w)) instead of O(n^2).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from storyreel.nn.attention import CrossAttention, KeysValues, attend

Axis: TypeAlias = Literal["T", "R", "C"]

LINES: dict[str, tuple[str, str]] = {  # axis -> how a grid is cut into lines, and the way back
    "T": ("b t h w d -> (b h w) 1 t d", "(b h w) 1 t d -> b t h w d"),
    "R": ("b t h w d -> (b w) t h d", "(b w) t h d -> b t h w d"),
    "C": ("b t h w d -> b (t h) w d", "b (t h) w d -> b t h w d"),
}


class AxialAttention(nn.Module):
    """Self-attention along one axis, causal, every token included.

    wide: row and column attention also see the whole line before theirs: the same column of the frame before, the row
    above (above the first row, the last one of the frame before). All of it is earlier in raster order.
    """

    def __init__(self, dim: int, heads: int, axis: Axis, *, wide: bool = False):
        super().__init__()
        if dim % heads:
            raise ValueError(f"heads: {heads} does not divide dim {dim}")
        self.heads, self.axis, self.wide = heads, axis, wide and axis != "T"
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(b, t, h, w, d) -> the same."""
        there, back = LINES[self.axis]
        sizes = dict(zip("bthw", x.shape, strict=False))
        lines = rearrange(self.to_qkv(x), there)  # (m, lines, n, 3 d)
        m, count, n, _ = lines.shape
        q, k, v = lines.view(m, count, n, 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)  # (m, lines, a, n, k)
        mask = None
        if self.wide:
            k, v = (torch.cat([F.pad(z, (0, 0, 0, 0, 0, 0, 1, 0))[:, :-1], z], -2) for z in (k, v))
            before = (torch.arange(count, device=x.device) > 0)[:, None, None, None].expand(count, 1, n, n)
            own = torch.ones(n, n, dtype=torch.bool, device=x.device).tril().expand(count, 1, n, n)
            mask = torch.cat([before, own], -1).repeat(m, 1, 1, 1)  # (m lines, 1, n, 2 n)
        q, k, v = (z.flatten(0, 1) for z in (q, k, v))  # PyTorch's fused attention takes four axes
        out = rearrange(attend(q, k, v, mask, causal=mask is None), "(m c) a n k -> m c n (a k)", m=m)
        return self.to_out(rearrange(out, back, **{s: sizes[s] for s in "bhw"}))


class AxialBlock(nn.Module):
    """Pre-norm transformer block along one axis: self-attention, cross-attention to a text, a two-layer MLP."""

    def __init__(self, dim: int, heads: int, mlp: int, text_dim: int, axis: Axis, *, wide: bool = False):
        super().__init__()
        self.norm_self = nn.LayerNorm(dim)
        self.attention = AxialAttention(dim, heads, axis, wide=wide)
        self.norm_text = nn.LayerNorm(dim)
        self.to_text = CrossAttention(dim, heads, text_dim)
        self.norm_mlp = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp), nn.GELU(), nn.Linear(mlp, dim))

    def forward(self, x: Tensor, text: KeysValues, mask: Tensor) -> Tensor:
        """(b, t, h, w, d); text keys and values (b, a, l, k), their mask (b, l). -> (b, t, h, w, d)."""
        x = x + self.attention(self.norm_self(x))
        x = x + self.to_text(self.norm_text(x).flatten(1, 3), text, mask).view(x.shape)
        return x + self.mlp(self.norm_mlp(x))
