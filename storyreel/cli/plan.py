"""storyreel plan: what a training run would take."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def plan(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, such as phenaki_paper.")],
    gpus: Annotated[int, typer.Option(help="How many devices.")] = 1,
    gpu: Annotated[str, typer.Option(help="h100, h200, a100, 4090, ...")] = "h100",
    tflops: Annotated[float | None, typer.Option(help="Peak TFLOP/s of one device that is not in the table.")] = None,
    mfu: Annotated[float, typer.Option(help="Share of the peak that training reaches.")] = 0.4,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe: stages.prior.steps=1000")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Estimate time and memory of a training run. The FLOPs are counted by PyTorch on tensors without contents.

    storyreel plan phenaki_paper --gpus 64 --gpu h100
    """
    from storyreel.train.command import resolve
    from storyreel.train.plan import machine, plan_text
    from storyreel.train.plan import plan as estimate

    found = estimate(resolve(recipe, settings or []), machine(gpus, gpu, tflops, mfu))
    if as_json:
        import json

        typer.echo(json.dumps(found))
    else:
        typer.echo(plan_text(found))
