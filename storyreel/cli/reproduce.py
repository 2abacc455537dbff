"""storyreel reproduce: what a paper claims for itself, trained and measured at small scale."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)

ROOT = Path(__file__).parents[2]  # of a clone
PAPERS = {  # and whose `run` measures it; imported when it is needed
    "phenaki": "reproductions.phenaki",
    "godiva": "reproductions.godiva",
    "imagen-video": "reproductions.imagen_video",
    "make-a-video": "reproductions.make_a_video",
    "svd": "reproductions.svd",
    "svd-curation": "reproductions.curation",
    "stylesv": "reproductions.stylesv",
}


@app.command()
def reproduce(
    paper: Annotated[
        str, typer.Argument(help="phenaki, godiva, imagen-video, make-a-video, svd, svd-curation or stylesv.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for results.md, results.json, pictures.  [default: reproduce-PAPER]"),
    ] = None,
    only: Annotated[str | None, typer.Option(help="One claim alone, such as story; ablation; noise.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(help="Training time, about, of all that a claim compares.  [default: 60; 2 with --quick]"),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--train-steps", help="Training steps of each, instead of minutes.")
    ] = None,
    count: Annotated[
        int | None, typer.Option("--num-prompts", help="Prompts of each measurement, instead of its own number.")
    ] = None,
    source: Annotated[Path | None, typer.Option(help="Folder of the LPC sheets; not needed.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few clips of everything: a look, no result.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other stories and prompts.")] = 7,
    recipe: Annotated[str, typer.Option(help="What is trained; that of the world by default.")] = "",
    model: Annotated[list[str] | None, typer.Option(help="WORLD=MODEL, or NAME=MODEL; may be repeated.")] = None,
    judge: Annotated[list[str] | None, typer.Option(help="WORLD=JUDGE; may be repeated.")] = None,
    encoder: Annotated[
        str, typer.Option(help="Who ranks candidates or scores captions, a name or a folder.")
    ] = "digits",
    phrasing: Annotated[
        str, typer.Option(help="Prompts for sprites: plain, training, or held-out words and forms.")
    ] = "plain",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Train and measure, at small scale and on equal compute, what a paper claims for itself.

    The same command again goes on where it was stopped; what is measured is kept.

    storyreel reproduce phenaki -o results --only story
    """
    if paper not in PAPERS:
        raise typer.BadParameter(f"no paper {paper!r}; there is {', '.join(PAPERS)}", param_hint="PAPER")
    if quick and minutes is not None:
        raise typer.BadParameter("--quick is given as well, and takes 2", param_hint="--minutes")
    if steps is not None and minutes is not None:
        raise typer.BadParameter("--train-steps is given as well; expected one of the two", param_hint="--minutes")
    _find_reproductions()
    from reproductions.settings import Settings

    out = out or Path(f"reproduce-{paper}")

    settings = Settings(
        out=out,
        minutes=minutes if minutes is not None else 2.0 if quick else 60.0,
        steps=steps,
        count=count,
        source=source,
        quick=quick,
        seed=seed,
        recipe=recipe,
        models=_pairs("--model", model),
        judges=_pairs("--judge", judge),
        paper=paper,
        encoder=encoder,
        phrasing=phrasing,
    )
    from storyreel.ownership import claim

    with claim(out, "reproduction", inputs=[source]):
        results = import_module(PAPERS[paper]).run(settings, only)
    if as_json:
        import json

        typer.echo(json.dumps(results))
    else:
        typer.echo(str(out / "results.md"))


def _find_reproductions() -> None:
    """Make `reproductions/` importable. ValueError outside a clone: they are not part of the installed package."""
    if not (ROOT / "reproductions" / "settings.py").is_file():
        raise ValueError(
            "the reproductions are in the repository, not in the installed package: clone it, "
            "`pip install -e .` there, and run this command again"
        )
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))


def _pairs(option: str, values: list[str] | None) -> dict[str, str]:
    found = {}
    for each in values or []:
        world, equals, name = each.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"expected WORLD=NAME, got {each!r}", param_hint=option)
        found[world] = name
    return found
