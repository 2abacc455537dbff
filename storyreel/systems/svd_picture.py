"""CLIP's encoder of pictures, as Stable Video Diffusion reads it in place of a text, and the pictures that it is given.

    picture --blurred, resized to 224x224, normalised--> CLIP --> embedding

Blattmann et al. 2023, https://arxiv.org/abs/2311.15127, Appendix D.4. Names of weights are those of transformers'
`CLIPVisionModelWithProjection`.

Axes: n pictures, c channels, h rows, w columns, e width of the embedding. Pictures are float (n, 3, h, w) in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.clip import GREY, Clip
from storyreel.field_ranges import Count, Width
from storyreel.nn.clip import MEAN, STD, TowerConfig, vision_network

MIN_BLUR = 0.001


def vit_h() -> TowerConfig:
    """The pictures' side of CLIP ViT-H/14."""
    return TowerConfig(
        hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16, hidden_act="gelu",
        patch_size=14,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PictureConfig:
    """A model that reads a picture alone, as the published one does. The defaults are the published sizes.

    embedding: width of CLIP's. tuned: what learns of the network, where it is tuned as a whole: all, or the layers in
    time. rank: of the factors that are added to the attention in time and learn in place of the network; 0: none.
    """

    vision: TowerConfig = field(default_factory=vit_h)
    embedding: Width = 1024
    tuned: Literal["all", "temporal"] = "all"
    rank: int = 0
    alpha: Count = 16

    def __post_init__(self) -> None:
        if not 0 <= self.rank <= 1024:
            raise ValueError(f"rank: expected 0 to 1024, got {self.rank}")
        if self.rank and self.tuned != "all":
            raise ValueError(f"tuned: expected all where rank is above 0, since factors learn alone; got {self.tuned}")


class PictureEncoder(nn.Module):
    """Pictures of any size (n, 3, h, w) in [-1, 1] -> embeddings (n, e)."""

    def __init__(self, config: TowerConfig, embedding: int):
        super().__init__()
        self.size = config.image_size
        network = vision_network(config, embedding)
        self.vision_model, self.visual_projection = network.vision_model, network.visual_projection

    def forward(self, pictures: Tensor) -> Tensor:
        small = (blurred_resize(pictures.float(), self.size) + 1) / 2
        mean, std = (torch.tensor(each, device=small.device).view(1, 3, 1, 1) for each in (MEAN, STD))
        return self.visual_projection(self.vision_model((small - mean) / std).pooler_output)


def blurred_resize(pictures: Tensor, size: int) -> Tensor:
    """(n, c, h, w) -> (n, c, size, size), blurred first by as much as it becomes smaller, with corners aligned: how the
    published model was given its pictures."""
    kernels = []
    for side in pictures.shape[2:]:
        sigma = max((side / size - 1) / 2, MIN_BLUR)
        width = int(max(4 * sigma, 3)) | 1
        at = torch.arange(width, device=pictures.device, dtype=torch.float32) - width // 2
        weights = torch.exp(-(at**2) / (2 * sigma**2))
        kernels.append(weights / weights.sum())
    (n, c), (down, across) = pictures.shape[:2], kernels
    flat = pictures.reshape(n * c, 1, *pictures.shape[2:])
    flat = F.pad(flat, (len(across) // 2,) * 2 + (len(down) // 2,) * 2, mode="reflect")
    flat = F.conv2d(F.conv2d(flat, across.view(1, 1, 1, -1)), down.view(1, 1, -1, 1))
    return F.interpolate(flat.view(n, c, *pictures.shape[2:]), (size, size), mode="bicubic", align_corners=True)


def fitted(clip: Clip, height: int, width: int, fit: Literal["crop", "pad"] | None) -> Tensor:
    """The first frame of a clip as (1, 3, height, width) in [-1, 1]: the largest part of that shape from its middle,
    or, padded, the whole with mid grey beside it; what is transparent becomes mid grey."""
    clip = clip.replace(frames=clip.frames[:1]).over()
    h, w = clip.size
    if h * width != w * height:
        wide = h * width > w * height  # it is taller than what is wanted
        if fit == "pad":
            high, broad = (h, round(h * width / height)) if wide else (round(w * height / width), w)
            frames = np.full((1, max(h, high), max(w, broad), 3), GREY, np.uint8)
            top, left = (frames.shape[1] - h) // 2, (frames.shape[2] - w) // 2
            frames[:, top : top + h, left : left + w] = clip.frames
        else:
            high, broad = (max(1, round(w * height / width)), w) if wide else (h, max(1, round(h * width / height)))
            top, left = (h - high) // 2, (w - broad) // 2
            frames = clip.frames[:, top : top + high, left : left + broad]
        clip = clip.replace(frames=frames)
    if clip.size != (height, width):
        clip = clip.resize(height, width)
    return clip.to_tensor()[None, :, 0]
