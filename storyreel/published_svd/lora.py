"""Factors of low rank for Stable Video Diffusion in PEFT's layout: written from a model, and merged into weights.

    FOLDER/adapter_model.safetensors   base_model.model.LAYER.lora_A.weight (rank, in), ...lora_B.weight (out, rank)
    FOLDER/adapter_config.json         rank, alpha, the layers

The file says by a digest (`svd_lora.digest`) which network its factors are for, and is refused for another.
"""

from __future__ import annotations

import os
from pathlib import Path

from safetensors import safe_open

from storyreel.folder_replacement import replacing_folder
from storyreel.json_file import read_object
from storyreel.model import load_model
from storyreel.numbers import number
from storyreel.published_svd.layouts import Tensors, write_folder
from storyreel.published_svd.model import read_parts, settings_of, sized_for
from storyreel.recipes import get
from storyreel.storage import write_json
from storyreel.systems.svd_image import ImageSvd, LoraStage
from storyreel.systems.svd_lora import LAYER, A, B, digest, merge
from storyreel.tensor_file import read_tensors, write_tensors
from storyreel.tensor_header import check_no_pickle

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIXES = ("base_model.model.", "unet.", "")  # of PEFT, of diffusers, of neither
BASE = "base_sha256"
ALPHAS = (-1e6, 1e6)


def export_lora(model: Path, out: Path) -> int:
    """Write the factors of a model that was trained by svd_lora as a folder that PEFT reads; how many layers they have.

    ValueError for a model without factors, or a folder that is somebody else's.
    """
    system, recipe, _ = load_model(model)
    if not isinstance(system, ImageSvd) or not isinstance(system.image_stage, LoraStage):
        raise ValueError(f"{model}: expected a model of svd_lora, got one of {recipe.name}")
    stage = system.image_stage
    stage.check_base()
    names, factors = stage.factors.names, stage.factors
    found = {f"{PREFIXES[0]}{name}": tensor for name, tensor in factors.by_name().items()}
    config = {
        "peft_type": "LORA", "task_type": None, "r": factors.rank, "lora_alpha": system.image_stage.picture.alpha,
        "target_modules": names, "lora_dropout": 0.0, "bias": "none", "inference_mode": True,
        "base_model_name_or_path": None,
    }  # fmt: skip
    with replacing_folder(out, "lora", inputs=[model]) as made:
        write_tensors(made / WEIGHTS, found, {"format": "pt", BASE: stage.base_digest()})
        write_json(made / CONFIG, config)
    return len(names)


def merge_lora(lora: Path, model: Path, out: Path) -> list[str]:
    """Write published weights with factors merged into them, as a folder in diffusers' layout; lines of what could not
    be checked.

    lora: a folder of PEFT, or its file. ValueError before anything is written: factors of another network (by digest,
    by a name or by a shape), weights that are not published ones, or an `out` that is not ours.
    """
    factors, scale, base = read_lora(lora)
    parts = read_parts(model)
    here = digest(parts["unet"])
    if base is not None and base != here:
        raise ValueError(f"{lora}: is for the network with the digest {base[:12]}, and {model} has {here[:12]}")
    _check(factors, parts["unet"], lora)
    parts["unet"] = merge(parts["unet"], factors, scale)
    sized_for(get("svd_finetune"), model, parts)  # its settings are those of this network
    write_folder(out, parts, settings_of(model, parts), inputs=[lora, model])
    return [] if base else [f"{lora} does not say which network its factors are for; their shapes fit"]


def read_lora(path: Path) -> tuple[Tensors, float, str | None]:
    """Factors by name without a prefix, what they are multiplied by, and the digest of their network, where the file
    has it. ValueError, one line, for anything else."""
    file = path / WEIGHTS if path.is_dir() else path
    check_no_pickle(file)
    tensors = read_tensors(file)
    with safe_open(os.fspath(file), "pt") as opened:  # pyright: ignore[reportPrivateImportUsage]
        base = (opened.metadata() or {}).get(BASE)
    prefix = next(p for p in PREFIXES if all(name.startswith(p) for name in tensors))
    factors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    layers = {name.removesuffix(f".{end}") for name in factors for end in (A, B) if name.endswith(end)}
    expected = {f"{layer}.{end}" for layer in layers for end in (A, B)}
    if not factors or expected != factors.keys():
        odd = next(iter(sorted(factors.keys() ^ expected)), "nothing")
        raise ValueError(f"{file}: expected a lora_A.weight and a lora_B.weight for each layer; {odd} has no fellow")
    for name, tensor in factors.items():
        if tensor.ndim != 2 or not tensor.float().isfinite().all():
            raise ValueError(f"{file}: {name[:200]}: expected a matrix of finite numbers")
    ranks = {tensor.shape[not name.endswith(A)] for name, tensor in factors.items()}
    rank = max(ranks)
    config = file.with_name(CONFIG)
    settings = read_object(config) if config.is_file() else {}
    if len(ranks) > 1 or settings.get("r", rank) != rank or rank < 1:
        raise ValueError(f"{config if settings else file}: expected one rank for all layers")
    return factors, number(settings.get("lora_alpha", rank), f"{config}: lora_alpha", *ALPHAS) / rank, base


def _check(factors: Tensors, unet: Tensors, where: Path) -> None:
    """ValueError names the first factor that this network has no layer for, or whose shape does not fit."""
    for name in sorted(factors):
        layer, _, end = name.rpartition(".lora_")
        whole = unet.get(f"{layer}.weight")
        if whole is None or whole.ndim != 2:
            raise ValueError(f"{where}: {name}: this network has no such layer ({LAYER.pattern})")
        side = whole.shape[1] if end.startswith("A") else whole.shape[0]
        if factors[name].ndim != 2 or factors[name].shape[end.startswith("A")] != side:
            raise ValueError(f"{where}: {name} is {list(factors[name].shape)}, which does not fit {list(whole.shape)}")
