"""A training process of its own, which trains the toy recipe.

python child.py RUN STEPS ACCUMULATE
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from toy import build, toy_loader, toy_recipe

from storyreel.run import Run
from storyreel.train.distributed import processes
from storyreel.train.stages import train_system


def train_as(rank: dict[str, str], path: Path, kind: str, steps: int, accumulate: int, stop: int | None = None) -> None:
    """Train as one process of those that torchrun would start; `rank` is what it would put into the environment.

    kind: none, ddp or fsdp. With `stop` it ends, as if it were killed, after that step of a stage.
    """
    os.environ.update(rank)
    torch.set_num_threads(1)
    recipe = toy_recipe(steps=steps, accumulate=accumulate, checkpoint_every=4)

    def on_step(record, extra) -> None:
        if record["step"] == stop:
            os._exit(0)

    def train(rank: int = 0, world: int = 1) -> None:
        run = Run.open(path, recipe)
        loader = partial(toy_loader, rank=rank, world=world)
        train_system(lambda: build(recipe), run, loader, kind=kind, on_step=on_step)

    if kind == "none":
        return train()
    with processes(torch.device("cpu")) as (number, world, _):
        train(number, world)


if __name__ == "__main__":
    train_as({}, Path(sys.argv[1]), "none", int(sys.argv[2]), int(sys.argv[3]))
