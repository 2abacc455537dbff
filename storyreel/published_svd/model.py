"""Published weights of Stable Video Diffusion as a model: opened, and taken into a training that goes on from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from storyreel.field_ranges import checked
from storyreel.json_file import read_object
from storyreel.nn.clip import TowerConfig
from storyreel.numbers import number, shown, whole
from storyreel.outline import without_random_weights
from storyreel.published_svd.files import PARTS, describe, root
from storyreel.published_svd.layouts import Tensors, from_sgm, read_folder, unet_json, vae_json, vision_json
from storyreel.recipe import Recipe
from storyreel.recipes import get
from storyreel.screen_text import one_line
from storyreel.systems.svd import SvdConfig
from storyreel.systems.svd_autoencoder import AutoencoderConfig
from storyreel.systems.svd_image import FrozenStage, ImageSvd
from storyreel.systems.svd_unet import SvdUNetConfig
from storyreel.tensor_file import copy_into, read_tensors

CHUNK = 8  # frames that are decoded at once
MAX_FRAMES = 1_000  # that a folder may say are made of a picture
NOISE = {"sigma_min": (0.0, 1e6), "sigma_max": (0.0, 1e6)}  # of a scheduler
IN_WEIGHTS = {  # settings that the shapes of the weights say
    "unet": ("in_channels", "out_channels", "block_out_channels", "layers_per_block", "cross_attention_dim",
             "addition_time_embed_dim"),
    "vae": ("in_channels", "block_out_channels", "layers_per_block", "latent_channels"),
    "image_encoder": ("hidden_size", "intermediate_size", "num_hidden_layers", "image_size", "patch_size"),
}  # fmt: skip
STAGES = {"unet": "unet", "vae": "autoencoder", "image_encoder": "image_encoder"}  # part -> stage


def open_published(path: Path) -> tuple[ImageSvd, Recipe, dict[str, Any]]:
    """(system in eval mode, float32; recipe; what `describe` says). ValueError, one line: a name that is missing,
    unknown or misshapen, or settings that are not those of Stable Video Diffusion."""
    info, parts = describe(path), read_parts(path)
    recipe = sized_for(get("svd_finetune"), path, parts)
    with without_random_weights():
        system = recipe.system.build()
    fill(system, path, parts)
    return system.requires_grad_(False).eval(), recipe, info


def read_parts(path: Path) -> dict[str, Tensors]:
    """Part -> name -> tensor, of a folder or a single file, every name checked."""
    path = root(path)
    return read_folder(path) if path.is_dir() else from_sgm(read_tensors(path), str(path))[0]


def sized_for(recipe: Recipe, path: Path, parts: Mapping[str, Tensors] | None = None) -> Recipe:
    """A recipe for a picture alone with the networks of these weights. ValueError for another recipe."""
    system = recipe.system
    if not isinstance(system, SvdConfig) or system.picture is None:
        raise ValueError(
            f"{path}: are published weights, which svd_finetune and svd_lora go on from, not {recipe.name}"
        )
    settings = settings_of(path, read_parts(path) if parts is None else parts)
    sampling = system.image_to_video.sampling
    scheduler, where = settings["scheduler"], f"{path}/scheduler"
    ends = {k: number(scheduler.get(k, getattr(sampling, k)), f"{where}: {k}", *NOISE[k]) for k in NOISE}
    kind = scheduler.get("prediction_type", "v_prediction")
    if kind != "v_prediction":
        raise ValueError(f"{where}: expected a network that predicts v (v_prediction), got {shown(kind)}")
    vision = _vision(settings["image_encoder"], f"{path}/image_encoder/config.json")
    unet = _unet(settings["unet"], f"{path}/unet/config.json")
    num_frames = settings["unet"].get("num_frames", system.shape.frames)
    frames = whole(num_frames, f"{path}/unet/config.json: num_frames", 1, MAX_FRAMES)
    stages = {name: replace(stage, data=replace(stage.data, frames=frames)) for name, stage in recipe.stages.items()}
    return replace(
        recipe,
        stages=stages,
        system=replace(
            system,
            unet=unet,
            autoencoder=_autoencoder(settings["vae"], f"{path}/vae/config.json"),
            picture=replace(system.picture, vision=vision, embedding=unet.context),
            image_to_video=replace(system.image_to_video, sampling=replace(sampling, **ends)),
            shape=replace(system.shape, frames=frames),
        ),
    )


def fill(system: Any, path: Path, parts: Mapping[str, Tensors] | None = None) -> None:
    """Give a system its published weights."""
    if not isinstance(system, ImageSvd):
        raise ValueError(f"{path}: are published weights, which svd_finetune and svd_lora alone go on from")
    for part, tensors in (read_parts(path) if parts is None else parts).items():
        stage: Any = system.stages[STAGES[part]]
        network: Any = stage.net
        own: dict[str, Tensor] = network.state_dict(keep_vars=True)
        copy_into(own, tensors, f"{path}/{part}")
        if isinstance(stage, FrozenStage):
            stage.filled.fill_(1)


def settings_of(path: Path, parts: Mapping[str, Tensors]) -> dict[str, dict[str, Any]]:
    """Part -> its config.json, or, where there is none, what its tensors say of it.

    ValueError names a setting that is not what the tensors say: nothing is built that they do not fill.
    """
    path = root(path)
    settings = {"unet": unet_json, "vae": vae_json, "image_encoder": vision_json}
    found = {}
    for part in PARTS:
        file = path / part / "config.json"
        own = settings[part](parts[part])
        found[part] = {**own, **(read_object(file) if file.is_file() else {})}
        for name in IN_WEIGHTS[part]:
            if (got := found[part][name]) != own[name]:
                raise ValueError(f"{file}: {name}: expected {own[name]}, as the weights have, got {one_line(got, 60)}")
    scheduler = path / "scheduler" / "scheduler_config.json"
    return {**found, "scheduler": read_object(scheduler) if scheduler.is_file() else {}}


def _unet(settings: Mapping[str, Any], where: str) -> SvdUNetConfig:
    widths, down = settings["block_out_channels"], settings["down_block_types"]
    heads = settings["num_attention_heads"]
    heads = [heads] * len(widths) if isinstance(heads, int) else heads
    for name, value in (("down_block_types", down), ("num_attention_heads", heads)):
        if not isinstance(value, list):
            raise ValueError(f"{where}: {name}: expected a list, got {shown(value)}")
    if not len(widths) == len(down) == len(heads):
        raise ValueError(f"{where}: block_out_channels, down_block_types and num_attention_heads differ in length")
    values = {
        "in_channels": settings["in_channels"], "out_channels": settings["out_channels"], "widths": widths,
        "heads": [n if str(kind).startswith("CrossAttn") else 0 for n, kind in zip(heads, down, strict=True)],
        "blocks": settings["layers_per_block"], "context": settings["cross_attention_dim"],
        "condition_features": settings["addition_time_embed_dim"],
    }  # fmt: skip
    config: SvdUNetConfig = checked(SvdUNetConfig, values, where)
    if config.middle_heads != heads[-1]:
        raise ValueError(f"{where}: num_attention_heads: expected {config.middle_heads} at the end, got {heads[-1]}")
    return config


def _autoencoder(settings: Mapping[str, Any], where: str) -> AutoencoderConfig:
    values = {
        "channels": settings["in_channels"], "latent_channels": settings["latent_channels"],
        "widths": settings["block_out_channels"], "blocks": settings["layers_per_block"],
        "scale": settings["scaling_factor"],
    }  # fmt: skip
    return checked(AutoencoderConfig, values, where)


def _vision(settings: Mapping[str, Any], where: str) -> TowerConfig:
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "hidden_act",
             "layer_norm_eps", "image_size", "patch_size")  # fmt: skip
    return checked(TowerConfig, {name: settings[name] for name in names if name in settings}, where)
