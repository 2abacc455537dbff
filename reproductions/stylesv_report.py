"""results.md of StyleSV's reproduction: a table for each claim."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproductions.report import Part, commands, done, holds, number, why_not

TITLES = {
    "sticking": "Frames without aliasing do not stick (texture sticking)",
    "pretraining": "Image pre-training makes better frames (FID)",
    "tsm": "Shifting channels in the critic makes better motion (FVD)",
    "anchors": "B-splines are smooth at anchors (jolt)",
    "periodicity": "Low-rank weights keep motion from repeating (periodicity)",
    "presets": "Five papers side by side (FVD)",
}
COLUMNS = ("fvd", "fvd16", "fid", "sticking", "jolt", "smoothness", "periodicity", "dynamic")


def report(results: dict[str, Any]) -> list[str]:
    """Markdown lines; `--` stands where nothing was measured."""
    parts: dict[str, Part] = results["parts"]
    lines = ["# What StyleSV claims for itself, at small scale", ""]
    lines += ["All of a table are trained on the same clips for as many FLOPs. Intervals are 95 %, by resampling."]
    lines += ["FVD is by an encoder of the world, of whole videos and of their first 16 frames; with --quick, and FID"]
    lines += ["always, by networks of random weights. They compare rows of these tables, and nothing else."]
    lines += ["Row `real`: other real clips, the floor."]
    lines += ["Jolt: the second difference of frames at anchors, in medians. `--`: not measured.", ""]
    for name, title in TITLES.items():
        lines += [f"## {title}", "", *_table(parts.get(name)), ""]
    lines += ["## Those that read a text, on sprites (attributes right, by the judge)", ""]
    lines += [*_texts(parts.get("texts")), ""]
    return lines


def _texts(part: Part | None) -> Iterator[str]:
    if not done(part):
        yield why_not(part)
        return
    yield "| model | attributes right | all of a video | `wrong_texts` less it | steps |"
    yield "|---|---|---|---|---|"
    for name, row in part["rows"].items():
        shares = [row["attributes"]["mean"], row["attributes"]["all_right"], part["gaps"].get(name)]
        yield f"| {name} | {' | '.join(number(share, percent=True) for share in shares)} | {_steps(row)} |"
    yield ""
    claim = "StyleSV that is told wrong texts, too (`wrong_texts`), is above all others, and above chance"
    yield f"n = {part['n']} prompts. {claim}: {holds(part)}."
    yield from commands(part)


def _steps(row: dict[str, Any]) -> str:
    return ", ".join(f"{stage} {count}" for stage, count in row["steps"].items())


def _table(part: Part | None) -> Iterator[str]:
    if not done(part):
        yield why_not(part)
        return
    yield f"| model | {' | '.join(COLUMNS)} | steps |"
    yield "|---" * (len(COLUMNS) + 2) + "|"
    for name, row in part["rows"].items():
        yield f"| {name} | {' | '.join(number(row.get(column), digits=3) for column in COLUMNS)} | {_steps(row)} |"
    yield ""
    yield f"The claim holds: {holds(part)}."
    yield from commands(part)
