"""A small pipeline of diffusers for Stable Video Diffusion, with random weights, saved as it saves one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import nn

from storyreel.systems.svd_unet import EPS


def pipeline() -> Any:
    """As published but for its sizes; residual blocks normalise as the published weights want it."""
    diffusers: Any = import_module("diffusers")
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    unet = diffusers.UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=8, in_channels=8, out_channels=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"), cross_attention_dim=16,
        num_attention_heads=(4, 4), projection_class_embeddings_input_dim=24, addition_time_embed_dim=8, num_frames=4,
    )  # fmt: skip
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", interpolation_type="linear",
        num_train_timesteps=1000, prediction_type="v_prediction", sigma_max=700.0, sigma_min=0.002, steps_offset=1,
        timestep_spacing="leading", timestep_type="continuous", use_karras_sigmas=True,
    )  # fmt: skip
    vae = diffusers.AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2, latent_channels=4, layers_per_block=2
    )
    vision = CLIPVisionConfig(
        hidden_size=32, projection_dim=16, num_hidden_layers=2, num_attention_heads=4, image_size=224,
        intermediate_size=37, patch_size=32, hidden_act="gelu",
    )  # fmt: skip
    made = diffusers.StableVideoDiffusionPipeline(
        vae=vae, image_encoder=CLIPVisionModelWithProjection(vision).eval(), unet=unet, scheduler=scheduler,
        feature_extractor=CLIPImageProcessor(crop_size=224, size=224),
    )  # fmt: skip
    made.set_progress_bar_config(disable=True)
    for name, module in unet.named_modules():
        if isinstance(module, nn.GroupNorm) and "attentions" not in name:
            module.eps = EPS
    for network in (unet, vae):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.03 * torch.randn_like(parameter))
    return made
