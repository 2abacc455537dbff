"""The names of Stable Video Diffusion's weights in its two published layouts.

    diffusers   a folder: unet/, vae/, image_encoder/; our own names are those of unet/ and vae/
    sgm         one file, svd.safetensors: model.diffusion_model.*, first_stage_model.*, conditioner.embedders.*

Each function gives the sgm name of a diffusers name. All 1,428 names of the published U-Net have one each, and the 374
of the autoencoder. In sgm the picture has an encoder of its own (embedder 3), a copy of the first stage's, and the
projection of latents (`quant_conv`) stands there alone.
"""

from __future__ import annotations

import re

UNET, FIRST_STAGE = "model.diffusion_model.", "first_stage_model."
PICTURE, CLIP = "conditioner.embedders.3.encoder.", "conditioner.embedders.0.open_clip.model.visual."
LEFT_OUT = re.compile(re.escape(PICTURE) + r"(decoder|post_quant_conv)\..*")
"""The decoder of the picture's autoencoder, which nothing uses."""

RESIDUAL = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
AROUND = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
VISION = {
    "vision_model.embeddings.class_embedding": "class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "positional_embedding",
    "vision_model.pre_layrnorm": "ln_pre", "vision_model.post_layernorm": "ln_post",
}  # fmt: skip
LAYER = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
         "self_attn.out_proj": "attn.out_proj"}  # fmt: skip


def unet_name(name: str, blocks: int, attends: frozenset[int]) -> str:
    """Of the U-Net. blocks: residual blocks of a level on the way down; attends: the levels of the way up, from the
    coarsest, that have attention."""
    if (found := _renamed(name, AROUND)) is not None:
        return UNET + found
    part, level, kind, number, rest = _groups_of(r"(\w+?)_blocks?(?:\.(\d+))?\.(\w+)\.(\d+)\.(.*)", name)
    rest = _residual(rest) if kind == "resnets" else _attention(rest) if kind == "attentions" else rest
    if part == "mid":
        return f"{UNET}middle_block.{1 if kind == 'attentions' else 2 * int(number)}.{rest}"
    first, within = int(level) * (blocks + 1), int(number)
    if kind == "downsamplers":
        return f"{UNET}input_blocks.{1 + first + blocks}.0.{rest.replace('conv.', 'op.')}"
    if kind == "upsamplers":
        return f"{UNET}output_blocks.{first + blocks}.{2 if int(level) in attends else 1}.{rest}"
    which = int(kind == "attentions")
    if part == "down":
        return f"{UNET}input_blocks.{1 + first + within}.{which}.{rest}"
    return f"{UNET}output_blocks.{first + within}.{which}.{rest}"


def autoencoder_name(name: str, levels: int) -> str:
    """Of the autoencoder, without `first_stage_model.`."""
    if name.startswith("quant_conv."):
        return name
    side, rest = name.split(".", 1)
    around = {"conv_in": "conv_in", "conv_norm_out": "norm_out", "conv_out": "conv_out",
              "time_conv_out": "conv_out.time_mix_conv"}  # fmt: skip
    if (found := _renamed(rest, around)) is not None:
        return f"{side}.{found}"
    if rest.startswith("mid_block.attentions.0."):
        return f"{side}.mid.attn_1.{_renamed(rest.removeprefix('mid_block.attentions.0.'), ATTENTION)}"
    if rest.startswith("mid_block."):
        number, rest = _groups_of(r"mid_block\.resnets\.(\d+)\.(.*)", rest)
        return f"{side}.mid.block_{int(number) + 1}.{_frame_block(rest)}"
    way, level, kind, number, rest = _groups_of(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", rest)
    place = levels - 1 - int(level) if way == "up" else int(level)
    if kind in ("downsamplers", "upsamplers"):
        return f"{side}.{way}.{place}.{way}sample.{rest}"
    return f"{side}.{way}.{place}.block.{number}.{_frame_block(rest)}"


def vision_name(name: str) -> str:
    """Of CLIP's encoder of pictures, but for its attention's queries, keys and values, which are one tensor in sgm."""
    if (found := _renamed(name, VISION)) is not None:
        return CLIP + found
    if name == "visual_projection.weight":  # transposed there
        return f"{CLIP}proj"
    number, rest = _groups_of(r"vision_model\.encoder\.layers\.(\d+)\.(.*)", name)
    found = _renamed(rest, LAYER)
    if found is None:
        raise KeyError(name)
    return f"{CLIP}transformer.resblocks.{number}.{found}"


def is_flat(name: str) -> bool:
    """Whether a weight of the autoencoder is a matrix here and a convolution of 1x1 in sgm."""
    return re.fullmatch(r"\w+\.mid_block\.attentions\.0\.to_\w+(\.0)?\.weight", name) is not None


def _residual(rest: str) -> str:
    if rest.startswith("time_mixer."):
        return rest
    part, rest = rest.split(".", 1)
    found = _renamed(rest, RESIDUAL)
    if found is None:
        raise KeyError(rest)
    return found if part == "spatial_res_block" else f"time_stack.{found}"


def _attention(rest: str) -> str:
    rest = rest.replace("temporal_transformer_blocks.", "time_stack.", 1)
    numbers = {"time_pos_embed.linear_1": "time_pos_embed.0", "time_pos_embed.linear_2": "time_pos_embed.2"}
    return _renamed(rest, numbers) or rest


def _frame_block(rest: str) -> str:
    if rest == "time_mixer.mix_factor":
        return "mix_factor"
    if rest.startswith("temporal_res_block."):
        return f"time_stack.{_renamed(rest.removeprefix('temporal_res_block.'), RESIDUAL)}"
    return rest.removeprefix("spatial_res_block.").replace("conv_shortcut", "nin_shortcut")


def _renamed(name: str, table: dict[str, str]) -> str | None:
    """The name with its beginning as the table says; None where that has no entry."""
    for old, new in table.items():
        if name == old or name.startswith(f"{old}."):
            return new + name[len(old) :]
    return None


def _groups_of(pattern: str, name: str) -> tuple[str, ...]:
    found = re.fullmatch(pattern, name)
    if found is None:
        raise KeyError(name)
    return tuple(part or "" for part in found.groups())
