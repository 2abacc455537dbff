"""storyreel leaderboard: several models on equal terms, the same prompts, seeds and real clips."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from storyreel import worlds
from storyreel.evaluate import benchmarks

if TYPE_CHECKING:
    from storyreel.cli.leaderboard_prompts import Wishes
    from storyreel.cli.leaderboard_runs import Run
    from storyreel.evaluate.report.leaderboard import Entrant

app = typer.Typer(add_completion=False)


@app.command()
def leaderboard(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Models (names or folders), folders of clips, or reports of storyreel evaluate; NAME=RUN to name one.")],  # noqa: E501
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page, the table and the clips.")],
    prompts: Annotated[Optional[Path], typer.Option(help="A file of prompts: .txt .jsonl .json .csv")] = None,  # noqa: UP045
    benchmark: Annotated[str, typer.Option(help=f"The prompts of a benchmark: {', '.join(benchmarks.names())}.")] = "",
    world: Annotated[str, typer.Option(help=f"Held-out combinations of a world: {', '.join(worlds.names())}.")] = "",
    count: Annotated[Optional[int], typer.Option(min=2, help="At most so many prompts, of a benchmark evenly spread; 64 of a --world.")] = None,  # noqa: E501, UP045
    seed: Annotated[int, typer.Option(min=0, help="Prompt i is made with this seed + i.")] = 0,
    frames: Annotated[Optional[int], typer.Option(min=1, help="Length of the clips; the models' own by default.")] = None,  # noqa: E501, UP045
    real: Annotated[Optional[Path], typer.Option(help="Dataset folder (or folder) of real clips.")] = None,  # noqa: UP045
    real_split: Annotated[str, typer.Option(help="Only rows of this split of --real.")] = "",
    metrics: Annotated[str, typer.Option(help="As of storyreel evaluate; none: what can be measured.")] = "",
    extractor: Annotated[str, typer.Option(help="Networks to measure with, separated by commas.")] = "",
    protocol: Annotated[str, typer.Option(help="As of storyreel evaluate.")] = "storyreel",
    judge: Annotated[str, typer.Option(help=f"Who judges: {', '.join(worlds.names())}, or a judge folder.")] = "",
    by: Annotated[str, typer.Option(help="The score to sort by; the first one by default.")] = "",
    workers: Annotated[int, typer.Option(min=0, help="Threads that decode.")] = 2,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
) -> None:  # fmt: skip
    """Put models side by side: scores with intervals, paired differences to the best, seconds, sizes, training.

    storyreel leaderboard phenaki-digits godiva-digits --world digits --real data/digits -o out/board

    Run it again to go on: clips that are there are not made again.
    """
    given = [n for n, v in (("--prompts", prompts), ("--benchmark", benchmark), ("--world", world)) if v]
    if len(given) > 1:
        raise typer.BadParameter(f"{given[0]} is given as well; wanted one of the two", param_hint=given[1])
    if len(runs) < 2:
        raise typer.BadParameter("wanted two models or more")
    from storyreel.cli.leaderboard_prompts import wishes_of
    from storyreel.cli.leaderboard_runs import Run, has_matte

    if world not in ("", *worlds.names()):
        raise ValueError(f"--world {world}: expected {' or '.join(worlds.names())}")
    found = [Run.of(run) for run in runs]
    _check_names(found)
    models = [run for run in found if run.kind == "model"]
    wishes = None
    if models and not given:
        raise ValueError(f"{models[0].name}: makes its clips now; wanted --prompts, --benchmark or --world")
    if models:
        settings: dict[str, Any] = {} if frames is None else {"frames": frames}
        if all(has_matte(run.path) for run in models):
            settings["transparent"] = True  # a judge sees figures best without a ground
        wishes = wishes_of(prompts, benchmark, world, count, seed, settings)

    def asked(clips: Path) -> dict[str, Any]:
        from storyreel.options.evaluation import EvaluateOptions

        values = dict(clips=clips, real=real, metrics=metrics, extractors=extractor, protocol=protocol, judge=judge)
        options = EvaluateOptions.of({**values, "real_split": real_split, "workers": workers})
        return _evaluate(options, quiet)

    from storyreel.evaluate.report import write_leaderboard
    from storyreel.ownership import claim

    with claim(out, "leaderboard", inputs=[*(run.path for run in found), real, prompts]):
        entrants = [_entrant(run, wishes, out, asked, quiet) for run in found]
        document = _board(entrants, wishes, seed if models else None, by)
        page = write_leaderboard(document, out)
    print(json.dumps(document) if json_ else "\n".join([*lines_of(document), "", f"page: {page}"]))


def _check_names(runs: list[Run]) -> None:
    """Before anything is made."""
    names = [run.name for run in runs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two of the models are called {twice[0]!r}; name one, as in other={runs[-1].path}")
    if bad := [name for name in names if not name.strip() or {"/", "\\"} & set(name) or name.startswith(".")]:
        raise ValueError(f"a model cannot be called {bad[0]!r}: it names a folder; name it, as in NAME=FOLDER")


def _entrant(
    run: Run, wishes: Wishes | None, out: Path, measure: Callable[[Path], dict[str, Any]], quiet: bool
) -> Entrant:
    """Make what is missing, measure it, and write its own report beside."""
    from storyreel.cli.leaderboard_runs import entrant_of, folder_of_clips, make_clips
    from storyreel.evaluate.compare import read_report
    from storyreel.evaluate.report import write_report

    clips = folder_of_clips(run, wishes, out)
    if clips is None:
        report = read_report(run.path)
        return entrant_of(run, report, Path(report["clips"]["path"]), run.path.with_name("report.html"), out)
    if run.kind == "model":
        assert wishes is not None
        make_clips(run, wishes, clips, lambda title, total: _bar(title, total, quiet))
    report = measure(clips) | {"name": run.name}
    page = write_report(report, clips, out / "reports" / run.name, progress=not quiet)
    return entrant_of(run, report, clips, page, out)


def _evaluate(asked: Any, quiet: bool) -> dict[str, Any]:
    from storyreel.evaluate.document import document_of
    from storyreel.evaluate.evaluation import evaluate

    done = evaluate(asked, lambda title, total: _bar(title, total, quiet))
    return document_of(done, _command())


def _board(entrants: list[Entrant], wishes: Wishes | None, seed: int | None, by: str) -> dict[str, Any]:
    from storyreel.evaluate.report.leaderboard import Terms, document_of

    machines = {str(e.seconds["machine"]): e.name for e in entrants if e.seconds}
    notes = ()
    if len(machines) > 1:
        notes = (f"seconds were measured on different machines: {'; '.join(f'{n}: {m}' for m, n in machines.items())}",)
    said = wishes.said if wishes else ""
    return document_of(entrants, Terms(said, seed, "; ".join(machines), _command(), notes), by)


def _command() -> str:
    import shlex

    return shlex.join(["storyreel", *sys.argv[1:]])


def lines_of(document: dict[str, Any]) -> list[str]:
    """A table for people: a line a score and a column a model, since scores are many and models few."""
    from storyreel.evaluate.report.leaderboard import leads

    models = document["models"]
    rows = [["score", "better", *(model["name"] for model in models)]]
    for score in document["scores"]:
        told = [(model["scores"][score["name"]], " *" if leads(model, score) else "") for model in models]
        cells = [f"{cell['value']:.4g}{_plus(cell['interval'])}{star}" for cell, star in told]
        rows.append([score["name"], {"real": "as real"}.get(score["direction"], score["direction"]), *cells])
    seconds = [(model["seconds_a_clip"] or {}).get("value") for model in models]
    rows.append(["seconds a clip", "lower", *("--" if s is None else f"{s:.3g}" for s in seconds)])
    rows.append(["parameters", "", *(f"{m['parameters']:,}" if m["parameters"] else "--" for m in models)])
    flops = [(model["training"] or {}).get("flops") for model in models]
    rows.append(["training FLOP", "", *(f"{f:.3g}" if f else "--" for f in flops)])
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:{w}}" for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows]
    lines += [f"not in the table: {name}: {why}" for name, why in document["left_out"].items()]
    return [*lines, *(f"note: {note}" for note in document["notes"]), "* the best of its line"]


def _plus(interval: list[float] | None) -> str:
    return f" [{interval[0]:.3g}, {interval[1]:.3g}]" if interval else ""


def _bar(title: str, total: int, quiet: bool) -> AbstractContextManager[Callable[[int], None]]:
    from storyreel.data.parallel import progress

    return nullcontext(lambda n: None) if quiet else progress(title, total)
