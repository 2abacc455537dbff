"""storyreel train: a recipe on a dataset folder, into a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, such as phenaki_sprites.")],
    data: Annotated[
        list[str] | None,
        typer.Option(help="DIR[,WEIGHT], or a world, such as sprites:SHEETS?clips=60000&seed=7; may repeat."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder; the same again resumes it.")] = None,
    stage: Annotated[str | None, typer.Option(help="Train this stage alone; those of a cascade in any order.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe: stages.tokenizer.steps=100")
    ] = None,
    init: Annotated[Path | None, typer.Option(help="Start from the weights of a model folder or a run.")] = None,
    text: Annotated[
        Path | None, typer.Option(help="Folder of a packed text encoder, of `storyreel models text`.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="For all of it: the steps become as many as fit, and a model is there in time.")
    ] = None,
    at_once: Annotated[
        bool, typer.Option("--stages-at-once", help="Train the stages of a cascade side by side.")
    ] = False,
    parallel: Annotated[str, typer.Option(help="Under torchrun: ddp or fsdp.")] = "ddp",
    device: Annotated[str, typer.Option(help="cpu, cuda, ... or auto")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Where prepared data is kept.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print recipe, sizes, memory and FLOPs; train nothing.")
    ] = False,
) -> None:
    """Train a recipe on a dataset folder. Run the same command again to resume exactly."""
    from storyreel.train.command import Command, resolve

    resolved = resolve(recipe, settings or [])
    if dry_run:
        from storyreel.train.plan import describe

        typer.echo(describe(resolved))
        return
    if not data:
        raise typer.BadParameter("wanted a dataset folder", param_hint="--data")
    if out is None:
        raise typer.BadParameter("wanted a run folder", param_hint="--out")
    if text is not None:
        from storyreel.text.minilm_words import use

        use(text)
    given: dict[str, Any] = dict(stage=stage, init=init, parallel=parallel, device=device, threads=threads)
    given |= dict(minutes=minutes, at_once=at_once)
    Command(recipe=resolved, data=data, out=out, cache=cache, quiet=quiet, **given).run()
