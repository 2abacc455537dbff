"""Which arithmetic pays on a device: bfloat16 where the hardware has it, else float32.

A processor without bfloat16 instructions emulates them, ten times slower than float32. A processor may also name them
and gain nothing from them, so that before a training run they are timed, once a machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import time
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from storyreel.json_file import read_object
from storyreel.storage import replacing

Precision: TypeAlias = Literal["auto", "fp32", "bf16"]
GAIN = 1.1  # bfloat16 must be so many times as fast to be chosen
SIZE, TRIES = 512, 5  # of the layers that are timed


def has_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies matrices in bfloat16: GPUs since 2020, CPUs with AVX-512 BF16 or AMX, unless
    PyTorch was told to take such a CPU for an older one (ATEN_CPU_CAPABILITY)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    older = torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2")
    return (
        device.type == "cpu"
        and not older
        and (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # pyright: ignore
        )
    )


def settled(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """What "auto" means for training on a device; anything else as it is."""
    if precision != "auto":
        return precision
    if not has_bf16(device):
        return "fp32"
    return "bf16" if device.type != "cpu" or _gain() >= GAIN else "fp32"


@cache
def _gain() -> float:
    """How many times as fast a linear layer's forward and backward pass is in bfloat16 on this processor; from the
    user's cache, where it was timed before."""
    file = _file()
    if file is not None and file.is_file():
        with contextlib.suppress(ValueError, KeyError, TypeError, OSError):
            return float(read_object(file)["gain"])
    gain = _seconds(torch.float32) / _seconds(torch.bfloat16)
    if file is not None:
        with contextlib.suppress(OSError):  # a cache that cannot be written is timed again
            file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(file) as (made,):
                made.write_text(json.dumps({"gain": round(gain, 3), "torch": torch.__version__}))
    return gain


def _file() -> Path | None:
    """Where the timing of this machine is kept; None where there is no place for it."""
    folder = os.environ.get("STORYREEL_CACHE")
    if not folder:
        try:
            import platformdirs
        except ImportError:
            return None
        folder = platformdirs.user_cache_dir("storyreel")
    return Path(folder) / f"bf16-{_machine()}.json"


def _machine() -> str:
    facts = [
        platform.machine(),
        platform.processor(),
        torch.__version__,
        torch.get_num_threads(),
        torch.__config__.show(),
    ]
    with contextlib.suppress(OSError):
        facts += [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")][:1]
    return hashlib.sha256("/".join(map(str, facts)).encode()).hexdigest()[:16]


def _seconds(dtype: torch.dtype) -> float:
    """The shortest of some tries; the first warms up."""
    x, weight = (torch.ones(SIZE, SIZE, dtype=dtype, requires_grad=grad) for grad in (False, True))
    times = []
    for _ in range(TRIES + 1):
        began = time.perf_counter()
        made: Tensor = (x @ weight).float().sum()
        made.backward()
        times.append(time.perf_counter() - began)
    return min(times[1:])
