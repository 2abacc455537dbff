"""What a recipe is and costs, in words: `storyreel train --dry-run` and `storyreel plan`."""

from __future__ import annotations

import json
from dataclasses import dataclass

from storyreel.recipe import Recipe, StageRecipe, as_json
from storyreel.train.cost import Cost, costs
from storyreel.train.report import clock
from storyreel.wording import amount

LAUNCH_SECONDS = 6.5e-6  # of the host, in PyTorch, a kernel
DEVICES = {  # name: (dense bf16 TFLOP/s, GB)
    "b200": (2250.0, 180.0),
    "h200": (989.0, 141.0),
    "h100": (989.0, 80.0),
    "mi300x": (1307.0, 192.0),
    "a100": (312.0, 80.0),
    "l40s": (362.0, 48.0),
    "l4": (121.0, 24.0),
    "a10": (125.0, 24.0),
    "4090": (165.0, 24.0),
    "3090": (71.0, 24.0),
    "v100": (125.0, 32.0),
    "t4": (65.0, 16.0),
}
"""From the makers' data sheets, without sparsity; v100 and t4 have float16 in place of bfloat16."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """gpus devices of `tflops` TFLOP/s each, of which `mfu` is reached; `memory` GB each, None when not known."""

    gpus: int = 1
    tflops: float = DEVICES["h100"][0]
    mfu: float = 0.4
    memory: float | None = DEVICES["h100"][1]

    def __post_init__(self) -> None:
        if self.gpus < 1:
            raise ValueError(f"--gpus: expected at least 1, got {self.gpus}")
        if not self.tflops > 0:
            raise ValueError(f"--tflops: expected more than 0, got {self.tflops:g}")
        if not 0 < self.mfu <= 1:
            raise ValueError(f"--mfu: expected more than 0 and at most 1, got {self.mfu:g}")

    def seconds(self, flops: float) -> float:
        return flops / (self.gpus * self.tflops * 1e12 * self.mfu)

    def step_seconds(self, cost: Cost, settings: StageRecipe) -> float:
        """Of an optimizer step: of its arithmetic, or of launching its kernels, which goes on meanwhile."""
        launching = 0.0 if settings.cuda_graphs else cost.launches * LAUNCH_SECONDS
        return max(self.seconds(cost.step), launching)


def machine(gpus: int, gpu: str, tflops: float | None, mfu: float) -> Machine:
    """ValueError for a device that is not in the table, unless its TFLOP/s are given."""
    if tflops is not None:
        return Machine(gpus=gpus, tflops=tflops, mfu=mfu, memory=None)
    if gpu not in DEVICES:
        raise ValueError(f"--gpu {gpu}: expected one of {', '.join(DEVICES)}, or --tflops")
    speed, memory = DEVICES[gpu]
    return Machine(gpus=gpus, tflops=speed, mfu=mfu, memory=memory)


def describe(recipe: Recipe) -> str:
    """The resolved recipe as JSON, then sizes, memory and FLOPs of every stage."""
    found = costs(recipe)
    lines = [json.dumps(as_json(recipe), indent=1)]
    for name, cost in found.items():
        settings = recipe.stages[name]
        parts = ", ".join(f"{part} {amount(n)}" for part, n in cost.parts.items())
        memory = cost.memory(settings)
        lines += [
            "",
            f"{name}: {amount(cost.parameters)} parameters, {amount(cost.trained)} trained ({parts})",
            f"  memory   about {size(memory)} on one device: {size(cost.state)} weights, gradients, moments, average; "
            f"{size(memory - cost.state)} activations of {settings.data.batch // settings.accumulate} clips",
            f"  compute  {amount(cost.forward)}FLOP a clip forward, {amount(cost.step)}FLOP a step of "
            f"{settings.data.batch} clips, {amount(cost.step * settings.steps)}FLOP in {settings.steps} steps",
            f"  kernels  about {cost.launches} a step",
        ]
        if cost.prepared:
            lines.append(f"  prepare  {amount(cost.prepared)}FLOP a clip, once")
    return "\n".join(lines)


def plan(recipe: Recipe, on: Machine) -> dict[str, object]:
    """Seconds and bytes a stage, and whether it fits, as plain values."""
    rows = {name: _row(cost, recipe, name, on) for name, cost in costs(recipe).items()}
    total = sum(float(row["seconds"]) for row in rows.values())  # pyright: ignore[reportArgumentType]
    here = dict(gpus=on.gpus, tflops=on.tflops, mfu=on.mfu, memory_gb=on.memory)
    return {"recipe": recipe.name, "machine": here, "stages": rows, "seconds": total}


def _row(cost: Cost, recipe: Recipe, name: str, on: Machine) -> dict[str, object]:
    settings = recipe.stages[name]
    whole, shared = cost.memory(settings, on.gpus), cost.memory(settings, on.gpus, sharded=True)
    room = None if on.memory is None else on.memory * 1e9 * 0.9  # a tenth for the framework and fragmentation
    fits = None if room is None else "ddp" if whole <= room else "fsdp" if shared <= room else "no"
    return {
        "parameters": cost.trained,
        "steps": settings.steps,
        "clips_per_step": settings.data.batch,
        "flops_per_step": cost.step,
        "kernels_per_step": cost.launches,
        "seconds": on.step_seconds(cost, settings) * settings.steps,
        "bytes_ddp": whole,
        "bytes_fsdp": shared,
        "fits": fits,
    }


def plan_text(found: dict[str, object]) -> str:
    here, rows = found["machine"], found["stages"]
    assert isinstance(here, dict)
    assert isinstance(rows, dict)
    names = (
        ("trained", 10),
        ("steps", 10),
        ("clips", 8),
        ("FLOP/step", 12),
        ("kernels", 9),
        ("time", 11),
        ("ddp", 10),
        ("fsdp", 10),
    )
    lines = [
        f"{found['recipe']} on {here['gpus']} x {here['tflops']:g} TFLOP/s at {here['mfu']:.0%} of peak",
        f"{'stage':<12}" + "".join(f"{name:>{width}}" for name, width in names) + "  fits",
    ]
    for name, row in rows.items():
        lines.append(
            f"{name:<12}{amount(row['parameters']):>10}{row['steps']:>10}{row['clips_per_step']:>8}"
            f"{amount(row['flops_per_step']):>12}{row['kernels_per_step']:>9}{clock(row['seconds']):>11}{size(row['bytes_ddp']):>10}"
            f"{size(row['bytes_fsdp']):>10}  {_fits(row['fits'])}"
        )
    seconds = found["seconds"]
    assert isinstance(seconds, float)
    lines.append(f"all: {clock(seconds)}, {seconds * here['gpus'] / 3600:,.1f} GPU hours")
    return "\n".join(lines)


def _fits(word: str | None) -> str:
    return {None: "?", "no": "no; more GPUs, accumulate, or gradient_checkpointing"}.get(word, f"with {word}")


def size(number: float) -> str:
    return f"{amount(number)}B"
