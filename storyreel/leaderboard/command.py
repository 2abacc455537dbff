"""What `storyreel leaderboard` does: models, folders of clips and reports in, a page with its table out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel import worlds
from storyreel.evaluate.evaluation import Bar, silent
from storyreel.leaderboard.entries import LeaderboardEntry, entrant_of, folder_of_clips, has_matte, make_clips
from storyreel.leaderboard.prompts import SeededPrompts, prompts_of
from storyreel.options.evaluation import EvaluateOptions
from storyreel.options.leaderboard import SOURCES, LeaderboardOptions

if TYPE_CHECKING:
    from storyreel.evaluate.report.leaderboard import Entrant


def run(options: LeaderboardOptions, bar: Bar = silent) -> tuple[dict[str, Any], Path]:
    """Make the clips that are missing, measure all; the document of leaderboard.json and the path of the page.

    ValueError or OSError, in one line: entries, prompts or clips that cannot be compared.
    """
    from storyreel.evaluate.report import write_leaderboard
    from storyreel.evaluate.report.side_by_side import side_by_side
    from storyreel.ownership import claim

    if options.world not in ("", *worlds.names()):
        raise ValueError(f"--world {options.world}: expected {' or '.join(worlds.names())}")
    entries = [LeaderboardEntry.of(text) for text in options.entries]
    _check_names(entries)
    frames, notes = _length(entries, options)
    prompts = _prompts(entries, options, frames)
    with claim(options.out, "leaderboard", inputs=[*(each.path for each in entries), options.real, options.prompts]):
        entrants = [_entrant(each, prompts, options, bar) for each in entries]
        document = _board(entrants, prompts, options, notes)
        return document, write_leaderboard(document, options.out, side_by_side(entrants))


def _prompts(entries: list[LeaderboardEntry], options: LeaderboardOptions, frames: int | None) -> SeededPrompts | None:
    """Those that models get now; None where no entry is a model."""
    models = [each for each in entries if each.kind == "model"]
    if not models:
        return None
    if not any(options.is_set(name) for name in SOURCES):
        raise ValueError(f"{models[0].name}: makes its clips now; expected --prompts, --benchmark or --world")
    settings: dict[str, Any] = {} if frames is None else {"frames": frames}
    if all(has_matte(each.path) for each in models):
        settings["transparent"] = True  # a judge sees figures best without a ground
    return prompts_of(options, settings)


def _length(entries: list[LeaderboardEntry], options: LeaderboardOptions) -> tuple[int | None, tuple[str, ...]]:
    """(frames of the clips, notes): as they are set; the least of the models' own lengths, where these differ, since
    scores of clips of two lengths are not compared; else None, for their own."""
    if options.frames is not None:
        return options.frames, ()
    from storyreel.generate import registry

    makes = {each.name: registry.describe(each.path).get("makes") for each in entries if each.kind == "model"}
    known = {name: made["frames"] for name, made in makes.items() if isinstance(made, dict) and made.get("frames")}
    if len(set(known.values())) < 2:
        return None, ()
    least = min(known.values())
    own = ", ".join(f"{name} {frames}" for name, frames in known.items())
    note = f"the models' own lengths differ ({own} frames); clips have {least} where the prompt sets none"
    return least, (note,)


def _check_names(entries: list[LeaderboardEntry]) -> None:
    """Before anything is made."""
    names = [each.name for each in entries]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two of the models are called {repeated[0]!r}; name one, as in other={entries[-1].path}")
    if bad := [name for name in names if not name.strip() or {"/", "\\"} & set(name) or name.startswith(".")]:
        raise ValueError(f"a model cannot be called {bad[0]!r}: it names a folder; name it, as in NAME=FOLDER")


def _entrant(entry: LeaderboardEntry, prompts: SeededPrompts | None, options: LeaderboardOptions, bar: Bar) -> Entrant:
    """Make what is missing, measure it, and write its own report beside."""
    from storyreel.evaluate.compare import read_report
    from storyreel.evaluate.document import document_of
    from storyreel.evaluate.evaluation import evaluate
    from storyreel.evaluate.report import write_report

    out = options.out
    clips = folder_of_clips(entry, prompts, out)
    if clips is None:
        report = read_report(entry.path)
        return entrant_of(entry, report, Path(report["clips"]["path"]), entry.path.with_name("report.html"), out)
    if entry.kind == "model":
        assert prompts is not None
        make_clips(entry, prompts, clips, bar)
    same = ("real", "real_split", "metrics", "extractors", "protocol", "judge", "workers")
    measured = evaluate(EvaluateOptions(clips=clips, **{name: getattr(options, name) for name in same}), bar)
    report = document_of(measured, _command()) | {"name": entry.name}
    page = write_report(report, clips, out / "reports" / entry.name, progress=bar is not silent)
    return entrant_of(entry, report, clips, page, out)


def _board(
    entrants: list[Entrant], prompts: SeededPrompts | None, options: LeaderboardOptions, notes: tuple[str, ...]
) -> dict[str, Any]:
    from storyreel.evaluate.report.leaderboard import Terms, document_of

    machines = {str(e.seconds["machine"]): e.name for e in entrants if e.seconds}
    if len(machines) > 1:
        notes += (
            f"seconds were measured on different machines: {'; '.join(f'{n}: {m}' for m, n in machines.items())}",
        )
    source, seed = (prompts.source, options.seed) if prompts else ("", None)
    return document_of(entrants, Terms(source, seed, "; ".join(machines), _command(), notes), options.by)


def _command() -> str:
    import shlex

    return shlex.join(["storyreel", *sys.argv[1:]])


def lines_of(document: dict[str, Any]) -> list[str]:
    """A table for people: a line a score and a column a model, since scores are many and models few."""
    from storyreel.evaluate.report.leaderboard import leads

    models = document["models"]
    rows = [["score", "better", *(model["name"] for model in models)]]
    for score in document["scores"]:
        columns = [(model["scores"][score["name"]], " *" if leads(model, score) else "") for model in models]
        cells = [f"{cell['value']:.4g}{_plus(cell['interval'])}{star}" for cell, star in columns]
        rows.append([score["name"], {"real": "as real"}.get(score["direction"], score["direction"]), *cells])
    seconds = [(model["seconds_a_clip"] or {}).get("value") for model in models]
    rows.append(["seconds a clip", "lower", *("--" if s is None else f"{s:.3g}" for s in seconds)])
    rows.append(["parameters", "", *(f"{m['parameters']:,}" if m["parameters"] else "--" for m in models)])
    flops = [(model["training"] or {}).get("flops") for model in models]
    rows.append(["training FLOP", "", *(f"{f:.3g}" if f else "--" for f in flops)])
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:{w}}" for cell, w in zip(row, wide, strict=True)).rstrip() for row in rows]
    lines += [f"not in the table: {name}: {why}" for name, why in document["left_out"].items()]
    return [
        *lines,
        *(f"note: {note}" for note in document["notes"]),
        "* the best of its line, and those that are not surely worse",
    ]


def _plus(interval: list[float] | None) -> str:
    return f" [{interval[0]:.3g}, {interval[1]:.3g}]" if interval else ""
