"""Trains the toy recipe in a child and kills the child with SIGKILL at random moments, as often as is asked.

    python killer.py FOLDER KILLS SEED

Each life is a fork of this process, which has imported everything but run no backward pass, so that a life costs no
imports. A run that finishes before there were enough kills is kept, and another is begun. Prints how far each life
had come when it was killed.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import torch  # noqa: E402
from toy import build, toy_loader, toy_recipe  # noqa: E402

from storyreel.run import Run  # noqa: E402
from storyreel.train.stages import train_system  # noqa: E402

STEPS, EVERY = 60, 7


def train(path: Path) -> None:
    torch.set_num_threads(1)
    recipe = toy_recipe(steps=STEPS, checkpoint_every=EVERY)
    train_system(lambda: build(recipe), Run.open(path, recipe), toy_loader)


def warm_up() -> None:
    """Let torch import now what it would import at the first step of every life."""
    torch.set_num_threads(1)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter], fused=True)
    optimizer.zero_grad()
    parameter.grad = torch.zeros(1)
    optimizer.step()


def begin(path: Path) -> int:
    child = os.fork()
    if child == 0:
        try:
            train(path)
        except BaseException as error:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def wait(child: int, seconds: float) -> int | None:
    """Exit status, or None when it still lives after that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    return None


def progress(path: Path) -> list[int]:
    """Bytes logged by each stage."""
    logs = (path / stage / "log.jsonl" for stage in ("tokenizer", "prior"))
    return [log.stat().st_size if log.exists() else 0 for log in logs]


def main() -> None:
    folder, wanted, rng = Path(sys.argv[1]), int(sys.argv[2]), random.Random(int(sys.argv[3]))
    warm_up()
    began = time.monotonic()
    assert wait(begin(folder / "whole"), 60) == 0
    whole = time.monotonic() - began
    kills: list[list[int]] = []
    run = 0
    while True:
        path = folder / f"killed-{run}"
        child = begin(path)
        status = wait(child, rng.uniform(0, whole / 4) if len(kills) < wanted else 60)
        if status is None:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            kills.append(progress(path))
        elif status != 0:
            sys.exit(f"life after {len(kills)} kills ended with {status}")
        elif len(kills) < wanted:
            run += 1
        else:
            break
    print(json.dumps({"kills": kills, "runs": run + 1, "whole_seconds": whole}))


if __name__ == "__main__":
    main()
