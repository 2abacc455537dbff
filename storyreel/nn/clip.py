"""CLIP (Radford et al. 2021), https://arxiv.org/abs/2103.00020: the sizes of its towers.

The networks are transformers'. No weights come with this package.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from storyreel.field_ranges import Count, Depth, Pixels, Width

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of its training data in [0, 1]


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

    def __post_init__(self) -> None:
        if self.hidden_act not in ("quick_gelu", "gelu"):
            raise ValueError(f"hidden_act: expected quick_gelu or gelu, got {self.hidden_act!r}")


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """The defaults are ViT-B/32."""

    text: TowerConfig = field(default_factory=TowerConfig)
    vision: TowerConfig = field(
        default_factory=lambda: TowerConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12)
    )
    projection_dim: Width = 512


def vision_network(config: TowerConfig, embedding: int) -> Any:
    """transformers' CLIPVisionModelWithProjection of these sizes: `vision_model` gives, as `pooler_output`, the
    normalised class token (n, hidden_size) of normalised pictures (n, 3, size, size), which `visual_projection` brings
    to (n, embedding).

    ValueError says how to get transformers where it is missing.
    """
    try:
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection
    except ImportError:
        raise ValueError("CLIP needs transformers; run: pip install 'storyreel[hub]'") from None
    sizes = {name: value for name, value in asdict(config).items() if name in CLIPVisionConfig().to_dict()}
    return CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes, projection_dim=embedding))
