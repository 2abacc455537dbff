"""storyreel curate: from raw footage to a dataset folder, with reasons."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from storyreel.cli.typed import Typed, takes
from storyreel.options.curation import CurateOptions

if TYPE_CHECKING:
    from storyreel.curate.write import Written

app = typer.Typer(add_completion=False)
commands = typer.Typer(add_completion=False)
Dataset = Annotated[Path, typer.Argument(help="A curated folder.")]
RECIPE = "phenaki_24gb"  # that is proposed
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.command(no_args_is_help=True)
@takes(CurateOptions)
def curate(typed: Typed, as_json: Json = False) -> None:
    """Find the shots, measure them once, caption, choose and write. The same command again goes on where it stopped.

    storyreel curate footage/ -o data/mine

    `storyreel curate filter DATASET --set motion.min=0.5` chooses anew from the stored scores.

    `storyreel curate ablate DATASET -o DIR` shows what each threshold does, and writes subsets to train on.
    """
    options = typed.make(CurateOptions)
    from storyreel.curate.command import run
    from storyreel.curate.screen import CurationScreen

    done = run(options, CurationScreen(quiet=False))
    _say(done, as_json)
    if not as_json:
        _say_next(done)
    done.checked()


@commands.command("filter")
def filter_(
    dataset: Dataset,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="A threshold: motion.min=0.5; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Choose anew in a curated folder, from the stored scores; nothing is decoded.

    storyreel curate filter data/mine --set motion.min=0.5
    """
    from storyreel.curate.command import change_thresholds
    from storyreel.curate.refilter import refilter

    _say(refilter(dataset, lambda now: change_thresholds(now, sets or [])), as_json)


@commands.command()
def ablate(
    dataset: Dataset,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for tables, pictures and subsets.")],
    as_json: Json = False,
) -> None:
    """Show what each threshold does, and write subsets to train on.

    storyreel curate ablate data/mine -o ablation
    """
    import json

    from storyreel.curate.ablate import ablate

    swept = ablate(dataset, out)
    sets = ", ".join(f"{name} {count}" for name, count in swept["subsets"].items())
    typer.echo(json.dumps(swept) if as_json else f"{out}: {len(swept['limits'])} limits swept; subsets: {sets}")


def _say_next(done: Written) -> None:
    """What to do with the folder; what its captions lack."""
    from storyreel.wording import counted

    if not done.selected:
        if done.spans:
            typer.echo(
                f"next:\n  storyreel curate ablate {quote(str(done.path))} -o ablation  # what each limit rejects"
            )
        return
    if done.uncaptioned:
        typer.echo(
            f"  without a caption: {done.uncaptioned} of {counted(done.selected, 'kept clip')}; text-to-video learns "
            "from captions: --captions takes a vision-language model, too"
        )
    folder = quote(str(done.path))
    typer.echo(
        f"next:\n  storyreel browse {folder}  # look at it, decide by hand\n"
        f"  storyreel data check {folder}  # decode every clip\n"
        f"  storyreel train {RECIPE} --data {folder} -o run  # on one GPU of 24 GB; storyreel recipes lists the others"
    )


def _say(done: Written, as_json: bool) -> None:
    import json

    from storyreel.wording import counted

    if as_json:
        typer.echo(json.dumps(done.as_json()))
        return
    share = f" ({done.selected / done.spans:.0%})" if done.spans else ""
    films = counted(done.films, "film")
    typer.echo(f"{done.path}: {done.selected} of {done.spans} spans kept{share}, {done.seconds:.1f} s, {films}")
    if done.rejected:
        typer.echo("  rejected: " + ", ".join(f"{name} {count}" for name, count in done.rejected.items()))
    if done.refused:
        films = counted(len(done.refused), "film")
        typer.echo(f"  set aside: {films}, listed in {done.path}/curation/quarantine.jsonl")
        if again := sum(bool(film.get("passing")) for film in done.refused):
            typer.echo(f"  {again} of them for a cause that may pass (no memory, no disk): the next call tries again")
