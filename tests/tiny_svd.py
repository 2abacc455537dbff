"""A small Stable Video Diffusion in diffusers' layout, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from storyreel.systems.svd_autoencoder import AutoencoderConfig
from storyreel.systems.svd_unet import SvdUNetConfig


def vision(width: int = 8, depth: int = 2, seed: int = 3) -> dict[str, Tensor]:
    """The weights of CLIP's encoder of pictures."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=width, intermediate_size=2 * width, num_hidden_layers=depth, num_attention_heads=2,
        image_size=28, patch_size=14, projection_dim=6,
    )  # fmt: skip
    return dict(CLIPVisionModelWithProjection(config).state_dict())


def make_svd(folder: Path) -> Path:
    """unet/, vae/ and image_encoder/ with their weights."""
    torch.manual_seed(0)
    unet = SvdUNetConfig(widths=(32, 64, 64), heads=(1, 1, 0), blocks=2, context=6, condition_features=8)
    vae = AutoencoderConfig(widths=(32, 64))
    parts = {"unet": unet.build().state_dict(), "vae": vae.build().state_dict(), "image_encoder": vision()}
    for part, tensors in parts.items():
        (folder / part).mkdir(parents=True)
        name = "model" if part == "image_encoder" else "diffusion_pytorch_model"
        save_file({n: t.contiguous() for n, t in tensors.items()}, folder / part / f"{name}.safetensors")
    return folder


def write_lora(file: Path) -> None:
    """Factors of rank 2 for one layer of that network, by PEFT's names."""
    name = "base_model.model.down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q.lora"
    save_file({f"{name}_A.weight": torch.ones(2, 32), f"{name}_B.weight": torch.ones(32, 2)}, file)
