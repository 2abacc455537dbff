"""storyreel check: every recipe and every model tried on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def check(
    device: Annotated[str, typer.Option(help="cpu, cuda, ... or auto")] = "auto",
    recipes: Annotated[
        str | None, typer.Option(help="Recipes, with commas between; none: no recipe. All that ship, if not given.")
    ] = None,
    models: Annotated[
        str | None, typer.Option(help="Models, with commas between; none: no model. All that ship, if not given.")
    ] = None,
    steps: Annotated[
        int, typer.Option("--train-steps", help="Training steps of each stage; the first is not timed.")
    ] = 5,
    batch: Annotated[int | None, typer.Option(help="Clips a step; as the recipes say, if not given.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Two clips, two training steps, two sampling steps.")] = False,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Train a few steps of every stage of every recipe, and make a clip with every model, on random data.

    Prints milliseconds, clips a second and peak memory of each. The exit code is 1 where something fails.

    storyreel check --quick

    storyreel check --recipes phenaki_sprites --models none --device cuda
    """
    import torch

    from storyreel.device_check import Check, shipped_models, shipped_recipes, table
    from storyreel.train.command import device_of

    if threads:
        torch.set_num_threads(threads)
    work = Check(
        device=device_of(device),
        recipes=shipped_recipes() if recipes is None else _names(recipes),
        models=shipped_models() if models is None else _names(models),
        steps=steps,
        batch=batch,
        quick=quick,
    )

    def before(name: str) -> None:
        if not quiet:
            print(f"storyreel check: {name}", file=sys.stderr)

    rows = list(work.rows(before))
    if as_json:
        import json
        from dataclasses import asdict

        found = [{**asdict(row), "clips_per_second": row.clips_per_second, "passed": not row.error} for row in rows]
        typer.echo(json.dumps({"device": str(work.device), "torch": torch.__version__, "rows": found}))
    else:
        typer.echo(table(rows, work.device))
    if any(row.error for row in rows):
        raise typer.Exit(1)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip() and name.strip() != "none")
