"""How many optimizer steps fit into the minutes that a person gives, on this machine.

Measured once and kept: what goes on after a stop takes as many steps as it began with, or nothing would be comparable.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch

from storyreel.precision import Precision, settled
from storyreel.storage import replacing
from storyreel.systems.base import Batch, Stage, Tick

LEAST = 20  # steps
TRIES = 4  # steps that are timed; the quickest counts, since the first ones warm up


def steps_in(minutes: float, file: Path, seconds: Callable[[], float]) -> int:
    """Steps of `seconds()` each, to two figures and at least 20; those in `file` where it is there."""
    if file.is_file():
        return int(file.read_text())
    steps = max(LEAST, int(minutes * 60 / seconds()))
    steps = round(steps, -int(math.log10(steps)) + 1)  # two figures
    with replacing(file) as (made,):
        made.write_text(str(steps))
    return steps


def seconds_of(stage: Stage, batch: Batch, precision: Precision = "fp32") -> float:
    """Of one forward and backward pass on `batch`, on the device where the stage is; its first turn, where it has
    two."""
    device, times = next(stage.parameters()).device, []
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    for step in range(TRIES):
        began = time.perf_counter()
        tick = Tick(step, stage.turns[0], torch.Generator(device).manual_seed(step))
        with torch.autocast(device.type, torch.bfloat16, enabled=settled(precision, device) == "bf16"):
            loss = stage.loss(batch, tick)
        loss.total.backward()
        float(loss.total.detach())  # waits for the device
        times.append(time.perf_counter() - began)
    return min(times)
