"""A training process of its own: trains the toy recipe into the folder that it is given.

    python child.py RUN none|ddp|fsdp STEPS ACCUMULATE [STOP]

With STOP it ends, as if it were killed, after that step of the first stage.
"""

import os
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]


def main() -> None:
    path, kind, steps, accumulate = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    stop = int(sys.argv[5]) if len(sys.argv) > 5 else None
    import torch
    from toy import build, toy_loader, toy_recipe

    from storyreel.run import Run
    from storyreel.train.stages import train_system

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
    from storyreel.train.distributed import processes

    with processes(torch.device("cpu")) as (rank, world, _):
        train(rank, world)


if __name__ == "__main__":
    main()
