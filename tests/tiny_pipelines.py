"""Tiny pipelines of diffusers with random weights, written as folders: nothing is downloaded.

Their sizes are those of diffusers' own tests (Apache-2.0), with one layer where they have two.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

WORDS = "a an the dance monkey knight walking left right in of red blue green with and worst quality blurry"


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", "<s>", *WORDS.split()])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()  # pyright: ignore
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])  # pyright: ignore
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", bos_token="<s>",
        model_max_length=64,
    )  # fmt: skip


def t5() -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4)).eval()


def wan() -> Any:
    import diffusers as d

    vae = d.AutoencoderKLWan(
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    network = d.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16,
        text_dim=32, freq_dim=256, ffn_dim=32, num_layers=1, cross_attn_norm=True,
        qk_norm="rms_norm_across_heads", rope_max_seq_len=32,
    )  # fmt: skip
    scheduler = d.UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
    )
    return d.WanPipeline(
        transformer=network, vae=vae, scheduler=scheduler, text_encoder=t5(), tokenizer=tokenizer(), transformer_2=None
    )


def ltx() -> Any:
    import diffusers as d

    network = d.LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, patch_size=1, patch_size_t=1, num_attention_heads=4, attention_head_dim=8,
        cross_attention_dim=32, num_layers=1, caption_channels=32,
    )  # fmt: skip
    vae = d.AutoencoderKLLTXVideo(
        in_channels=3, out_channels=3, latent_channels=8, block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8), layers_per_block=(1,) * 5, decoder_layers_per_block=(1,) * 5,
        spatio_temporal_scaling=(True, True, False, False), decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5, upsample_residual=(False,) * 4, upsample_factor=(1,) * 4,
        timestep_conditioning=False, patch_size=1, patch_size_t=1, encoder_causal=True, decoder_causal=False,
    )  # fmt: skip
    return d.LTXPipeline(
        transformer=network, vae=vae, scheduler=d.FlowMatchEulerDiscreteScheduler(), text_encoder=t5(),
        tokenizer=tokenizer(),
    )  # fmt: skip


def cogvideox() -> Any:
    import diffusers as d

    network = d.CogVideoXTransformer3DModel(
        num_attention_heads=4, attention_head_dim=8, in_channels=4, out_channels=4, time_embed_dim=2,
        text_embed_dim=32, num_layers=1, sample_width=2, sample_height=2, sample_frames=9, patch_size=2,
        temporal_compression_ratio=4, max_text_seq_length=226,
    )  # fmt: skip
    vae = d.AutoencoderKLCogVideoX(
        in_channels=3, out_channels=3, down_block_types=("CogVideoXDownBlock3D",) * 4,
        up_block_types=("CogVideoXUpBlock3D",) * 4, block_out_channels=(8, 8, 8, 8), latent_channels=4,
        layers_per_block=1, norm_num_groups=2, temporal_compression_ratio=4,
    )  # fmt: skip
    return d.CogVideoXPipeline(
        transformer=network, vae=vae, scheduler=d.CogVideoXDDIMScheduler(), text_encoder=t5(), tokenizer=tokenizer()
    )


def hunyuan() -> Any:
    import diffusers as d
    from transformers import CLIPTextConfig, CLIPTextModel, LlamaConfig, LlamaModel

    network = d.HunyuanVideoTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=10, num_layers=1,
        num_single_layers=1, num_refiner_layers=1, patch_size=1, patch_size_t=1, guidance_embeds=True,
        text_embed_dim=16, pooled_projection_dim=8, rope_axes_dim=(2, 4, 4),
    )  # fmt: skip
    vae = d.AutoencoderKLHunyuanVideo(
        in_channels=3, out_channels=3, latent_channels=4, down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4, block_out_channels=(8, 8, 8, 8), layers_per_block=1,
        act_fn="silu", norm_num_groups=4, scaling_factor=0.476986, spatial_compression_ratio=8,
        temporal_compression_ratio=4, mid_block_add_attention=True,
    )  # fmt: skip
    sizes = {"bos_token_id": 3, "eos_token_id": 1, "intermediate_size": 37, "num_attention_heads": 4, "pad_token_id": 0}
    llama = LlamaModel(LlamaConfig(hidden_size=16, num_hidden_layers=3, vocab_size=64, **sizes)).eval()
    clip = CLIPTextModel(CLIPTextConfig(hidden_size=8, num_hidden_layers=1, vocab_size=64, **sizes)).eval()
    return d.HunyuanVideoPipeline(
        transformer=network, vae=vae, scheduler=d.FlowMatchEulerDiscreteScheduler(shift=7.0), text_encoder=llama,
        text_encoder_2=clip, tokenizer=tokenizer(), tokenizer_2=tokenizer(),
    )  # fmt: skip


def svd() -> Any:
    import diffusers as d
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    network = d.UNetSpatioTemporalConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=32, in_channels=8, out_channels=4,
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"), cross_attention_dim=32,
        num_attention_heads=8, projection_class_embeddings_input_dim=96, addition_time_embed_dim=32,
    )  # fmt: skip
    scheduler = d.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", interpolation_type="linear",
        prediction_type="v_prediction", sigma_max=700.0, sigma_min=0.002, steps_offset=1,
        timestep_spacing="leading", timestep_type="continuous", use_karras_sigmas=True,
    )  # fmt: skip
    vae = d.AutoencoderKLTemporalDecoder(
        block_out_channels=(32,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        latent_channels=4,
        layers_per_block=1,
    )
    sizes = CLIPVisionConfig(
        hidden_size=32, projection_dim=32, num_hidden_layers=1, num_attention_heads=4, image_size=224,
        intermediate_size=37, patch_size=32,
    )  # fmt: skip
    return d.StableVideoDiffusionPipeline(
        vae=vae, image_encoder=CLIPVisionModelWithProjection(sizes), unet=network, scheduler=scheduler,
        feature_extractor=CLIPImageProcessor(crop_size=224, size=224),
    )  # fmt: skip


def wan_image() -> Any:
    import diffusers as d
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    of_text = wan()
    network = d.WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=36, out_channels=16,
        text_dim=32, freq_dim=256, ffn_dim=32, num_layers=1, cross_attn_norm=True,
        qk_norm="rms_norm_across_heads", rope_max_seq_len=32, image_dim=4,
    )  # fmt: skip
    sizes = CLIPVisionConfig(
        hidden_size=4, projection_dim=4, num_hidden_layers=2, num_attention_heads=2, image_size=32,
        intermediate_size=16, patch_size=1,
    )  # fmt: skip
    return d.WanImageToVideoPipeline(
        transformer=network, vae=of_text.vae, scheduler=of_text.scheduler, text_encoder=of_text.text_encoder,
        tokenizer=of_text.tokenizer, image_encoder=CLIPVisionModelWithProjection(sizes),
        image_processor=CLIPImageProcessor(crop_size=32, size=32), transformer_2=None,
    )  # fmt: skip


def cogvideox_image() -> Any:
    import diffusers as d

    of_text = cogvideox()
    network = d.CogVideoXTransformer3DModel(
        num_attention_heads=2, attention_head_dim=16, in_channels=8, out_channels=4, time_embed_dim=2,
        text_embed_dim=32, num_layers=1, sample_width=4, sample_height=4, sample_frames=9, patch_size=2,
        temporal_compression_ratio=4, max_text_seq_length=226, use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )  # fmt: skip
    return d.CogVideoXImageToVideoPipeline(
        transformer=network, vae=of_text.vae, scheduler=of_text.scheduler, text_encoder=of_text.text_encoder,
        tokenizer=of_text.tokenizer,
    )  # fmt: skip


TINY: dict[str, Callable[[], Any]] = {
    "wan": wan, "ltx": ltx, "cogvideox": cogvideox, "hunyuan": hunyuan, "svd": svd, "wan-image": wan_image,
    "cogvideox-image": cogvideox_image,
}  # fmt: skip


def write_tiny(name: str, folder: Path) -> Path:
    """The folder of a tiny pipeline, the same weights each time."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        TINY[name]().save_pretrained(str(folder), safe_serialization=True)
    return folder


def write_lora(pipe: Any, file: Path, seed: int = 0) -> Path:
    """A LoRA file in diffusers' layout, of rank 2, with random factors for the attention of a pipeline's network."""
    from safetensors.torch import save_file

    rng = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}
    for name, layer in pipe.transformer.named_modules():
        if name.endswith(("to_q", "to_k", "to_v")):
            tensors[f"transformer.{name}.lora_A.weight"] = torch.randn(2, layer.in_features, generator=rng)
            tensors[f"transformer.{name}.lora_B.weight"] = torch.randn(layer.out_features, 2, generator=rng)
    save_file(tensors, str(file))
    return file
