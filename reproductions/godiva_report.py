"""results.md of GODIVA's reproduction: the paper's Table 1 beside ours, and Figure 4."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reproductions.ablation import NAMES, PAPER
from reproductions.report import NOTHING, Part, commands, done, holds, number, why_not, yes_or_no


def report(results: dict[str, Any]) -> list[str]:
    """Markdown lines; `--` stands where nothing was measured."""
    parts: dict[str, Part] = results["parts"]
    lines = ["# What GODIVA claims for itself, at small scale", ""]
    lines += ["Intervals are 95 %: Wilson for shares of right answers, else by resampling. `--`: not measured.", ""]
    lines += [*_ablation(parts.get("ablation")), "", *_figure4(parts.get("figure4"))]
    return lines


def _ablation(part: Part | None) -> Iterator[str]:
    yield "## Table 1: what each part gives"
    yield ""
    if not done(part):
        yield why_not(part)
        return
    yield (
        f"`{part['recipe']}` with the paper's own attention, five generators on the same clips and tokenizer, as many "
        f"FLOPs each; {part['prompts']} prompts of the benchmark moving-digits, one video each. *Right*: just the "
        "expected digits, each moving as told. The loss is that of real clips of held-out combinations, nats a token."
    )
    yield ""
    yield "| model | paper: SIM | RM | ours: right | digits | motions | loss, held out | seen | SIM | RM | steps |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    words = NAMES | {"ranked": f"full, best of {part['candidates']}"}
    for name, word in words.items():
        yield _row(word, PAPER[name], part["rows"].get(name))
    yield ""
    encoder = part["encoder"]
    if encoder:
        real = number(part["rows"]["full"]["sim_real"], digits=3)
        yield (
            f"SIM, RM and the ranking are by the encoder {encoder['name']} (digest {encoder['digest'][:12]}), not by "
            f"CLIP; real clips have SIM {real}."
        )
    else:
        yield "No encoder is here to rank candidates with, or for SIM and RM."
    best = {name: yes_or_no(verdict) for name, verdict in part["best"].items()}
    yield ""
    yield (
        f"The full model is best of the five: by right videos {best['right']}, by loss {best['loss']}. Ranking makes "
        f"it better still: {best['ranked']}. The claim, both by right videos, holds: {holds(part)}."
    )
    yield ""
    yield (
        "A layer left out is replaced by one of the other two axes. Every token enters beside its three earlier "
        "neighbours, so that no variant is blind to an axis altogether."
    )
    yield from commands(part, "which trains as these do (the tokenizer once, for all):")


def _row(word: str, paper: tuple[float, float], row: dict[str, Any] | None) -> str:
    cells = [word, f"{paper[0]:.2f}", f"{paper[1]:.2f}"]
    row = row or {}
    cells += [number(row.get(name), percent=True) for name in ("right", "digits", "motions")]
    cells += [number(row.get(name), digits=3) for name in ("loss_held_out", "loss_seen")]
    cells += [number(row.get("sim"), digits=3), number(row.get("rm"), percent=True), str(row.get("steps", NOTHING))]
    return f"| {' | '.join(cells)} |"


def _figure4(part: Part | None) -> Iterator[str]:
    yield "## Figure 4: captions whose combinations training never had"
    yield ""
    if not done(part):
        yield why_not(part)
        return
    yield "| caption | seed | video | digits | motions | seen |"
    yield "|---|---|---|---|---|---|"
    for clip in part["clips"]:
        which = "first" if clip["which"] == "first" else f"best of {part['candidates']}"
        seen = "; ".join(f"{s['digits']} {s['motions']}" for s in clip["seen"]) or "nothing"
        right = ["yes" if clip[name] else "no" for name in ("digits", "motions")]
        yield f"| {clip['prompt']} | {clip['seed']} | {which} | {right[0]} | {right[1]} | {seen} |"
    yield from commands(part)
