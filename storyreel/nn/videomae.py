"""The video transformer of VideoMAE V2 (Wang et al. 2023), https://arxiv.org/abs/2303.16727, as a feature network.

    clip (b, 3, t, h, w) --tubes of 2 x p x p--> tokens --blocks--> mean over tokens --norm--> features (b, d)

A Fréchet distance in its space, fine-tuned on Something-Something V2, looks at motion more than the one in I3D's does
(Ge et al. 2024, https://arxiv.org/abs/2404.12391). The names of the weights are those of the published checkpoint
(`vit_g_hybrid_pt_1200e_ssv2_ft.pth`, its `module`):

    patch_embed.proj.{weight,bias}   blocks.0.norm1.{weight,bias}   blocks.0.attn.{qkv.weight,q_bias,v_bias}
    blocks.0.attn.proj.{weight,bias}   blocks.0.mlp.{fc1,fc2}.{weight,bias}   fc_norm.{weight,bias}   head.{weight,bias}

so that file, saved as safetensors, is read as it is. No weights come with this package.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class VideoMAEConfig:
    """The defaults are ViT-g/14 with the 174 classes of Something-Something V2: 1.01 B parameters."""

    size: int = 224
    frames: int = 16
    patch: int = 14
    tube: int = 2
    dim: int = 1408
    depth: int = 40
    heads: int = 16
    mlp: int = 6144
    classes: int = 174

    def build(self) -> VideoMAE:
        return VideoMAE(self)


class VideoMAE(nn.Module):
    """Clips (b, 3, frames, size, size) in [0, 1] -> features (b, d), or the logits of the classes."""

    def __init__(self, config: VideoMAEConfig):
        super().__init__()
        self.config = c = config
        self.patch_embed = _Tubes(c)
        self.blocks = nn.ModuleList(_Block(c) for _ in range(c.depth))
        self.fc_norm = nn.LayerNorm(c.dim, eps=1e-6)
        self.head = nn.Linear(c.dim, c.classes)

    def features(self, clips: Tensor) -> Tensor:
        """The normalised mean of the tokens (b, d). ValueError for clips of another shape."""
        c = self.config
        if clips.ndim != 5 or tuple(clips.shape[1:]) != (3, c.frames, c.size, c.size):
            raise ValueError(f"clips: expected (b, 3, {c.frames}, {c.size}, {c.size}), got {tuple(clips.shape)}")
        x = self.patch_embed(clips)
        x = x + sinusoids(x.shape[1], c.dim).to(x)
        for block in self.blocks:
            x = block(x)
        return self.fc_norm(x.mean(1))

    def forward(self, clips: Tensor) -> Tensor:
        """Logits (b, classes)."""
        return self.head(self.features(clips))


class _Tubes(nn.Module):
    def __init__(self, c: VideoMAEConfig):
        super().__init__()
        shape = (c.tube, c.patch, c.patch)
        self.proj = nn.Conv3d(3, c.dim, shape, stride=shape)

    def forward(self, clips: Tensor) -> Tensor:
        return self.proj(clips).flatten(2).transpose(1, 2)  # (b, t * h * w, d)


class _Block(nn.Module):
    def __init__(self, c: VideoMAEConfig):
        super().__init__()
        self.norm1 = nn.LayerNorm(c.dim, eps=1e-6)
        self.attn = _Attention(c.dim, c.heads)
        self.norm2 = nn.LayerNorm(c.dim, eps=1e-6)
        self.mlp = _Mlp(c.dim, c.mlp)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class _Attention(nn.Module):
    """Queries and values have a bias, keys have none."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (b, heads, n, width)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class _Mlp(nn.Module):
    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


def sinusoids(places: int, dim: int) -> Tensor:
    """(places, dim): sine at even and cosine at odd numbers, of place / 10000^(2 (j // 2) / dim)."""
    j = torch.arange(dim, dtype=torch.float64)
    angles = torch.arange(places, dtype=torch.float64)[:, None] / 10000 ** (2 * (j // 2) / dim)
    return torch.where(j % 2 == 0, angles.sin(), angles.cos()).float()
