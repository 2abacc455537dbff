"""CLIP (Radford et al. 2021), https://arxiv.org/abs/2103.00020: a ViT for pictures and a causal transformer for texts.

The names of the weights are those of Hugging Face's files (`text_model.encoder.layers.0.self_attn.q_proj.weight`, ...;
`pre_layrnorm` is spelt so there). No weights come with this package.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.field_ranges import Count, Depth, Pixels, Width


@dataclass(frozen=True, kw_only=True)
class TowerConfig:
    """The defaults are the text tower of ViT-B/32."""

    hidden_size: Width = 512
    intermediate_size: Width = 2048
    num_hidden_layers: Depth = 12
    num_attention_heads: Width = 8
    hidden_act: str = "quick_gelu"
    layer_norm_eps: float = 1e-5
    vocab_size: Count = 49408  # of texts
    max_position_embeddings: Count = 77
    image_size: Pixels = 224  # of pictures
    patch_size: Pixels = 32


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """The defaults are ViT-B/32."""

    text: TowerConfig = field(default_factory=TowerConfig)
    vision: TowerConfig = field(
        default_factory=lambda: TowerConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12)
    )
    projection_dim: Width = 512

    def build(self) -> CLIP:
        return CLIP(self)


class CLIP(nn.Module):
    """Embeddings of pictures and of texts, not yet of unit length."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.config = c = config
        self.text_model, self.vision_model = TextTower(c.text), VisionTower(c.vision)
        self.text_projection = nn.Linear(c.text.hidden_size, c.projection_dim, bias=False)
        self.visual_projection = nn.Linear(c.vision.hidden_size, c.projection_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.6592))

    def images(self, pixels: Tensor) -> Tensor:
        """Normalised pictures (n, 3, size, size) -> (n, e)."""
        return self.visual_projection(self.vision_model(pixels))

    def texts(self, ids: Tensor, ends: Tensor) -> Tensor:
        """Token ids (n, l) and the place of each text's end mark (n,) -> (n, e)."""
        return self.text_projection(self.text_model(ids, ends))


class VisionTower(nn.Module):
    def __init__(self, config: TowerConfig):
        super().__init__()
        c = config
        self.embeddings = Patches(c)
        self.pre_layrnorm = nn.LayerNorm(c.hidden_size, c.layer_norm_eps)
        self.encoder = Encoder(c)
        self.post_layernorm = nn.LayerNorm(c.hidden_size, c.layer_norm_eps)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.encoder(self.pre_layrnorm(self.embeddings(pixels)), causal=False)
        return self.post_layernorm(x[:, 0])


class Patches(nn.Module):
    """Patches in a row after a class token."""

    def __init__(self, config: TowerConfig):
        super().__init__()
        c = config
        self.size = c.image_size
        self.class_embedding = nn.Parameter(torch.zeros(c.hidden_size))
        self.patch_embedding = nn.Conv2d(3, c.hidden_size, c.patch_size, c.patch_size, bias=False)
        self.position_embedding = nn.Embedding((c.image_size // c.patch_size) ** 2 + 1, c.hidden_size)

    def forward(self, pixels: Tensor) -> Tensor:
        if tuple(pixels.shape[1:]) != (3, self.size, self.size):
            raise ValueError(f"pixels: wanted (n, 3, {self.size}, {self.size}), got {tuple(pixels.shape)}")
        x = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(x), 1, -1)
        return torch.cat([first, x], 1) + self.position_embedding.weight


class TextTower(nn.Module):
    def __init__(self, config: TowerConfig):
        super().__init__()
        c = config
        self.embeddings = Words(c)
        self.encoder = Encoder(c)
        self.final_layer_norm = nn.LayerNorm(c.hidden_size, c.layer_norm_eps)

    def forward(self, ids: Tensor, ends: Tensor) -> Tensor:
        x = self.final_layer_norm(self.encoder(self.embeddings(ids), causal=True))
        return x[torch.arange(len(x), device=x.device), ends]  # causal: what stands after the end is not seen


class Words(nn.Module):
    def __init__(self, config: TowerConfig):
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embedding = nn.Embedding(config.max_position_embeddings, config.hidden_size)

    def forward(self, ids: Tensor) -> Tensor:
        return self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[1]]


class Encoder(nn.Module):
    def __init__(self, config: TowerConfig):
        super().__init__()
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        for layer in self.layers:
            x = layer(x, causal)
        return x


class Layer(nn.Module):
    def __init__(self, config: TowerConfig):
        super().__init__()
        c = config
        self.self_attn = Attention(c)
        self.layer_norm1 = nn.LayerNorm(c.hidden_size, c.layer_norm_eps)
        self.mlp = Mlp(c)
        self.layer_norm2 = nn.LayerNorm(c.hidden_size, c.layer_norm_eps)

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x), causal)
        return x + self.mlp(self.layer_norm2(x))


class Attention(nn.Module):
    def __init__(self, config: TowerConfig):
        super().__init__()
        d = config.hidden_size
        self.heads = config.num_attention_heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x: Tensor, causal: bool) -> Tensor:
        q, k, v = (
            f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self, config: TowerConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)
        if config.hidden_act not in ("quick_gelu", "gelu"):
            raise ValueError(f"hidden_act: wanted quick_gelu or gelu, got {config.hidden_act!r}")
        self.quick = config.hidden_act == "quick_gelu"

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x) if self.quick else F.gelu(x))
