"""leaderboard.html, leaderboard.json and leaderboard.tex."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from storyreel.evaluate.report import latex, page, svg
from storyreel.evaluate.report.leaderboard import leads
from storyreel.evaluate.report.sections import BETTER, pairs, section
from storyreel.evaluate.report.svg import short
from storyreel.storage import replacing

FROM, TO = 112, 262  # of a forest's scale: names stand before it, values behind


def write_leaderboard(document: dict[str, Any], out: Path) -> Path:
    """As `report.write_leaderboard`. The three files appear together or not at all."""
    made = {
        out / "leaderboard.json": json.dumps(document, indent=1) + "\n",
        out / "leaderboard.html": page.assemble("Leaderboard", body(document), {}, "leaderboard.js"),
        out / "leaderboard.tex": to_latex(document),
    }
    with replacing(*made) as temporary:
        for file, text in zip(temporary, made.values(), strict=True):
            file.write_text(text, encoding="utf-8")
    return out / "leaderboard.html"


def body(document: Mapping[str, Any]) -> str:
    return f"<main>{_header(document)}{_notes(document)}{_table(document)}{_forests(document)}{_how(document)}</main>"


def _header(document: Mapping[str, Any]) -> str:
    prompts, real = document["prompts"], document.get("real")
    against = f", against <b>{real['n']}</b> real clips of {escape(str(real['path']))}" if real else ""
    source = f" of {escape(str(prompts['from']))}" if prompts.get("from") else ""
    seed = "" if prompts.get("seed") is None else f", seed {prompts['seed']}"
    day = str(document["made"]).replace("T", " ").replace("+00:00", " UTC")
    return f"""<header><p class="eyebrow">Leaderboard</p>
<h1>{len(document["models"])} models on equal terms</h1>
<p class="lead"><b>{document["clips"]}</b> clips a model from <b>{prompts["n"]}</b> prompts{source}{seed}{against}.</p>
<p class="chips"><span class="chip">{escape(str(document["by"]))}</span><span class="chip">{escape(day)}</span>
{f'<span class="chip">{escape(document["machine"])}</span>' if document.get("machine") else ""}</p></header>"""


def _notes(document: Mapping[str, Any]) -> str:
    said = "".join(f'<p class="note bad"><b>Note</b> {escape(line)}</p>' for line in document["notes"])
    left = document["left_out"]
    if left:
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(why)}</dd>" for name, why in left.items())
        said += (
            f'<details class="note"><summary><b>Not in the table</b> {escape(", ".join(left))}</summary>'
            f"<dl>{rows}</dl></details>"
        )
    return f'<div class="notes" role="region" aria-label="Notes">{said}</div>' if said else ""


def _table(document: Mapping[str, Any]) -> str:
    scores, models = document["scores"], document["models"]
    heads = ['<th scope="col" data-sort="text">model</th>']
    for score in scores:
        first = "" if score["direction"] == "lower" else ' data-first="descending"'
        chosen = {"lower": "ascending", "higher": "descending"}.get(score["direction"])
        now = f' data-sorted="{chosen}"' if chosen and score["name"] == document["sorted_by"] else ""
        wanted = {"lower": "lower is better", "higher": "higher is better"}.get(score["direction"], "as real clips")
        label = f"<small>{wanted}</small>{escape(score['name'])}"
        title = escape(BETTER.get(score["direction"], ""))
        heads.append(f'<th scope="col" class="num" data-sort="number"{first}{now} title="{title}">{label}</th>')
    for name in ("seconds a clip", "parameters", "training compute"):
        heads.append(f'<th scope="col" class="num" data-sort="number">{name}</th>')
    ranges = {score["name"]: _range(models, score["name"]) for score in scores}
    rows = "".join(_model(model, scores, ranges) for model in models)
    lead = (
        "The best of each column is bold. Under a value: its 95 % interval on the column's scale, and how far it is "
        "from the best, with the interval of that difference; red where the interval leaves no doubt."
    )
    head = f"<thead><tr>{''.join(heads)}</tr></thead>"
    table = f'<div class="scroll"><table class="sortable board">{head}<tbody>{rows}</tbody></table></div>'
    return section("board", "Models", table, lead)


def _range(models: Sequence[Mapping[str, Any]], name: str) -> tuple[float, float]:
    ends = [
        end
        for model in models
        for end in (model["scores"][name]["value"], *(model["scores"][name]["interval"] or ()))
        if end is not None
    ]
    return min(ends), max(ends)


def _model(
    model: Mapping[str, Any], scores: Sequence[Mapping[str, Any]], ranges: Mapping[str, tuple[float, float]]
) -> str:
    name = escape(model["name"])
    if model.get("link"):
        name = f'<a href="{quote(model["link"])}">{name}</a>'
    about = f"<small>{escape(model['system'])}</small>" if model.get("system") else ""
    cells = [f'<th scope="row" data-value="{escape(model["name"])}">{name}{about}</th>']
    for score in scores:
        told = model["scores"][score["name"]]
        best = leads(model, score)
        said = f"<span>{short(told['value'])}</span>" + svg.dot(told["value"], told["interval"], *ranges[score["name"]])
        cells.append(
            f'<td class="num{" best" if best else ""}" data-value="{_key(told["value"])}">{said}{_gap(told)}</td>'
        )
    cells += [_seconds(model.get("seconds_a_clip")), _count(model.get("parameters")), _compute(model.get("training"))]
    return f"<tr>{''.join(cells)}</tr>"


def _key(value: float | None) -> str:
    return "" if value is None else repr(value)


def _gap(told: Mapping[str, Any]) -> str:
    gap = told.get("to_best")
    if not gap or not gap["difference"]:
        return ""
    span = f" [{_signed(gap['interval'][0])}, {_signed(gap['interval'][1])}]" if gap["interval"] else ""
    kind = " worse" if gap["worse"] else ""
    title = "paired over prompts" if gap["paired"] else "not paired"
    return f'<span class="gap{kind}" title="{title}">{_signed(gap["difference"])}{span}</span>'


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−") if value else "0"


def _seconds(seconds: Mapping[str, Any] | None) -> str:
    if not seconds or seconds.get("value") is None:
        return '<td class="num" data-value="">--</td>'
    span = f"[{seconds['interval'][0]:.3g}, {seconds['interval'][1]:.3g}]" if seconds.get("interval") else ""
    title = escape(f"{seconds['machine']}, median of {seconds['n']} clips")
    value = seconds["value"]
    return f'<td class="num" data-value="{value!r}" title="{title}">{value:.3g}<span class="gap">{span}</span></td>'


def amount(number: float) -> str:
    """1234567 -> "1.23 M"."""
    for factor, letter in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= factor:
            return f"{number / factor:.3g} {letter}"
    return f"{number:g}"


def _count(number: int | None) -> str:
    return f'<td class="num" data-value="{number or ""}">{amount(number) if number else "--"}</td>'


def _compute(training: Mapping[str, Any] | None) -> str:
    flops = (training or {}).get("flops")
    note = (training or {}).get("note") or ""
    said = f"{amount(flops)}FLOP" if flops else "--"
    return f'<td class="num" data-value="{flops or ""}">{said}<span class="gap">{escape(note)}</span></td>'


def _forests(document: Mapping[str, Any]) -> str:
    """Each score as a picture: a line a model, on one scale."""
    cards = [
        f'<article class="card"><h3>{escape(score["name"])}</h3><p class="small">'
        f"{BETTER.get(score['direction'], '')}</p>{forest(document['models'], score)}</article>"
        for score in document["scores"]
    ]
    lead = "Dots are values, lines their 95 % intervals; the green line is what real clips have, or their floor."
    return section("forests", "Scores", f'<div class="cards">{"".join(cards)}</div>', lead)


def forest(models: Sequence[Mapping[str, Any]], score: Mapping[str, Any]) -> str:
    mark = score.get("real") if score.get("real") is not None else score.get("floor")
    low, high = _range(models, score["name"])
    low, high = (low, high) if mark is None else (min(low, mark), max(high, mark))

    def x(value: float) -> float:
        return round(FROM + (TO - FROM) * svg.along(value, low, high), 1)

    rows, high_px = [], len(models) * svg.ROW + 20
    if mark is not None:
        rows.append(f'<line class="outline" x1="{x(mark)}" x2="{x(mark)}" y1="0" y2="{high_px - 20}"/>')
    for i, model in enumerate(models):
        told, y = model["scores"][score["name"]], i * svg.ROW + 11
        name = model["name"] if len(model["name"]) <= 16 else model["name"][:15] + "…"
        rows.append(f'<text class="label" x="0" y="{y + 4}">{escape(name)}</text>')
        rows.append(f'<line class="track-line" x1="{FROM}" x2="{TO}" y1="{y}" y2="{y}"/>')
        if told["interval"]:
            rows.append(svg.whisker(x(told["interval"][0]), x(told["interval"][1]), y))
        rows.append(f'<circle class="dot" cx="{x(told["value"])}" cy="{y}" r="4.5"/>')
        rows.append(f'<text class="value" x="{svg.WIDE}" y="{y + 4}">{short(told["value"])}</text>')
    for value, anchor in ((low, "start"), (high, "end")) if low < high else ((low, "middle"),):
        rows.append(f'<text class="tick" x="{x(value)}" y="{high_px - 4}" text-anchor="{anchor}">{value:.3g}</text>')
    return svg.svg(svg.WIDE, high_px, "".join(rows), score["name"])


def _how(document: Mapping[str, Any]) -> str:
    prints = "".join(f"<h4>{escape(s['name'])}</h4>{pairs(s['fingerprint'])}" for s in document["scores"])
    models = "".join(
        f"<h4>{escape(m['name'])}</h4>{pairs({k: m[k] for k in ('path', 'system', 'digest', 'training') if m.get(k)})}"
        for m in document["models"]
    )
    blocks = [("Fingerprints, the same for all", prints), ("Models", models)]
    folded = "".join(f"<details><summary>{title}</summary>{inside}</details>" for title, inside in blocks)
    command = ""
    if document.get("command"):
        command = (
            f'<div class="command"><code id="command">{escape(document["command"])}</code>'
            '<button type="button" id="copy">Copy</button></div>'
        )
    return section("how", "How this was measured", command + folded)


def to_latex(document: Mapping[str, Any]) -> str:
    """A booktabs table: models in the page's order, the best of each column bold, values with intervals."""
    scores = document["scores"]
    columns = ["Model", *map(latex.heading, scores), "s / clip", "Parameters", "Training FLOP"]
    rows = []
    for model in document["models"]:
        cells = [latex.escape(model["name"])]
        for score in scores:
            told = model["scores"][score["name"]]
            cells.append(latex.cell({**told, "trusted": True}, bold=leads(model, score)))
        seconds, flops = model.get("seconds_a_clip") or {}, (model.get("training") or {}).get("flops")
        cells.append(latex.cell({"value": seconds.get("value"), "interval": seconds.get("interval")}))
        cells.append(amount(model["parameters"]) if model.get("parameters") else "--")
        cells.append(_power(flops) if flops else "--")
        rows.append(cells)
    comments = [f"{document['by']}, {document['made']}: {document['command']}"]
    comments += [f"{name} is left out: {why}" for name, why in document["left_out"].items()]
    return latex.table(columns, rows, comments)


def _power(number: float) -> str:
    digits, _, power = f"{number:.2e}".partition("e")
    return rf"${digits} \times 10^{{{int(power)}}}$"
