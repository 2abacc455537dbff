"""Rows for a booktabs table. A score from random weights never gets into one: `--`, and a comment that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
ARROWS = {"lower": r"$\downarrow$", "higher": r"$\uparrow$", "real": r"$\to$ real"}


def escape(text: str) -> str:
    """Words as LaTeX prints them, on one line.

    >>> escape("50% of a_b")
    '50\\\\% of a\\\\_b'
    """
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def comment(text: str) -> str:
    return f"% {' '.join(text.split())}"


def cell(score: Mapping[str, Any] | None, *, bold: bool = False) -> str:
    """`12.3 {\\scriptsize [11.9, 12.8]}`, or `--` where there is no value or none that may be quoted."""
    if score is None or score.get("value") is None or not score.get("trusted", True):
        return "--"
    value = f"{score['value']:.4g}"
    cell = rf"$\mathbf{{{value}}}$" if bold else f"${value}$"
    interval = score.get("interval")
    if interval and None not in interval:
        cell += rf" {{\scriptsize $[{interval[0]:.4g}, {interval[1]:.4g}]$}}"
    return cell


def heading(score: Mapping[str, Any]) -> str:
    return f"{escape(score['name'])} {ARROWS.get(score['direction'], '')}".rstrip()


def row(document: Mapping[str, Any]) -> str:
    """What row.tex holds: comments on how it was measured, the columns' names as a comment, and the row."""
    scores, protocol = document["scores"], document["protocol"]
    lines = [comment(f"{document['by']}, {document['made']}: {document['command']}")]
    lines.append(comment(f"protocol {protocol['name']}@{protocol['hash']}, {document['clips']['n']} clips"))
    lines += refused(scores)
    lines.append(comment(" & ".join(["", *map(heading, scores)]) + r" \\ \midrule"))
    lines.append(" & ".join([escape(str(document["name"])), *map(cell, scores)]) + r" \\")
    return "\n".join(lines) + "\n"


def refused(scores: Sequence[Mapping[str, Any]]) -> list[str]:
    """A comment for each score that may not be quoted."""
    return [
        comment(f"{score['name']} is left out: measured with random or untrained weights, the figure means nothing")
        for score in scores
        if not score.get("trusted", True)
    ]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], comments: Sequence[str] = ()) -> str:
    """A whole tabular, to be put into a document that uses booktabs; cells are LaTeX already."""
    lines = [*map(comment, comments), rf"\begin{{tabular}}{{l{'c' * (len(columns) - 1)}}}", r"\toprule"]
    lines += [" & ".join(columns) + r" \\", r"\midrule", *(" & ".join(cells) + r" \\" for cells in rows)]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"
