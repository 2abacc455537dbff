"""storyreel evaluate: a folder of clips in, a report out; two reports compared; or a judge trained on real clips."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from storyreel import worlds
from storyreel.evaluate import benchmarks

if TYPE_CHECKING:
    from storyreel.clip import Clip
    from storyreel.evaluate.judge_training import JudgeTraining
    from storyreel.evaluate.judged_clips import JudgedClip
    from storyreel.evaluate.planning import Asked

app = typer.Typer(add_completion=False)
JUDGE, TRAIN = "The judge alone", "Training a judge"
Told = tuple[dict[str, Any], list[str]]


@app.command()
def evaluate(
    clips: Annotated[Optional[Path], typer.Argument(help="Folder of generated clips, or a dataset folder.")] = None,  # noqa: UP045
    real: Annotated[Optional[Path], typer.Option(help="Dataset folder (or folder) of real clips.")] = None,  # noqa: UP045
    metrics: Annotated[str, typer.Option(help="fvd,fid,kid,kvd,is,clipsim,rm,r-precision,flicker,jitter,sticking,dynamic,seams,psnr,ssim,lpips,judge; none: what can be measured.")] = "",  # noqa: E501
    extractor: Annotated[str, typer.Option(help="Networks to measure with, separated by commas.")] = "",
    protocol: Annotated[str, typer.Option(help="storyreel, stylegan-v-fvd16, stylegan-v-fvd128, tf-original, ucf101-zero-shot, or a JSON file.")] = "",  # noqa: E501
    weights: Annotated[str, typer.Option(help="File of an extractor's weights, or NAME=FILE,NAME=FILE.")] = "",
    judge: Annotated[str, typer.Option(help=f"Who judges: {', '.join(worlds.names())}, or a judge folder; alone: only that.")] = "",  # noqa: E501
    benchmark: Annotated[
        str, typer.Option(help=f"Score the answers to a fixed list of prompts: {', '.join(benchmarks.names())}.")
    ] = "",
    compare: Annotated[Optional[tuple[Path, Path]], typer.Option(help="Two reports, A and B, instead.")] = None,  # noqa: UP045
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="Folder for the report (or judge).")] = None,  # noqa: UP045
    wanted: Annotated[Optional[Path], typer.Option(help="Dataset folder whose captions were the prompts of CLIPS.")] = None,  # noqa: E501, UP045
    split: Annotated[str, typer.Option(help="Only rows of this split of CLIPS (or --wanted): train, held_out.")] = "",
    real_split: Annotated[str, typer.Option(help="Only rows of this split of --real.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many clips.")] = 1_000_000,
    controls: Annotated[bool, typer.Option(help="Also measure damaged real clips.")] = True,
    cache: Annotated[bool, typer.Option(help="Keep what real clips gave for the next run.")] = True,
    workers: Annotated[int, typer.Option(min=0, help="Threads that decode.")] = 2,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    attributes: Annotated[str, typer.Option(help="Only these, separated by commas.", rich_help_panel=JUDGE)] = "",
    train_judge: Annotated[bool, typer.Option("--train-judge", help="From --data.", rich_help_panel=TRAIN)] = False,
    data: Annotated[Optional[str], typer.Option(help="Dataset folder of real clips, or a world: sprites:FOLDER?clips=20000.", rich_help_panel=TRAIN)] = None,  # noqa: E501, UP045
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.", rich_help_panel=TRAIN)] = 4000,
    batch: Annotated[int, typer.Option(min=1, help="Clips a step.", rich_help_panel=TRAIN)] = 64,
    lr: Annotated[float, typer.Option(help="Peak learning rate.", rich_help_panel=TRAIN)] = 2e-3,
    channels: Annotated[int, typer.Option(help="1 grey, 3 colour, 4 and alpha.", rich_help_panel=TRAIN)] = 4,
    seed: Annotated[int, typer.Option(help="Of the training.", rich_help_panel=TRAIN)] = 0,
) -> None:  # fmt: skip
    """Measure clips: every score with its n, 95 % interval and what it was measured by.

    storyreel evaluate CLIPS --real DATASET -o REPORT

    storyreel evaluate CLIPS --judge sprites --wanted DATASET

    storyreel evaluate --compare A/report.json B/report.json

    storyreel evaluate --train-judge --data DATASET -o FOLDER
    """
    named = _names(attributes)
    others = {"--real": real, "--metrics": metrics, "--extractor": extractor, "--protocol": protocol, "--out": out}
    if train_judge:
        if data is None or out is None or clips is not None:
            raise typer.BadParameter("--train-judge wants --data DATASET and --out FOLDER, and no CLIPS")
        from storyreel.evaluate.judge_training import JudgeTraining

        how = JudgeTraining(steps=steps, batch=batch, lr=lr, seed=seed, attributes=named, channels=channels)
        told = _train(data, out, how, quiet)
    elif compare is not None:
        if clips is not None:
            raise typer.BadParameter("--compare wants two reports, and no CLIPS")
        told = _compare(*compare)
    elif clips is None:
        raise typer.BadParameter("wanted CLIPS, a folder to measure (or --compare A B, or --train-judge)")
    elif benchmark:
        told = _benchmark(benchmark, clips, judge, out, quiet)
    elif (judge or named) and not any(others.values()):
        told = _judge(clips, judge or "sprites", (wanted, split or None, limit), named, quiet)
    else:
        if named:
            raise typer.BadParameter(f"--attributes belongs to the judge alone, without {_given(others)}")
        from storyreel.evaluate.metrics import named as metrics_named
        from storyreel.evaluate.planning import Asked

        networks = _names(extractor)
        asked = Asked(
            clips, real, metrics_named(metrics), networks, protocol or "storyreel", _weights(weights, networks), judge,
            wanted, split, real_split, limit, controls, _cache() if cache else None, workers=workers,
        )  # fmt: skip
        told = _evaluate(asked, out, quiet)
    document, lines = told
    print(json.dumps(document) if json_ else "\n".join(lines))


def _names(said: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in said.split(",") if name.strip())


def _given(options: dict[str, Any]) -> str:
    return ", ".join(name for name, value in options.items() if value)


def _weights(said: str, networks: tuple[str, ...]) -> dict[str, Path]:
    """ "FILE" or "NAME=FILE,NAME=FILE" -> name -> file."""
    found: dict[str, Path] = {}
    for part in _names(said):
        name, equals, file = part.partition("=")
        if not equals:
            if len(networks) != 1:
                raise typer.BadParameter("--weights FILE wants one --extractor; with several, NAME=FILE,NAME=FILE")
            name, file = networks[0], part
        found[name] = Path(file).expanduser()
    return found


def _cache() -> Path:
    from storyreel.data.pack import cache_folder

    return cache_folder(None) / "evaluate"


def _evaluate(asked: Asked, out: Path | None, quiet: bool) -> Told:
    from storyreel.evaluate.document import document_of
    from storyreel.evaluate.evaluation import evaluate as measure
    from storyreel.evaluate.scores import lines_of

    with _place(out, "report", asked.clips, asked.real, asked.wanted):
        done = measure(asked, lambda title, total: _bar(title, total, quiet))
        document = document_of(done, " ".join(["storyreel", *sys.argv[1:]]))
        lines = lines_of(document)
        if out is not None:
            from storyreel.evaluate.report import write_report

            lines += ["", f"report: {write_report(document, asked.clips, out, progress=not quiet)}"]
    return document, lines


def _place(out: Path | None, kind: str, *inputs: Path | None) -> AbstractContextManager[Any]:
    """The folder of the result, checked before the hours of work."""
    from storyreel.ownership import claim

    return nullcontext() if out is None else claim(out, kind, inputs=inputs)


def _compare(a: Path, b: Path) -> Told:
    from storyreel.evaluate.compare import compare, document_of, lines_of, read_report

    found = compare(read_report(a), read_report(b))
    return document_of(a, b, found), [f"A {a}", f"B {b}", "", *lines_of(found)]


def _benchmark(name: str, clips: Path, judge: str, out: Path | None, quiet: bool) -> Told:
    with _place(out, "report", clips):
        document, lines = benchmarks.run(name, clips, quiet=quiet, judge=judge)
        if out is not None:
            from storyreel.storage import write_json

            write_json(out / f"{name}.json", document)
            lines = [*lines, "", f"report: {out / f'{name}.json'}"]
    return document, lines


def _judge(
    path: Path, name: str, which: tuple[Path | None, str | None, int], only: tuple[str, ...], quiet: bool
) -> Told:
    from storyreel.evaluate.judged_clips import find_clips
    from storyreel.evaluate.judges import check_known, load_judge

    wanted, split, limit = which
    judge = load_judge(name)
    if missing := [n for n in only if n not in judge.attributes]:
        raise ValueError(
            f"attributes: this judge does not know {', '.join(missing)}; it knows {', '.join(judge.attributes)}"
        )
    found = find_clips(path, wanted=wanted, split=split, limit=limit)
    wishes = [{k: v for k, v in c.wanted.items() if not only or k in only} for c in found]
    check_known(judge, wishes)
    with _bar("judging", len(found), quiet) as advance:
        report = judge.accuracy(_opened(found, advance), wishes)
    return {"judge": name, "path": str(path), **report.as_json()}, report.lines()


def _opened(found: Iterable[JudgedClip], advance: Callable[[int], None]) -> Iterator[Clip]:
    for clip in found:
        yield clip.open()
        advance(1)


def _train(data: str, out: Path, how: JudgeTraining, quiet: bool) -> Told:
    from storyreel.data.dataset import open_dataset
    from storyreel.evaluate.judge_card import write_card
    from storyreel.evaluate.judge_training import train_judge
    from storyreel.evaluate.locator_training import train_locator

    folder = open_dataset(data)
    with _place(out, "judge", folder.path):
        with _bar("training the judge", how.steps, quiet, "steps") as advance:
            train = train_locator if "centres" in next(iter(folder.attributes), {}) else train_judge
            judge, report, held_out = train(folder, how, on_step=lambda step, loss: advance(1))
        facts = {"data": folder.digest, "clips": len(folder), "steps": how.steps, "batch": how.batch, "seed": how.seed}
        facts |= {"unseen": report.as_json(), "unseen_held_out": held_out.as_json()}
        judge.save(out, card=write_card(out.name, facts, report, held_out), facts=facts)
    document = {"judge": str(out), "unseen": facts["unseen"], "unseen_held_out": facts["unseen_held_out"]}
    return document, [*report.lines(), "", "of these, held-out combinations:", *held_out.lines(), "", f"judge: {out}"]


def _bar(title: str, total: int, quiet: bool, unit: str = "clips") -> AbstractContextManager[Callable[[int], None]]:
    from storyreel.data.parallel import progress

    return nullcontext(lambda n: None) if quiet else progress(title, total, unit)
