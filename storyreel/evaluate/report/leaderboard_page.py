"""leaderboard.html, leaderboard.json and leaderboard.tex."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storyreel.evaluate.report import latex, page
from storyreel.evaluate.report.leaderboard import leads
from storyreel.evaluate.report.side_by_side import SharedPrompt
from storyreel.storage import replacing
from storyreel.wording import amount


def write_leaderboard(document: dict[str, Any], out: Path, shown: Sequence[SharedPrompt] = ()) -> Path:
    """As `report.write_leaderboard`. The three files appear together or not at all."""
    ends = {score["name"]: ends_of(document["models"], score["name"]) for score in document["scores"]}
    html = page.render("leaderboard", "Leaderboard", {}, document=document, ends=ends, leads=leads, shown=shown)
    made = {
        out / "leaderboard.json": json.dumps(document, indent=1) + "\n",
        out / "leaderboard.html": html,
        out / "leaderboard.tex": to_latex(document),
    }
    with replacing(*made) as temporary:
        for file, text in zip(temporary, made.values(), strict=True):
            file.write_text(text, encoding="utf-8", errors="backslashreplace")
    return out / "leaderboard.html"


def ends_of(models: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float]:
    """The smallest and the largest value of a score, intervals included: the scale that its column shares."""
    found = [model["scores"][name] for model in models]
    ends = [end for one in found for end in (one["value"], *(one["interval"] or ())) if end is not None]
    return min(ends), max(ends)


def to_latex(document: Mapping[str, Any]) -> str:
    """A booktabs table: models in the page's order, the best of each column bold, values with intervals."""
    scores = document["scores"]
    columns = ["Model", *map(latex.heading, scores), "s / clip", "Parameters", "Training FLOP"]
    rows = []
    for model in document["models"]:
        cells = [latex.escape(model["name"])]
        for score in scores:
            score_of = model["scores"][score["name"]]
            cells.append(latex.cell({**score_of, "trusted": True}, bold=leads(model, score)))
        seconds, flops = model.get("seconds_a_clip") or {}, (model.get("training") or {}).get("flops")
        cells.append(latex.cell({"value": seconds.get("value"), "interval": seconds.get("interval")}))
        cells.append(amount(model["parameters"]).rstrip() if model.get("parameters") else "--")
        cells.append(_power(flops) if flops else "--")
        rows.append(cells)
    comments = [f"{document['by']}, {document['made']}: {document['command']}"]
    comments += [f"{name} is left out: {why}" for name, why in document["left_out"].items()]
    return latex.table(columns, rows, comments)


def _power(number: float) -> str:
    digits, _, power = f"{number:.2e}".partition("e")
    return rf"${digits} \times 10^{{{int(power)}}}$"
