"""The parts of an evaluation's page, as HTML. All text that comes from the document goes through `escape`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from storyreel.evaluate.report import svg
from storyreel.evaluate.report.svg import short

BETTER = {"lower": "lower is better", "higher": "higher is better", "real": "the nearer to real the better"}
ABOUT = {
    "fvd": "Fréchet distance between features of these and of real clips",
    "kvd": "Kernel distance between features of these and of real clips",
    "fid": "Fréchet distance between features of single frames",
    "kid": "Kernel distance between features of single frames",
    "is": "Inception Score: single clips are plain to a classifier, and differ from one another",
    "clipsim": "How well the frames fit the prompt",
    "rm": "CLIPSIM as a share of what real clips of the prompt reach",
    "r-precision": "How often a clip finds its own prompt among others",
    "flicker": "1 without change of brightness from frame to frame beyond motion",
    "jitter": "How much motion changes from frame to frame",
    "sticking": "How much texture stays in place while things move",
    "dynamic": "Share of clips in which something moves",
    "seams": "Jump where the parts of a story meet, against ordinary steps",
    "psnr": "Likeness to the real clip of the same name, decibels",
    "ssim": "Structural likeness to the real clip of the same name",
    "lpips": "Perceptual distance from the real clip of the same name",
    "judge": "Share of the prompt's attributes that the judge sees",
}


def body(document: Mapping[str, Any], left_out: Sequence[str], ranked: Sequence[str]) -> str:
    parts = [
        _header(document),
        _notes(document),
        _scores(document["scores"]),
        _judge(document.get("judge")),
        _extremes(ranked),
        _distributions(document.get("distributions") or {}),
        _map(document.get("map")),
        _clips(document, left_out),
        _how(document),
    ]
    dialog = (
        '<dialog id="clip" aria-labelledby="clip-title"><div class="row"><h2 id="clip-title"></h2>'
        '<button type="button" class="quiet" id="close" aria-label="Close">✕</button></div><div id="clip-body"></div>'
        "</dialog>"
    )
    return f'<main>{"".join(parts)}</main>{dialog}<div id="hint" hidden></div>'


def section(name: str, title: str, inside: str, lead: str = "") -> str:
    said = f'<p class="lead">{lead}</p>' if lead else ""
    head = f'<h2 id="{name}-title">{title}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{head}{said}{inside}</section>'


def _header(document: Mapping[str, Any]) -> str:
    clips, real, protocol = document["clips"], document.get("real"), document["protocol"]
    against = f" against <b>{real['n']}</b> real clips of {escape(str(real['path']))}" if real else ""
    judged = document.get("scores") or []
    return f"""<header>
<p class="eyebrow">Evaluation</p>
<h1>{escape(str(document["name"]))}</h1>
<p class="lead"><b>{clips["n"]}</b> clips{against}, {len(judged)} score{"s" * (len(judged) != 1)}.</p>
<p class="chips"><span class="chip">protocol {escape(protocol["name"])}@{escape(protocol["hash"])}</span>
<span class="chip">{escape(str(document["by"]))}</span><span class="chip">{escape(_day(document["made"]))}</span></p>
<noscript><p class="note bad">Clips, their table and sorting need JavaScript; the figures below do not.</p></noscript>
</header>"""


def _day(made: Any) -> str:
    return str(made).replace("T", " ").removesuffix("+00:00") + " UTC" * str(made).endswith("+00:00")


def _notes(document: Mapping[str, Any]) -> str:
    """Warnings, and what was not measured, before any figure."""
    inside = ""
    if document["warnings"]:
        inside += "".join(f'<p class="note bad"><b>Warning</b> {escape(w)}</p>' for w in document["warnings"])
    skipped = document["skipped"]
    if skipped:
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(why))}</dd>" for name, why in skipped.items())
        inside += (
            f'<details class="note"><summary><b>Not measured</b> {escape(", ".join(skipped))}</summary><dl>{rows}</dl>'
            "</details>"
        )
    return f'<div class="notes" role="region" aria-label="Warnings">{inside}</div>' if inside else ""


def _scores(scores: Sequence[Mapping[str, Any]]) -> str:
    lead = "Lines across a bar are 95 % intervals. A floor is what real clips score against other real clips."
    return section("scores", "Scores", f'<div class="cards">{"".join(map(score_card, scores))}</div>', lead)


def score_card(score: Mapping[str, Any]) -> str:
    metric, _, extractor = score["name"].partition("[")
    tag = f'<span class="tag">{escape(extractor.removesuffix("]"))}</span>' if extractor else ""
    interval = score.get("interval")
    span = f"{short(interval[0])} to {short(interval[1])}" if interval else "no interval"
    said = "".join(f'<p class="small warn">{escape(score["warning"])}</p>' if score.get("warning") else "")
    said += f'<p class="small">{escape(score["note"])}</p>' if score.get("note") else ""
    trust = ""
    if not score["trusted"]:
        trust = '<p class="stamp">Not to be trusted: random or untrained weights</p>'
    return f"""<article class="card{"" if score["trusted"] else " untrusted"}">
<h3>{escape(metric)}{tag}</h3>{trust}
<p class="figure"><strong>{short(score["value"])}</strong> <span>{span}</span></p>
<p class="small">{escape(ABOUT.get(metric, ""))}</p>
{svg.bars(score)}
<p class="small">{BETTER.get(score["direction"], "")} · {score["n"]} {escape(str(score["unit"]))}</p>{said}
</article>"""


def _judge(judge: Mapping[str, Any] | None) -> str:
    if not judge or not judge.get("attributes"):
        return ""
    rows = []
    for name, told in judge["attributes"].items():
        if not told["n"]:  # nothing was asked of it
            continue
        mistakes = "; ".join(f"{m['wanted']} → {m['seen']} ({m['times']})" for m in told.get("mistakes") or ())
        rows.append(_judge_row(name, told["accuracy"], told["interval"], told["n"], mistakes))
    mean = judge.get("mean") or {}
    foot = _judge_row("mean", mean.get("accuracy"), mean.get("interval"), judge.get("clips", ""), "")
    head = "".join(
        f'<th scope="col" data-sort="{kind}"{label}>{name}</th>'
        for name, kind, label in (
            ("attribute", "text", ""), ("right", "number", ""), ("95 % interval", "", ""), ("n", "number", ""),
            ("commonest mistakes (wanted → seen)", "", ""),
        )
    )  # fmt: skip
    table = (
        f'<div class="scroll"><table class="sortable judge"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody><tfoot>{foot}</tfoot></table></div>"
    )
    lead = "Share of clips in which the judge sees what the prompt asks for, with Wilson's intervals; the mean's is by "
    return section("judge", "Attributes", table, f"{lead}resampling clips.")


def _judge_row(name: str, value: float | None, interval: Any, n: Any, mistakes: str) -> str:
    right = "–" if value is None else f"{100 * value:.1f} %"
    span = f"{100 * interval[0]:.1f} – {100 * interval[1]:.1f}" if interval and None not in interval else ""
    return (
        f'<tr><th scope="row">{escape(name)}</th><td class="num" data-value="{-1 if value is None else value}">{right}'
        f'</td><td class="drawn">{svg.share(value, interval)}<span>{span}</span></td><td class="num">{escape(str(n))}'
        f'</td><td class="soft">{escape(mistakes)}</td></tr>'
    )


def _extremes(ranked: Sequence[str]) -> str:
    if not ranked:
        return ""
    options = "".join(f'<option value="{escape(name)}">{escape(name)}</option>' for name in ranked)
    inside = f"""<div class="tools"><label>by <select id="rank">{options}</select></label>
<button type="button" id="pause" aria-pressed="false">Pause</button></div>
<h3>Worst</h3><div class="reel" id="worst"></div><h3>Best</h3><div class="reel" id="best"></div>"""
    lead = "By the value of each single clip; for a distance, by how much the clip moves it (above 0: away from real)."
    return section("extremes", "Worst and best clips", inside, lead)


def _distributions(shown: Mapping[str, Any]) -> str:
    cards = [
        f'<article class="card"><h3>{escape(name)}</h3>{plot}</article>'
        for name, d in shown.items()
        if (plot := svg.histogram(d, name))
    ]
    if not cards:
        return ""
    lead = '<span class="key made"></span> these clips &nbsp; <span class="key outline"></span> real clips'
    return section("distributions", "Distributions", f'<div class="cards">{"".join(cards)}</div>', lead)


def _map(places: Mapping[str, Any] | None) -> str:
    drawn = svg.scatter(places) if places else ""
    if not drawn or places is None:
        return ""
    lead = (
        f"Features of {escape(str(places['extractor']))} on their two main axes. "
        '<span class="key made round"></span> these clips &nbsp; <span class="key real round"></span> real clips. '
        "Point at a dot, or move with the arrow keys, to see its clip."
    )
    return section("map", "Feature map", f'<div id="scatter" tabindex="0" role="group">{drawn}</div>', lead)


def _clips(document: Mapping[str, Any], left_out: Sequence[str]) -> str:
    clips = document["per_clip"]
    prompts = [clip["prompt"] for clip in clips if clip["prompt"]]
    group = len(set(prompts)) < len(prompts)
    judged = any(clip.get("wanted") for clip in clips)
    said = "".join(f'<p class="small">{escape(line)}</p>' for line in left_out)
    toggles = ""
    if judged:
        toggles += '<label><input type="checkbox" id="wrong"> with a mistake</label>'
    if group:
        toggles += '<label><input type="checkbox" id="grouped"> a row a prompt</label>'
    inside = f"""<div class="tools"><label class="grow">Find <input id="find" type="search" autocomplete="off"
placeholder="words of the prompt, a file, an attribute"></label>{toggles}<label id="sort-by">sort by
<select id="sort"></select></label><span id="count" role="status"></span></div>{said}
<div class="scroll"><table id="clips-table"><thead></thead><tbody></tbody></table></div>
<p><button type="button" id="more" hidden>Show more</button></p>"""
    return section("clips", "All clips", inside)


def _how(document: Mapping[str, Any]) -> str:
    """Everything that the scores depend on, folded away."""
    prints = [f"<h4>{escape(score['name'])}</h4>{pairs(score['fingerprint'])}" for score in document["scores"]]
    extractors = [f"<h4>{escape(n)}</h4>{pairs(e)}" for n, e in (document.get("extractors") or {}).items()]
    bad = "".join(
        f"<li>{escape(str(each['file']))}: {escape(str(each['error']))}</li>"
        for kind in ("unreadable", "dropped")
        for each in document["clips"].get(kind) or ()
    )
    real = document.get("real") or {}
    blocks = [
        ("Protocol", pairs(document["protocol"])),
        ("Fingerprints", "".join(prints)),
        ("Extractors", "".join(extractors)),
        ("Real clips", pairs({k: v for k, v in real.items() if k != "unreadable"}) if real else ""),
        ("Clips that do not count", f"<ul>{bad}</ul>" if bad else ""),
    ]
    folded = "".join(f"<details><summary>{title}</summary>{inside}</details>" for title, inside in blocks if inside)
    command = ""
    if document.get("command"):
        command = (
            f'<div class="command"><code id="command">{escape(document["command"])}</code>'
            '<button type="button" id="copy">Copy</button></div>'
        )
    return section("how", "How this was measured", command + folded)


def pairs(said: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<dt>{escape(str(key))}</dt><dd>{escape(value if isinstance(value, str) else json.dumps(value))}</dd>"
        for key, value in said.items()
    )
    return f"<dl>{rows}</dl>"
