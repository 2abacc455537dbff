"""storyreel train: a recipe on a dataset folder, into a run folder."""

from __future__ import annotations

from typing import Annotated

import typer

from storyreel.cli.typed import Typed, flag, takes
from storyreel.options.declare import fields_of
from storyreel.options.training import TrainOptions

app = typer.Typer(add_completion=False)


@app.command(no_args_is_help=True)
@takes(TrainOptions)
def train(
    typed: Typed,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print recipe, sizes, memory and FLOPs; train nothing.")
    ] = False,
) -> None:
    """Train a recipe on a dataset folder. Run the same command again to resume exactly.

    storyreel train phenaki_sprites --data data/sprites -o runs/sprites

    storyreel train imagen_video_digits --data "digits:?clips=20000" -o runs/digits --minutes 60

    storyreel train phenaki_paper --dry-run
    """
    from storyreel.train.command import resolve, run

    if dry_run:
        _only_recipe(typed)
        from storyreel.train.plan import describe

        typer.echo(describe(resolve(typed.explicit["recipe"], typed.of(TrainOptions).get("sets", ()))))
        return
    run(typed.make(TrainOptions), quiet=quiet)


def _only_recipe(typed: Typed) -> None:
    """BadParameter for what is typed and changes nothing in a dry run; data and run folder may stay in the command."""
    for name in typed.explicit:
        if name not in ("recipe", "sets", "data", "out"):
            raise typer.BadParameter("changes nothing with --dry-run", param_hint=flag(fields_of(TrainOptions)[name]))
