"""What is known of a pipeline before it is loaded: class, parameters, bytes, digest. Needs no PyTorch."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storyreel.hub.families import Family, PipelineLimits, family_of, limits_of
from storyreel.hub.makes import makes
from storyreel.hub.reference import INDEX, components, has_network, missing, name_of, read_index
from storyreel.hub.signature import signature_of
from storyreel.hub_client import SETTINGS
from storyreel.tensor_header import TensorInfo, read_header, sha256_once

_SHA256 = re.compile(r"[0-9a-f]{64}")
VARIANT = re.compile(r"\.(fp16|bf16|fp32|non_ema)[.-]")


@dataclass(frozen=True)
class ComponentWeights:
    """The weights of one component: numbers, bytes on the disk, and its largest group of layers, in numbers."""

    parameters: int
    bytes: int
    largest_layer: int


def describe(folder: Path) -> dict[str, Any]:
    """What `storyreel.generate.registry.describe` says of a model. ValueError, one line: it could not be opened."""
    index = read_index(folder)
    if (lacks := missing(folder)) is not None:
        raise ValueError(f"{folder}: has no {lacks or INDEX}; only weights in safetensors are loaded")
    family = family_of(folder, index)
    limits, found = limits_of(folder, family), weights(folder)
    return {
        "name": name_of(folder),
        "path": str(folder),
        "system": index["_class_name"],
        "pipeline": True,
        "fps": family.fps,
        "stride": limits.stride,
        "multiple": limits.multiple,
        "digest": digest_of(folder),
        "parameters": sum(each.parameters for each in found.values()),
        "megabytes": round(sum(each.bytes for each in found.values()) / 1e6, 1),
        "about": f"a pipeline of diffusers, {family.fps} frames a second",
        "conditional": bool({"tokenizer", "text_encoder"} & components(index).keys()),
        **_makes(folder, index, family, limits),
    }


def _makes(folder: Path, index: dict[str, Any], family: Family, limits: PipelineLimits) -> dict[str, Any]:
    """What the studio asks of a model; {} where diffusers is missing or lacks the class, which loading tells."""
    try:
        found = signature_of(index["_class_name"])
    except ValueError:
        return {}
    return {"makes": makes(folder, family, limits, found).as_json()}


def weights(folder: Path) -> dict[str, ComponentWeights]:
    """Component -> its weights, from the headers of its files alone."""
    return {part: _weights(weight_files(folder / part)) for part in networks(folder)}


def networks(folder: Path) -> list[str]:
    return [part for part in components(read_index(folder)) if has_network(folder / part)]


def weight_files(part: Path) -> list[Path]:
    """The safetensors files of a component: those without a variant in their name, where there are any."""
    files = sorted(part.glob("*.safetensors"))
    return [file for file in files if not VARIANT.search(file.name)] or files


def variant_of(folder: Path) -> str | None:
    """The variant, such as fp16, that a folder has in place of plain weights; None where there are plain ones."""
    files = [file for part in networks(folder) for file in weight_files(folder / part)]
    found = {match[1] for file in files if (match := VARIANT.search(file.name))}
    return min(found) if found else None


def _weights(files: list[Path]) -> ComponentWeights:
    tensors: dict[str, TensorInfo] = {}
    for file in files:
        tensors |= read_header(file)
    layers: dict[str, int] = {}
    for name, info in tensors.items():
        number = re.match(r"(.*?\.\d+)\.", name)
        layer = number[1] if number else name.partition(".")[0]
        layers[layer] = layers.get(layer, 0) + math.prod(info.shape)
    size = sum(info.bytes for info in tensors.values())
    return ComponentWeights(sum(layers.values()), size, max(layers.values(), default=0))


def digest_of(folder: Path) -> str:
    """sha256 over those of all files of a pipeline, hex. The hub's cache names its large files by theirs."""
    files = [folder / INDEX]
    for part in components(read_index(folder)):
        files += weight_files(folder / part)
        files += [file for pattern in SETTINGS for file in (folder / part).glob(pattern)]
    lines = {f"{file.relative_to(folder).as_posix()}:{_sha256(file)};" for file in files}
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _sha256(file: Path) -> str:
    target = file.resolve()
    if file.is_symlink() and target.parent.name == "blobs" and _SHA256.fullmatch(target.name):
        return target.name
    return sha256_once(target)
