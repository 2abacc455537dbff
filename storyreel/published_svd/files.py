"""Which files are published weights of Stable Video Diffusion, and what their headers say. Needs no PyTorch.

unet/ vae/ image_encoder/   a folder in diffusers' layout
svd.safetensors             one file in sgm's layout
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

from storyreel.tensor_header import read_header, sha256_once

PARTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "image_encoder": "model.safetensors",
}
LICENCE = (
    "published weights of Stable Video Diffusion are under Stability AI's licence, which does not allow all uses; "
    "read it where they are from"
)


def root(path: Path) -> Path:
    """The folder in diffusers' layout whose `unet` this is; else the path itself."""
    return path.parent if path.name == "unet" and path.is_dir() else path


def opens_here(path: Path) -> bool:
    """Whether it is opened as a model by our own networks: a single file, or the `unet` of a folder. The folder itself
    is a pipeline that diffusers runs (`storyreel/hub`), where it has a model_index.json."""
    return is_published(path) and not (path / "model_index.json").is_file()


def is_published(path: Path) -> bool:
    """Whether it is a folder with the three parts of diffusers' layout, its `unet`, or a file of safetensors."""
    path = root(path)
    if path.is_dir():
        return not (path / "model.json").exists() and all((path / part).is_dir() for part in PARTS)
    return path.suffix == ".safetensors" and path.is_file()


def part_file(folder: Path, part: str) -> Path:
    """The weights of a part: in half precision where there are no others. ValueError where there are none."""
    path = folder / part / PARTS[part]
    half = path.with_name(path.name.replace(".safetensors", ".fp16.safetensors"))
    if not path.is_file() and half.is_file():
        path = half
    if not path.is_file():
        raise ValueError(f"{folder / part}: expected {path.name}; is this a folder in diffusers' layout?")
    return path


def weights_files(path: Path) -> list[Path]:
    """The files with weights of a folder, or the single file."""
    return [part_file(path, part) for part in PARTS] if path.is_dir() else [path]


def describe(path: Path) -> dict[str, Any]:
    """What `model.json` says of a model that was trained here, as far as the files say it; their digest is over their
    bytes. ValueError, one line, where a file is missing or no whole safetensors file."""
    path = root(path)
    files = weights_files(path)
    headers = [read_header(file) for file in files]
    digests = "".join(sha256_once(file) for file in files)
    return {
        "name": path.resolve().stem if path.is_file() else path.resolve().name,
        "path": str(path / "unet" if path.is_dir() else path),
        "system": "svd",
        "recipe": {"name": "svd_finetune"},
        "conditional": False,
        "digest": hashlib.sha256(digests.encode()).hexdigest(),
        "megabytes": round(sum(file.stat().st_size for file in files) / 1e6, 1),
        "parameters": sum(math.prod(info.shape) for header in headers for info in header.values()),
        "about": "published weights of Stable Video Diffusion: a picture to a video",
        "licence": LICENCE,
    }
