"""What people look at: the page of an evaluation, a row for a LaTeX table, and the page of a leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storyreel.evaluate.report.side_by_side import SharedPrompt

__all__ = ["write_leaderboard", "write_report"]


def write_report(document: dict[str, Any], clips: Path, out: Path, *, progress: bool = False) -> Path:
    """Write out/report.html, one file that needs no other, with out/report.json and out/row.tex beside it.

    document: of `storyreel evaluate` (kind "evaluation"). clips: the folder that its `per_clip` files are in; what
    cannot be read there any more is left out and said. Returns the path of the page. OSError: what cannot be written.
    """
    from storyreel.evaluate.report.write import write_report as write

    return write(document, clips, out, progress=progress)


def write_leaderboard(document: dict[str, Any], out: Path, shown: Sequence[SharedPrompt] = ()) -> Path:
    """Write out/leaderboard.html with leaderboard.json and leaderboard.tex beside it; returns the path of the page.

    shown: prompts with the films of all models (`side_by_side.side_by_side`).
    """
    from storyreel.evaluate.report.leaderboard_page import write_leaderboard as write

    return write(document, out, shown)
