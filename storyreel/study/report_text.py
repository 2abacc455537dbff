"""The report of a study as tables for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from storyreel.study.plan import NOISE, SAME
from storyreel.wording import counted


def lines(doc: dict[str, Any]) -> list[str]:
    """The whole report; `doc` comes from `report.report`."""
    both = doc["passed"] is not None
    whole = doc["all"]
    made = [
        f"{doc['study']['preset']}: {_voted(whole)} on {counted(doc['prompts'], 'prompt')}",
        *_catch(doc["catch"]),
        "",
        *_section(whole, "all raters" if both else ""),
    ]
    if both:
        made += ["", *_section(doc["passed"], "without the raters who failed the catch trials")]
    elif doc["catch"]["raters_failed"]:
        made += ["", "Nobody who was tested passed, so there are no figures without those who failed."]
    half_widths = doc["power"]["half_width"].items()
    widths = ", ".join(f"{counted(int(n), 'prompt')} ± {100 * half:.1f}" for n, half in half_widths)
    made += ["", f"A win rate of 50 % is known, in points, with {widths} (one independent vote a prompt)."]
    needed = doc["power"]["prompts_for_5_points"]
    return [*made, f"At the spread of these votes, ± 5 points everywhere takes about {needed} prompts."]


def _catch(catch: dict[str, Any]) -> list[str]:
    answered = [(kind, catch[kind]) for kind in (NOISE, SAME) if catch[kind]["n"]]
    if not answered:
        return ["catch trials: none were answered"]
    shares = ", ".join(f"{kind} {c['right']} of {c['n']} right" for kind, c in answered)
    tested = catch["raters_passed"] + catch["raters_failed"]
    rate = f"{catch['raters_passed']} of {counted(tested, 'rater')} pass ({100 * catch['pass_rate']:.0f} %)"
    return [f"catch trials: {shares}; {rate}"]


def table(columns: list[str], rows: list[list[str]]) -> list[str]:
    """Columns of one width each, the first to the left."""
    width = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    aligned: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(columns) - 1)]
    return [
        "  ".join(how(cell, w) for how, cell, w in zip(aligned, row, width, strict=True)).rstrip()
        for row in [columns, *rows]
    ]


def percent(rate: dict[str, Any]) -> str:
    """A rate with its interval, in per cent."""
    if rate["value"] is None:
        return "--"
    low, high = rate["interval"]
    return f"{100 * rate['value']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"


def _section(section: dict[str, Any], title: str) -> list[str]:
    made = [f"== {title}: {_voted(section)} ==", ""] if title else []
    columns = [
        "question: A against B",
        "A wins",
        "ties",
        "B wins",
        "A % [95 %]",
        "A % without ties",
        "majority %",
        "p",
        "Holm",
    ]
    rows = [
        [
            f"{c['question']}: {c['a']} against {c['b']}", str(c["wins"]), str(c["ties"]), str(c["losses"]),
            percent(c["win_rate"]), percent(c["win_rate_without_ties"]), percent(c["majority"]),
            _p(c["sign_test"]["p"]), _p(c["sign_test"]["p_holm"]),
        ]
        for c in section["comparisons"]
    ]  # fmt: skip
    made += table(columns, rows)
    made += ["Intervals: prompts and raters drawn again (majority: prompts). p: exact sign test over prompts.", ""]
    for strengths in section["bradley_terry"]:
        made += [*_strengths(strengths), ""]
    made += [_agreement(row) for row in section["agreement"]]
    side = section["side"]
    left = counted(side["left"], "time")
    return [*made, f"side: left chosen {left}, right {side['right']}, p = {_p(side['p'])}"]


def _voted(section: dict[str, Any]) -> str:
    return f"{counted(section['votes'], 'vote')} of {counted(section['raters'], 'rater')}"


def _agreement(row: dict[str, Any]) -> str:
    names = {"Krippendorff's alpha": "krippendorff_alpha", "Fleiss' kappa": "fleiss_kappa", "raw agreement": "raw"}
    shares = [f"{name} {'--' if row[key] is None else format(row[key], '.3f')}" for name, key in names.items()]
    return f"{row['question']}: {', '.join(shares)} ({counted(row['pairs'], 'pair')} with two votes or more)"


def _strengths(doc: dict[str, Any]) -> list[str]:
    """Bradley-Terry strengths, and who beats whom with which probability."""
    names = [row["model"] for row in doc["models"]]
    rows = []
    for row, beats in zip(doc["models"], doc["win_probability"], strict=True):
        known = row["interval"] is not None
        interval = (
            f" [{row['interval'][0]:+.2f}, {row['interval'][1]:+.2f}]" if known else " (not bounded by the votes)"
        )
        chances = ["--" if x is None else f"{100 * x:.1f}" for x in beats]
        rows.append([row["model"], f"{row['strength']:+.2f}{interval}", *chances])
    return table([f"{doc['question']}, Bradley-Terry", "strength", *(f"% over {name}" for name in names)], rows)
