"""One contender at one task, for `benchmarks/diffusion.py`.

    python FILE imagen|make_a_video|svd train|sample peer|ours|deeper fp32|bf16 THREADS WARM-UPS SIZE

Says {} when warm; then does one repetition a line "go" on stdin, and tells its memory at "end". The networks are in the
file of the peer's name.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from stand_ins import StandIns
from torch import Tensor, nn

BATCH, FRAMES, WORDS, TEXT_DIM, GUIDANCE = 2, 16, 32, 512, 3.0

# What the peers import and never run here; an empty tuple where all that is needed is installed.
ABSENT = {
    "imagen": (
        "torchvision", "transformers", "accelerate", "kornia", "datasets", "pytorch_warmup", "click", "fsspec",
        "ema_pytorch",
    ),
    "make_a_video": (),
    "svd": (),
}  # fmt: skip


@dataclass
class Contender:
    """A network, the loss of a batch, and `steps` steps of sampling a batch."""

    net: nn.Module
    loss: Callable[[], Tensor]
    sample: Callable[[], Tensor]
    steps: int = 1


def seeded(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def train(contender: Contender, inside: Callable[[], Any]) -> Callable[[], float]:
    optimizer = torch.optim.AdamW(contender.net.parameters(), lr=1e-4, fused=True)
    contender.net.train()

    def step() -> float:
        with inside():
            total = contender.loss()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        if not bool(total.isfinite()):
            raise ValueError(f"the loss is {total}")
        return 1.0

    return step


def sample(contender: Contender, inside: Callable[[], Any]) -> Callable[[], float]:
    contender.net.eval().requires_grad_(False)

    def some() -> float:
        with torch.inference_mode(), inside():
            made = contender.sample()
        if not bool(made.isfinite().all()):
            raise ValueError("the sample is not finite")
        return float(contender.steps)

    return some


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    peer, task, who, precision, threads, warm, size = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)

    def inside() -> Any:
        return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")

    if who == "peer":
        sys.path.insert(0, str(Path(__file__).parents[1] / ".peers"))
        sys.meta_path.insert(0, StandIns(ABSENT[peer]))  # type: ignore[arg-type]
    try:
        module = importlib.import_module(peer)
        for name in module.IMPORTS[who == "peer"]:
            importlib.import_module(name)
        before = memory("VmRSS")
        contender = module.peer(int(size)) if who == "peer" else module.ours(int(size), deeper=who == "deeper")
        work = {"train": train, "sample": sample}[task](contender, inside)
        for _ in range(int(warm)):
            work()
    except Exception as error:
        tell(failed=f"{type(error).__name__}: {error}".splitlines()[0])
        return
    tell()
    for line in sys.stdin:
        if line.strip() != "go":
            break
        began, used = time.perf_counter(), time.process_time()
        count = work()
        tell(seconds=(time.perf_counter() - began) / count, cpu=(time.process_time() - used) / count)
    tell(peak=memory("VmHWM") - before, parameters=sum(p.numel() for p in contender.net.parameters()))


def memory(name: str) -> float:
    """MB resident now (VmRSS) or at most so far (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status: no {name}; this benchmark needs Linux")


if __name__ == "__main__":
    sys.modules["diffusion"] = sys.modules["__main__"]  # which the networks' files import
    main()
