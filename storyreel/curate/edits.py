"""What people decide about clips by hand: lines of curation/edits.jsonl, appended and never rewritten."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

from storyreel.curate.lines import append_line, whole_lines
from storyreel.json_file import parse_json
from storyreel.ownership import own_file
from storyreel.storage import encoded, locked

EDITS = "curation/edits.jsonl"
EDIT_WAIT = 30.0  # seconds that an edit waits for another one


def edits_file(dataset: str | Path) -> Path:
    return Path(dataset) / EDITS


def read_edits(dataset: str | Path) -> dict[str, dict[str, Any]]:
    """Clip id -> {"keep": ..., "caption": ...}. A line that is no decision is told on stderr once, and passed over."""
    found: dict[str, dict[str, Any]] = {}
    file = edits_file(dataset)
    if not file.exists():
        return found
    for number, text in enumerate(whole_lines(file), 1):
        try:
            line = parse_json(text)
            check_edit(line)
        except ValueError as error:
            tell_once(f"{file}, line {number}: is passed over: {error}")
            continue
        found.setdefault(line["clip"], {}).update({k: line[k] for k in ("keep", "caption") if k in line})
    return found


def check_edit(line: Any) -> None:
    """ValueError for what is no decision: {"clip": id, "keep": true, false or null, "caption": text or null}."""
    if not isinstance(line, dict) or not isinstance(line.get("clip"), str):
        raise ValueError("expected an object with a clip")
    if not isinstance(line.get("keep"), (bool, type(None))):
        raise ValueError(f"keep: expected true, false or null, got {line['keep']!r}")
    if not isinstance(line.get("caption"), (str, type(None))):
        raise ValueError(f"caption: expected text or null, got {line['caption']!r}")
    for name in ("clip", "caption"):
        encoded(line.get(name) or "", name)


@cache
def tell_once(line: str) -> None:
    print(f"storyreel: {line}", file=sys.stderr)


def add_edit(dataset: str | Path, clip: str, **change: Any) -> None:
    """Append one decision: keep=True, False or None (as the thresholds say), caption=text or None (as it was).

    ValueError, and nothing is stored: another kind of value, or a caption that is no text (a lone surrogate).
    """
    if not change or set(change) - {"keep", "caption"}:
        raise ValueError(f"edit of {clip}: expected keep or caption, got {', '.join(change) or 'nothing'}")
    check_edit({"clip": clip, **change})
    file = own_file(dataset, EDITS)
    with locked(file.with_name(".edits.lock"), f"{file}: is being written by another process", wait=EDIT_WAIT):
        append_line(file, {"clip": clip, **change})
