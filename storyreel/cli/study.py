"""storyreel study: raters compare clips blind on a page, and a report says what their votes mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from storyreel.wording import counted

HELP = """A human study: compare clips blind, two by two.

storyreel study create CLIPS CLIPS -o study

storyreel study serve study
"""
app = typer.Typer(add_completion=False, no_args_is_help=True, help=HELP)

Folder = Annotated[Path, typer.Argument(help="Study folder.", metavar="STUDY")]


@app.command()
def create(
    folders: Annotated[list[Path], typer.Argument(help="Folders of clips, one a model, of the same prompts.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Study folder to make, new or empty.")],
    preset: Annotated[str, typer.Option(help="make-a-video or godiva.")] = "make-a-video",
    seed: Annotated[int, typer.Option(min=0, help="Decides sides, order and catch trials.")] = 0,
    questions: Annotated[str, typer.Option(help="Only these of the preset, separated by commas.")] = "",
    raters: Annotated[int | None, typer.Option(min=1, help="Votes wanted a pair.")] = None,
    per_rater: Annotated[int | None, typer.Option(min=0, help="Pairs a rater sees; 0 for all.")] = None,
    prompts: Annotated[int | None, typer.Option("--num-prompts", min=1, help="At most so many prompts.")] = None,
    catch: Annotated[
        int, typer.Option(min=-1, help="Catch trials a rater, of each kind; -1: one for every 12 pairs.")
    ] = -1,
    ties: Annotated[bool, typer.Option(help="Whether raters may say that two clips are alike.")] = True,
    watch: Annotated[
        float | None,
        typer.Option(min=0, max=60, help="Seconds before an answer; the clip's length, at most 4, by default."),
    ] = None,
    names: Annotated[str, typer.Option(help="What reports call the models, separated by commas.")] = "",
    webm: Annotated[bool, typer.Option("--webm", help="VP9 in WebM instead of H.264 in MP4.")] = False,
) -> None:
    """Pair the clips of two or more models by prompt, and copy them under names that say nothing.

    storyreel study create out/ours out/theirs --preset make-a-video -o STUDY
    """
    from storyreel.data.parallel import progress
    from storyreel.study.binomial import half_width
    from storyreel.study.create import StudyOptions
    from storyreel.study.create import create as make

    options = StudyOptions(
        questions=_listed(questions), raters=raters, per_rater=per_rater, catch=catch, ties=ties, watch=watch,
        names=_listed(names), prompts=prompts, suffix=".webm" if webm else ".mp4",
    )  # fmt: skip
    with progress("copying clips", None) as advance:
        made = make(
            folders, out, preset_name=preset, seed=seed, options=options, on_clip=lambda done, total: advance(1)
        )
    study = made.study
    pairs = len(study.indices("pair"))
    if made.unreadable:
        first = next(iter(made.unreadable.values()))
        typer.echo(
            f"storyreel: left out: {counted(len(made.unreadable), 'clip')} not readable, such as {first}", err=True
        )
    if made.unpaired:
        typer.echo(
            f"storyreel: left out without a partner: {counted(len(made.unpaired), 'clip')}, such as {made.unpaired[0]}",
            err=True,
        )
    prompts_ = counted(len(study.prompts), "prompt")
    typer.echo(f"{out}: {counted(pairs, 'pair')} of {prompts_}, {', '.join(study.models)}")
    half = 100 * half_width(len(study.prompts))
    typer.echo(f"{prompts_} tell a win rate near 50 % to within about {half:.1f} points")
    typer.echo(f"next: storyreel study serve {out}")


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


@app.command()
def serve(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all of the network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any free one.")] = 8400,
) -> None:
    """Show the study to raters until Ctrl-C. Every answer is on the disk before the page goes on.

    storyreel study serve STUDY
    """
    from storyreel.serve.app import page_app
    from storyreel.serve.guard import Access
    from storyreel.serve.running import PageServer
    from storyreel.serve.study_routes import router
    from storyreel.study.plan import Study
    from storyreel.study.votes import Votes

    study, access = Study.open(folder), Access(host, everybody=True)
    votes = Votes(study)
    try:
        server = PageServer(page_app(router(study, votes), access), host, port)
        counts = votes.counts()
        typer.echo(server.url)
        so_far = f"{counted(counts['votes'], 'vote')} of {counted(counts['raters'], 'rater')} so far"
        typer.echo(f"{so_far}. Ctrl-C ends; nothing is lost.", err=True)
        if not access.local:
            typer.echo("Everybody who can reach this address can vote.", err=True)
        if server.run_here():
            typer.echo(f"{counted(votes.counts()['votes'], 'vote')}; next: storyreel study report {folder}", err=True)
    finally:
        votes.close()


@app.command()
def report(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
) -> None:
    """Say what the votes mean: win rates with intervals, tests, strengths, agreement, catch trials.

    storyreel study report STUDY
    """
    import json

    from storyreel.study.ballots import read_ballots
    from storyreel.study.plan import Study
    from storyreel.study.report import report as make
    from storyreel.study.report_text import lines

    study = Study.open(folder)
    document = make(study, read_ballots(study), resamples=resamples, seed=seed)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else "\n".join(lines(document)))


@app.command()
def export(
    folder: Folder, out: Annotated[Path, typer.Option("--out", "-o", help="File to write, .csv or .json.")]
) -> None:
    """Write every vote with the names of models, prompts and questions.

    storyreel study export STUDY -o votes.csv
    """
    from storyreel.study.ballots import export as write
    from storyreel.study.plan import Study

    typer.echo(f"{out}: {counted(write(Study.open(folder), out), 'vote')}")
