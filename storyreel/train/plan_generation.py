"""How much memory a video takes of published weights of Stable Video Diffusion, counted from their headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from storyreel.published_svd.files import PARTS, root, weights_files
from storyreel.published_svd.layouts import from_sgm
from storyreel.published_svd.model import sized_for
from storyreel.recipes import get
from storyreel.tensor_header import read_header
from storyreel.train.command import changed
from storyreel.train.cost import peak_bytes

HALVES = 2  # of guidance, in one batch
BYTES = 4  # of a weight, which a model holds as float32


def plan_generation(path: Path, memory: float, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Bytes of the weights, and the most that each network's work takes beside them.

    memory: of the GPU, in GB (10^9 bytes). settings: of the recipe svd_finetune, such as system.shape.frames=25. Work
    is counted in float32, of which a GPU, in bfloat16, takes between a half and all. ValueError as for the weights.
    """
    parts = outlined(path)
    system: Any = changed(sized_for(get("svd_finetune"), path, parts), settings).system
    weights = {name: sum(t.numel() for t in tensors.values()) * BYTES for name, tensors in parts.items()}
    work = {name: peak_bytes(each, known) for name, (each, known) in _work(system).items()}
    needs = sum(weights.values()) + max(work.values())
    shape = system.shape
    return {
        "model": str(path),
        "video": f"{shape.frames}x{shape.height}x{shape.width}",
        "gpu_memory_gb": memory,
        "weights_gb": {name: round(size / 1e9, 3) for name, size in weights.items()},
        "work_gb": {name: round(size / 1e9, 3) for name, size in work.items()},
        "needs_gb": round(needs / 1e9, 3),
        "fits": needs <= memory * 1e9,
    }


def outlined(path: Path) -> dict[str, dict[str, Tensor]]:
    """Part -> name -> tensor without contents, from the headers of the files."""
    path = root(path)
    found = [
        {name: torch.empty(info.shape, device="meta") for name, info in read_header(file).items()}
        for file in weights_files(path)
    ]
    return dict(zip(PARTS, found, strict=True)) if path.is_dir() else from_sgm(found[0], str(path))[0]


def _work(config: Any) -> dict[str, tuple[Callable[[], object], list[Tensor]]]:
    """Network -> one call of it for a video of the config's shape, and what is there before."""
    shape, patch, latent = config.shape, config.autoencoder.patch, config.autoencoder.latent_channels
    with torch.device("meta"):
        system: Any = config.build()
        stage, unet = system.image_stage, config.unet
        image = torch.empty(1, 3, shape.height, shape.width)
        size = (shape.frames, shape.height // patch, shape.width // patch)
        z = torch.empty(HALVES, unet.in_channels, *size)
        context, numbers = torch.empty(HALVES, 1, unet.context), torch.empty(HALVES, unet.conditions)
        latents, logsnr = torch.empty(1, latent, *size), torch.empty(HALVES)
    stage.eval()
    known = [*system.parameters(), *system.buffers(), image, z, context, numbers, latents, logsnr]
    return {
        "image_encoder": (lambda: (stage.encoder(image), stage.encode(image[:, :, None])), known),
        "unet": (lambda: stage.network(z, logsnr, context, numbers), known),
        "vae": (lambda: stage.decode(latents), known),
    }


def plan_text(found: dict[str, Any]) -> str:
    def listed(sizes: dict[str, float]) -> str:
        return ", ".join(f"{part} {size:g}" for part, size in sizes.items())

    fits = "fits" if found["fits"] else "does not fit"
    return "\n".join([
        f"{found['model']}: a video of {found['video']}; GB",
        f"  weights: {listed(found['weights_gb'])}",
        f"  beside them, of one after the other: {listed(found['work_gb'])}",
        f"  in all at most {found['needs_gb']:g}, {fits} into {found['gpu_memory_gb']:g}",
    ])  # fmt: skip
