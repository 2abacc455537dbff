"""One contender at one task, for `benchmarks/diffusion.py`.

    python FILE imagen|make_a_video|svd train|sample peer|ours|deeper fp32|bf16 THREADS WARM-UPS SIZE

Says {} when warm; then does one repetition a line "go" on stdin, and tells its memory at "end". The networks are in the
file of the peer's name.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

import torch
from process import Inside, Work, serve, timed, training
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


def train(contender: Contender, inside: Inside) -> Callable[[], None]:
    contender.net.train()
    optimizer = torch.optim.AdamW(contender.net.parameters(), lr=1e-4, fused=True)
    return training(contender.loss, optimizer, inside)


def sample(contender: Contender, inside: Inside) -> Callable[[], float]:
    contender.net.eval().requires_grad_(False)

    def some() -> float:
        with torch.inference_mode(), inside():
            made = contender.sample()
        if not bool(made.isfinite().all()):
            raise ValueError("the sample is not finite")
        return float(contender.steps)

    return some


def main() -> None:
    peer, task, who, precision, threads, warm, size = sys.argv[1:]
    module = importlib.import_module(peer)

    def build(inside: Inside) -> tuple[nn.Module, Work]:
        contender = module.peer(int(size)) if who == "peer" else module.ours(int(size), deeper=who == "deeper")
        return contender.net, timed({"train": train, "sample": sample}[task](contender, inside))

    absent = ABSENT[peer] if who == "peer" else None
    serve(
        build,
        imports=module.IMPORTS[who == "peer"],
        absent=absent,
        precision=precision,
        threads=int(threads),
        warm=int(warm),
    )


if __name__ == "__main__":
    sys.modules["diffusion"] = sys.modules["__main__"]  # which the networks' files import
    main()
