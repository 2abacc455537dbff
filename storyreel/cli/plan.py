"""storyreel plan: what a training run would take, a pipeline of the hub, or published weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def plan(
    context: typer.Context,
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe, such as phenaki_paper; hub:ORG/NAME or hub:FOLDER; weights of Stable Video Diffusion: "
            "FOLDER/unet or a file."
        ),
    ],
    gpus: Annotated[int, typer.Option(help="How many devices.")] = 1,
    gpu: Annotated[str, typer.Option(help="h100, h200, a100, 4090, ...")] = "h100",
    tflops: Annotated[float | None, typer.Option(help="Peak TFLOP/s of one device that is not in the table.")] = None,
    mfu: Annotated[float, typer.Option(help="Share of the peak that training reaches.")] = 0.4,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe: stages.prior.steps=1000")
    ] = None,
    memory: Annotated[
        float | None, typer.Option(min=0.1, help="GB of a GPU that is not in the table, for a pipeline or weights.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="fp32, bf16 or fp16, of a pipeline of the hub; what suits it by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Estimate time and memory of a training run, or whether a pipeline of the hub or published weights fit into a GPU.

    The FLOPs are counted by PyTorch on tensors without contents; a pipeline's bytes by the headers of its weights.

    storyreel plan phenaki_paper --gpus 64 --gpu h100
    """
    from storyreel.hub.reference import is_reference
    from storyreel.published_svd.files import is_published

    provided = {
        name
        for name in ("gpus", "tflops", "mfu", "settings", "memory", "precision", "gpu")
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }
    theirs, published = is_reference(recipe), is_published(Path(recipe))
    running = {"gpus", "tflops", "mfu"}
    refused = running | {"settings"} if theirs else running | {"precision"} if published else {"memory", "precision"}
    if wrong := sorted(provided & refused):
        flag = "--set" if wrong[0] == "settings" else f"--{wrong[0]}"
        owner = "a training run" if wrong[0] in running | {"settings"} else "a pipeline of the hub"
        raise typer.BadParameter(f"is of {owner}", param_hint=flag)
    if theirs or published:
        if {"gpu", "memory"} <= provided:
            raise typer.BadParameter("--gpu is given as well; expected one of the two", param_hint="--memory")
        if published:
            _of_weights(Path(recipe), gpu, memory, settings or [], as_json)
        else:
            _of_pipeline(recipe, gpu, memory, precision, as_json)
        return
    from storyreel.train.command import resolve
    from storyreel.train.plan import machine, plan_text
    from storyreel.train.plan import plan as estimate

    found = estimate(resolve(recipe, settings or []), machine(gpus, gpu, tflops, mfu))
    typer.echo(json.dumps(found) if as_json else plan_text(found))


def _of_pipeline(name: str, gpu: str, memory: float | None, precision: str | None, as_json: bool) -> None:
    """Whether a pipeline fits. Its weights are read where they lie; nothing is downloaded."""
    from storyreel.hub import memory as fitting
    from storyreel.hub import reference

    if precision not in (None, *fitting.NAMES):
        raise typer.BadParameter(f"expected {', '.join(fitting.NAMES)}", param_hint="--precision")
    memory = _memory_of(gpu) if memory is None else memory
    folder = reference.find(name, download=False)
    found = fitting.plan(folder, reference.name_of(folder), memory, precision)
    typer.echo(json.dumps(found) if as_json else fitting.plan_text(found))


def _of_weights(path: Path, gpu: str, memory: float | None, settings: list[str], as_json: bool) -> None:
    """Whether a video of published weights fits. Their headers are read."""
    from storyreel.train.plan_generation import plan_generation, plan_text

    found = plan_generation(path, _memory_of(gpu) if memory is None else memory, settings)
    typer.echo(json.dumps(found) if as_json else plan_text(found))


def _memory_of(gpu: str) -> float:
    """GB of a device of the table."""
    from storyreel.train.plan import machine

    return machine(1, gpu, None, 0.4).memory or 0.0
