"""What the process of every contender does: import, build, warm up; then a repetition for each line "go" on stdin.

It says {} when it is warm, the figures of each repetition, and at the end its peak memory and its parameters; or
{"failed": why} instead of any of these.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from stand_ins import StandIns
from torch import Tensor, nn

Work: TypeAlias = Callable[[], dict[str, float]]  # does a repetition; its figures, "seconds" among them
Inside: TypeAlias = Callable[[], Any]  # the context of a forward pass, in its precision
Build: TypeAlias = Callable[[Inside], tuple[nn.Module, Work]]


def serve(
    build: Build, *, imports: Sequence[str], absent: Sequence[str] | None, precision: str, threads: int, warm: int
):
    """Be a contender until stdin ends.

    imports: modules that do not count as its memory. absent: packages that a peer imports and does not need; None for
    ourselves. precision: fp32 or bf16. warm: repetitions that are not told.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if absent is not None:
        sys.path.insert(0, str(Path(__file__).parents[1] / ".peers"))
        sys.meta_path.insert(0, StandIns(absent))  # type: ignore[arg-type]
    try:
        for module in imports:
            importlib.import_module(module)
        before = memory("VmRSS")
        model, work = build(lambda: torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"))
        for _ in range(warm):
            work()
    except Exception as error:
        tell(failed=f"{type(error).__name__}: {error}".splitlines()[0])
        return
    tell()
    for line in sys.stdin:
        if line.strip() != "go":
            break
        tell(**work())
    tell(peak=memory("VmHWM") - before, parameters=sum(p.numel() for p in model.parameters()))


def timed(work: Callable[[], float | None]) -> Work:
    """Seconds on the wall and of the processor, of the whole or, where `work` says how many it did, of one."""

    def repeat() -> dict[str, float]:
        began, used = time.perf_counter(), time.process_time()
        count = work() or 1
        return {"seconds": (time.perf_counter() - began) / count, "cpu": (time.process_time() - used) / count}

    return repeat


def training(loss: Callable[[], Tensor], optimizer: torch.optim.Optimizer, inside: Inside) -> Callable[[], None]:
    """A whole training step. ValueError when its loss is not finite."""

    def step() -> None:
        with inside():
            total = loss()
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        if not bool(total.isfinite()):
            raise ValueError(f"the loss is {total}")

    return step


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def memory(name: str) -> float:
    """MB resident now (VmRSS) or at most so far (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status: no {name}; this benchmark needs Linux")
