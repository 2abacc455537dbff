"""storyreel evaluate: clips in, a report out; reports compared; benchmarks; a judge trained on real clips."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storyreel.cli.typed import Typed, takes
from storyreel.options.evaluation import EvaluateOptions, JudgeTraining

if TYPE_CHECKING:
    from storyreel.evaluate.command import EvaluationResult
    from storyreel.evaluate.evaluation import Bar

app = typer.Typer(add_completion=False)
commands = typer.Typer(add_completion=False)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


@app.command()
@takes(EvaluateOptions)
def evaluate(typed: Typed, json_: Json = False, quiet: Quiet = False) -> None:
    """Measure clips: every score with its n, 95 % interval and what it was measured by.

    storyreel evaluate CLIPS --real DATASET -o REPORT

    storyreel evaluate CLIPS --judge sprites --expected DATASET

    storyreel evaluate benchmark NAME CLIPS: the answers to a fixed list of prompts

    storyreel evaluate compare REPORT REPORT

    storyreel evaluate train-judge --data DATASET -o FOLDER
    """
    options = typed.make(EvaluateOptions)
    from storyreel.evaluate.command import run

    _show(run(options, _bar(quiet)), json_)


@commands.command()
def benchmark(
    name: Annotated[str, typer.Argument(help="Of a fixed list of prompts, such as moving-digits or sprites.")],
    clips: Annotated[Path, typer.Argument(help="Folder of the answers.")],
    judge: Annotated[str, typer.Option(help="Another judge; the result is then not comparable.")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the result.")] = None,
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score the answers of a model to a fixed list of prompts (storyreel data prompts NAME writes it).

    storyreel evaluate benchmark moving-digits out/clips
    """
    from storyreel.evaluate.command import benchmark

    _show(benchmark(name, clips, judge=judge, out=out, quiet=quiet), json_)


@commands.command()
def compare(
    a: Annotated[Path, typer.Argument(help="report.json, or its folder.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    json_: Json = False,
) -> None:
    """Compare two reports, score by score; refused where they were not measured alike.

    storyreel evaluate compare a/report.json b/report.json
    """
    from storyreel.evaluate.command import compare

    _show(compare(a, b), json_)


@commands.command()
@takes(JudgeTraining)
def train_judge(
    typed: Typed,
    data: Annotated[str, typer.Option(help="Dataset folder of real clips, or a world: sprites:FOLDER?clips=20000.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the judge.")],
    json_: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a judge, which says what a clip shows, on real clips.

    storyreel evaluate train-judge --data data/digits -o runs/judge
    """
    how = typed.make(JudgeTraining)
    from storyreel.evaluate.command import train_judge

    _show(train_judge(data, out, how, _bar(quiet, "steps")), json_)


def _show(result: EvaluationResult, as_json: bool) -> None:
    print(json.dumps(result.document) if as_json else result)


def _bar(quiet: bool, unit: str = "clips") -> Bar:
    from storyreel.data.parallel import progress
    from storyreel.evaluate.evaluation import silent

    return silent if quiet else partial(progress, unit=unit)
