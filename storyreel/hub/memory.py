"""How much memory a pipeline takes, from the headers of its weights: all of it on the GPU, or parts in turn.

The weights are counted. What a video takes beside them is not: `WORK` bytes are left for it, which is an estimate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storyreel.hub.describe import weights
from storyreel.hub.families import NETWORKS, family_of
from storyreel.hub.reference import read_index

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
NAMES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
WORK = 2e9  # bytes beside the weights
MODES = ("none", "model", "group")
CHOSEN = "STORYREEL_OFFLOAD"
"""The environment variable that says the offloading: auto, none, model or group."""
WAYS = {
    "none": "whole, all weights on the GPU",
    "model": "model offload, one network on the GPU at a time",
    "group": "group offload, one layer on the GPU at a time: slow",
}


@dataclass(frozen=True)
class Needs:
    """Bytes of GPU memory that each way takes, `WORK` included, and of the machine's memory, where weights wait.

    A few small layers that diffusers keeps in float32 whatever the precision count as the others.
    """

    components: dict[str, int]
    gpu: dict[str, float]
    machine: float

    def mode(self, gpu: float, machine: float | None = None) -> str | None:
        """The fastest way that fits into so many bytes; None where none does."""
        if machine is not None and self.machine > machine:
            return "none" if self.gpu["none"] <= gpu else None
        return next((mode for mode in MODES if self.gpu[mode] <= gpu), None)


def needs(folder: Path, precision: str | None = None, layerwise: bool = False) -> Needs:
    """precision: fp32, bf16 or fp16; None for what the family prefers on a GPU. layerwise: as the setting of a video,
    with a byte for each weight of the networks that run at each step (their norms take more, which is little)."""
    family = family_of(folder, read_index(folder))
    dtype = NAMES[precision] if precision else family.dtype
    found = weights(folder)
    sizes = {
        part: BYTES[max(dtype, family.vae_dtype or dtype, key=BYTES.__getitem__) if part == "vae" else dtype]
        for part in found
    }
    sizes |= {part: 1 for part in NETWORKS if part in found and layerwise}
    components = {part: each.parameters * sizes[part] for part, each in found.items()}
    layer = max((each.largest_layer * sizes[part] for part, each in found.items()), default=0)
    total = sum(components.values())
    largest = max(components.values(), default=0)
    gpu = {"none": total + WORK, "model": largest + WORK, "group": min(2 * layer, largest) + WORK}
    return Needs(components, gpu, float(total))


def plan(folder: Path, name: str, memory: float, precision: str | None = None) -> dict[str, Any]:
    """What `storyreel plan hub:...` says. memory: of the GPU, in GB (10^9 bytes)."""
    found, smaller = needs(folder, precision), needs(folder, precision, layerwise=True)
    mode = found.mode(memory * 1e9)
    return {
        "model": name,
        "gpu_memory_gb": memory,
        "precision": precision or "of the family",
        "components_gb": {part: round(size / 1e9, 3) for part, size in found.components.items()},
        "needs_gb": {way: round(size / 1e9, 3) for way, size in found.gpu.items()},
        "layerwise_gb": {way: round(size / 1e9, 3) for way, size in smaller.gpu.items()},
        "machine_gb": round(found.machine / 1e9, 3),
        "offload": mode,
        "layerwise_offload": smaller.mode(memory * 1e9),
        "fits": mode is not None,
    }


def plan_text(found: dict[str, Any]) -> str:
    parts = ", ".join(f"{part} {size:g}" for part, size in found["components_gb"].items())
    lines = [f"{found['model']}: weights in GB, {found['precision']}: {parts}"]
    for mode, size in found["needs_gb"].items():
        fits = "fits" if size <= found["gpu_memory_gb"] else "does not fit"
        lines.append(f"  {WAYS[mode]}: {size:g} GB of GPU memory, {fits} into {found['gpu_memory_gb']:g}")
    lines.append(f"  beside it {found['machine_gb']:g} GB of the machine's memory, where weights wait")
    chosen, smaller = found["offload"], found["layerwise_offload"]
    lines.append(f"--offload {chosen}" if chosen else "does not fit; try --precision, a larger GPU or a smaller model")
    if smaller is not None and smaller != chosen:
        lines.append(f"--offload {smaller} --layerwise: {found['layerwise_gb'][smaller]:g} GB, weights in 8 bits")
    return "\n".join([*lines, f"{WORK / 1e9:g} GB of each are left for the video itself: an estimate"])


@contextmanager
def using(mode: str | None) -> Iterator[None]:
    """In the block pipelines are offloaded so, here and in the processes that this one starts."""
    if mode is None:
        yield
        return
    before = os.environ.get(CHOSEN)
    os.environ[CHOSEN] = mode
    try:
        yield
    finally:
        os.environ.pop(CHOSEN)
        if before is not None:
            os.environ[CHOSEN] = before


def chosen_mode(folder: Path, device: Any, precision: str, layerwise: bool) -> str:
    """none, model or group: what $STORYREEL_OFFLOAD says, or (auto) the fastest that fits into the GPU's free memory.

    ValueError, with the numbers, where none fits, or a CPU is to be spared the weights that it has anyway.
    """
    setting = os.environ.get(CHOSEN, "auto").strip().lower() or "auto"
    if setting not in ("auto", *MODES):
        raise ValueError(f"{CHOSEN}: expected auto, {', '.join(MODES)}, got {setting[:40]!r}")
    if device.type != "cuda":
        if setting in ("model", "group"):
            raise ValueError(f"offload: {setting}: it computes on the CPU, and there is nothing to offload")
        return "none"
    if setting != "auto":
        return setting
    import torch

    free = float(torch.cuda.mem_get_info(device)[0])
    found = needs(folder, precision, layerwise)
    if (mode := found.mode(free)) is None:
        least = found.gpu["group"] / 1e9
        raise ValueError(f"{folder}: does not fit: {free / 1e9:.1f} GB of GPU memory are free, expected {least:.1f}")
    return mode


def place(pipe: Any, device: Any, mode: str) -> Any:
    """The pipeline on its device, or with what brings its parts there in turn; its decoder then works in tiles."""
    if mode == "model":
        pipe.enable_model_cpu_offload(device=device)
    elif mode == "group":
        streams = getattr(device, "type", device) == "cuda"
        pipe.enable_group_offload(onload_device=device, offload_type="leaf_level", use_stream=streams)
    else:
        return pipe.to(device)
    if hasattr(getattr(pipe, "vae", None), "use_tiling"):  # those that cannot inherit a method that refuses
        pipe.vae.enable_tiling()
    return pipe
