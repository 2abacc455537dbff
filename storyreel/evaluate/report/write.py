"""report.html, report.json and row.tex of one evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from storyreel.evaluate.report import latex, media, page
from storyreel.evaluate.report.ranking import rankings, shown_first
from storyreel.evaluate.score import labels
from storyreel.storage import replacing

KIND = "evaluation"


def write_report(document: dict[str, Any], clips: Path, out: Path, *, progress: bool = False) -> Path:
    """As `report.write_report`. The three files appear together or not at all."""
    if document.get("kind") != KIND:
        raise ValueError(f"report: expected a document of kind {KIND!r}, got {document.get('kind')!r}")
    ranks = rankings(document)
    files = [clips / clip["file"] for clip in document["per_clip"]]
    pictures = media.gather(files, shown_first(ranks), progress=progress)
    html = page.render(
        "report", f"{document['name']} · evaluation", payload(document, ranks, pictures), document=document,
        left_out=pictures.left_out, ranked=list(ranks),
    )  # fmt: skip
    made = {out / "report.json": json.dumps(document, indent=1) + "\n", out / "report.html": html}
    made[out / "row.tex"] = latex.row(document)
    with replacing(*made) as temporary:
        for file, text in zip(temporary, made.values(), strict=True):
            file.write_text(text, encoding="utf-8", errors="backslashreplace")  # file names that are no text
    return out / "report.html"


def payload(document: Mapping[str, Any], ranks: Mapping[str, Any], pictures: media.Media) -> dict[str, Any]:
    """What the page's script reads."""
    names = [score["name"] for score in document["scores"]]
    shown = [name for name in names if any(name in clip["scores"] for clip in document["per_clip"])]
    about = {score["name"]: score for score in document["scores"]}
    return {
        "scores": [{key: about[name].get(key) for key in ("name", "direction", "trusted", "real")} for name in shown],
        "clips": [
            {
                "file": clip["file"],
                "prompt": clip["prompt"],
                "seed": clip["seed"],
                "scores": [clip["scores"].get(name) for name in shown],
                "attributes": attributes(clip.get("wanted") or {}, clip.get("seen") or {}),
            }
            for clip in document["per_clip"]
        ],
        "ranks": ranks,
        "strips": {i: strip.as_json() for i, strip in pictures.strips.items()},
        "films": pictures.films,
    }


def attributes(expected: Mapping[str, Any], seen: Mapping[str, Any]) -> list[list[Any]]:
    """[name, expected, seen, right] each; right is None where the two are no single words."""
    if "things" in seen:  # a judge that finds things: what it saw is a list, that no single word answers
        rows = [[name, text, None, None] for name, text in labels(expected).items() if text is not None]
        return [*rows, *(["seen", None, _words(thing), None] for thing in seen["things"])]
    named = labels(expected)
    return [
        [name, value, None if seen.get(name) is None else str(seen[name]), name in seen and str(seen[name]) == value]
        for name, value in named.items()
        if value is not None
    ]


def _words(thing: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in thing.items()) if isinstance(thing, dict) else str(thing)
