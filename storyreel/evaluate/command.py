"""What `storyreel evaluate` and `storyreel.evaluate` do: clips in, a document and its lines out."""

from __future__ import annotations

import html
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.evaluate.evaluation import Bar, silent
from storyreel.evaluate.evaluation import evaluate as measure
from storyreel.options.evaluation import EvaluateOptions, JudgeTraining

if TYPE_CHECKING:
    from storyreel.clip import Clip
    from storyreel.evaluate.judged_clips import JudgedClip


@dataclass(frozen=True)
class EvaluationResult:
    """What was measured: `document` is JSON, as in report.json; `lines`, which `str` joins, are for people."""

    document: dict[str, Any]
    lines: list[str]
    page: Path | None = None  # the report

    def _repr_html_(self) -> str:
        """The report as a notebook shows it; without one, the lines."""
        from storyreel.notebook import shown_page

        return f"<pre>{html.escape(str(self))}</pre>" if self.page is None else shown_page(self.page)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def evaluate(clips: str | Path, **options: Any) -> EvaluationResult:
    """Measure the clips of a folder. Options: the fields of `EvaluateOptions`, as on the command line.

    ValueError or OSError, in one line, for what is wrong with the folders, the clips or the options.
    """
    return run(EvaluateOptions.of({"clips": clips, **options}))


def run(options: EvaluateOptions, bar: Bar = silent) -> EvaluationResult:
    """Measure; with `out`, write the report there. A judge alone gives its accuracy."""
    return _judged(options, bar) if options.judge_alone else _measured(options, bar)


def place(out: Path | None, kind: str, *inputs: Path | None) -> AbstractContextManager[Any]:
    """The folder of the result, checked before the hours of work."""
    from storyreel.ownership import claim

    return nullcontext() if out is None else claim(out, kind, inputs=inputs)


def _measured(options: EvaluateOptions, bar: Bar) -> EvaluationResult:
    from storyreel.evaluate.document import document_of
    from storyreel.evaluate.scores import lines_of

    with place(options.out, "report", options.clips, options.real, options.expected):
        done = measure(options, bar)
        document = document_of(done, " ".join(["storyreel", *sys.argv[1:]]))
        lines, page = lines_of(document), None
        if options.out is not None:
            from storyreel.evaluate.report import write_report

            page = write_report(document, options.clips, options.out, progress=bar is not silent)
            lines += ["", f"report: {page}"]
    return EvaluationResult(document, lines, page)


def _judged(options: EvaluateOptions, bar: Bar) -> EvaluationResult:
    from storyreel.evaluate.judged_clips import find_clips
    from storyreel.evaluate.judges import check_known, load_judge

    name, only = options.judge or "sprites", options.attributes
    judge = load_judge(name)
    if missing := [n for n in only if n not in judge.attributes]:
        raise ValueError(
            f"attributes: this judge does not know {', '.join(missing)}; it knows {', '.join(judge.attributes)}"
        )
    limit = options.limit or 10**9
    found = find_clips(options.clips, expected=options.expected, split=options.split or None, limit=limit)
    expected = [{k: v for k, v in c.expected.items() if not only or k in only} for c in found]
    check_known(judge, expected)
    with bar("judging", len(found)) as advance:
        report = judge.accuracy(_opened(found, advance), expected)
    return EvaluationResult({"judge": name, "path": str(options.clips), **report.as_json()}, report.lines())


def _opened(found: Iterable[JudgedClip], advance: Callable[[int], None]) -> Iterator[Clip]:
    for clip in found:
        yield clip.open()
        advance(1)


def compare(a: Path, b: Path) -> EvaluationResult:
    """Two reports of the same clips' kind, score by score."""
    from storyreel.evaluate.compare import compare, document_of, lines_of, read_report

    found = compare(read_report(a), read_report(b))
    return EvaluationResult(document_of(a, b, found), [f"A {a}", f"B {b}", "", *lines_of(found)])


def benchmark(
    name: str, clips: Path, *, judge: str = "", out: Path | None = None, quiet: bool = True
) -> EvaluationResult:
    """The answers of a model to a fixed list of prompts."""
    from storyreel.evaluate import benchmarks

    with place(out, "report", clips):
        document, lines = benchmarks.run(name, clips, quiet=quiet, judge=judge)
        if out is not None:
            from storyreel.storage import write_json

            write_json(out / f"{name}.json", document)
            lines = [*lines, "", f"report: {out / f'{name}.json'}"]
    return EvaluationResult(document, lines)


def train_judge(data: str, out: Path, how: JudgeTraining, bar: Bar = silent) -> EvaluationResult:
    """A judge of the attributes of real clips, into the folder `out`, and how often it is right on unseen ones."""
    from storyreel.data.dataset import open_dataset
    from storyreel.evaluate import judge_training, locator_training
    from storyreel.evaluate.judge_card import write_card

    folder = open_dataset(data)
    with place(out, "judge", folder.path):
        with bar("training the judge", how.steps) as advance:
            located = "centres" in next(iter(folder.attributes), {})
            train = locator_training.train_locator if located else judge_training.train_judge
            judge, report, held_out = train(folder, how, on_step=lambda step, loss: advance(1))
        facts: dict[str, Any] = {"data": folder.digest, "clips": len(folder)}
        facts |= {"steps": how.steps, "batch": how.batch, "seed": how.seed}
        facts |= {"unseen": report.as_json(), "unseen_held_out": held_out.as_json()}
        judge.save(out, card=write_card(out.name, facts, report, held_out), facts=facts)
    document: Mapping[str, Any] = {name: facts[name] for name in ("unseen", "unseen_held_out")}
    more = ["", "of these, held-out combinations:", *held_out.lines(), "", f"judge: {out}"]
    return EvaluationResult({"judge": str(out), **document}, [*report.lines(), *more])
