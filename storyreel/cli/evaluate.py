"""storyreel evaluate: a folder of clips in, a report out; or a judge trained on real clips."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

if TYPE_CHECKING:
    from storyreel.clip import Clip
    from storyreel.evaluate.judge_training import JudgeTraining
    from storyreel.evaluate.judged_clips import JudgedClip

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    clips: Annotated[Optional[Path], typer.Argument(help="Dataset folder, or a folder of generated clips.")] = None,  # noqa: UP045
    judge: Annotated[str, typer.Option(help="Who judges: sprites, digits, or a judge folder.")] = "sprites",
    wanted: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Dataset folder whose captions were the prompts of CLIPS."),
    ] = None,
    split: Annotated[str, typer.Option(help="Only this split: train or held_out.")] = "",
    attributes: Annotated[str, typer.Option(help="Only these, separated by commas.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many clips.")] = 1_000_000,
    json_: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    train_judge: Annotated[bool, typer.Option("--train-judge", help="Train a judge on --data instead.")] = False,
    data: Annotated[Optional[Path], typer.Option(help="For --train-judge: dataset folder of real clips.")] = None,  # noqa: UP045
    out: Annotated[Optional[Path], typer.Option("--out", "-o", help="For --train-judge: the judge folder.")] = None,  # noqa: UP045
    steps: Annotated[int, typer.Option(min=1, help="For --train-judge: optimizer steps.")] = 4000,
    batch: Annotated[int, typer.Option(min=1, help="For --train-judge: clips a step.")] = 64,
    lr: Annotated[float, typer.Option(help="For --train-judge: peak learning rate.")] = 2e-3,
    channels: Annotated[int, typer.Option(help="For --train-judge: 1 grey, 3 colour, 4 colour and alpha.")] = 4,
    seed: Annotated[int, typer.Option(help="For --train-judge.")] = 0,
) -> None:
    """Measure clips: which attributes of each are as wanted, with n and 95 % intervals.

    storyreel evaluate DATASET --judge sprites --split held_out

    storyreel evaluate CLIPS --judge sprites --wanted DATASET

    storyreel evaluate --train-judge --data DATASET -o FOLDER
    """
    named = tuple(name.strip() for name in attributes.split(",") if name.strip())
    if train_judge:
        if data is None or out is None or clips is not None:
            raise typer.BadParameter("--train-judge wants --data DATASET and --out FOLDER, and no CLIPS")
        from storyreel.evaluate.judge_training import JudgeTraining

        how = JudgeTraining(steps=steps, batch=batch, lr=lr, seed=seed, attributes=named, channels=channels)
        document, lines = _train(data, out, how, quiet)
    else:
        if clips is None:
            raise typer.BadParameter("wanted CLIPS, a folder to measure (or --train-judge)")
        document, lines = _measure(clips, judge, (wanted, split or None, limit), named, quiet)
    print(json.dumps(document) if json_ else "\n".join(lines))


def _measure(
    path: Path, name: str, which: tuple[Path | None, str | None, int], only: tuple[str, ...], quiet: bool
) -> tuple[dict[str, Any], list[str]]:
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


def _train(data: Path, out: Path, how: JudgeTraining, quiet: bool) -> tuple[dict[str, Any], list[str]]:
    from storyreel.data.folder import DatasetFolder
    from storyreel.evaluate.judge_card import write_card
    from storyreel.evaluate.judge_training import attributes_of, train_judge
    from storyreel.evaluate.locator_training import train_locator

    folder = DatasetFolder.open(data)
    with _bar("training the judge", how.steps, quiet, "steps") as advance:
        train = train_locator if "centres" in next(iter(attributes_of(folder)), {}) else train_judge
        judge, report, held_out = train(folder, how, on_step=lambda step, loss: advance(1))
    facts = {"data": folder.digest, "clips": len(folder), "steps": how.steps, "batch": how.batch, "seed": how.seed}
    facts |= {"unseen": report.as_json(), "unseen_held_out": held_out.as_json()}
    judge.save(out, card=write_card(out.name, facts, report, held_out), facts=facts)
    document = {"judge": str(out), "unseen": facts["unseen"], "unseen_held_out": facts["unseen_held_out"]}
    return document, [*report.lines(), "", "of these, held-out combinations:", *held_out.lines(), "", f"judge: {out}"]


def _bar(title: str, total: int, quiet: bool, unit: str = "clips") -> AbstractContextManager[Callable[[int], None]]:
    from storyreel.data.parallel import progress

    return nullcontext(lambda n: None) if quiet else progress(title, total, unit)
