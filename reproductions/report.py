"""What every results.md is made of: figures with their intervals, verdicts, a part's commands and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from storyreel.storage import replacing

Part: TypeAlias = dict[str, Any]
NOTHING = "--"


def write_lines(out: Path, lines: Iterable[str]) -> Path:
    """Write DIR/results.md."""
    path = out / "results.md"
    with replacing(path) as (made,):
        made.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def number(measured: dict[str, Any] | None, unit: str = "", *, percent: bool = False, digits: int = 2) -> str:
    """A value with its interval, `--` where there is none: from what `Measured` or a judge's report gave."""
    value = (measured or {}).get("value", (measured or {}).get("accuracy"))
    if value is None:
        return NOTHING
    by = 100 if percent else 1
    unit, digits = ("%", 1) if percent else (unit, digits)
    text = f"{by * value:.{digits}f}{' ' + unit if unit else ''}"
    interval = (measured or {}).get("interval")
    return f"{text} ({by * interval[0]:.{digits}f} to {by * interval[1]:.{digits}f})" if interval else text


def yes_or_no(verdict: bool | None) -> str:
    return NOTHING if verdict is None else "yes" if verdict else "no"


def holds(part: Part | None) -> str:
    return yes_or_no((part or {}).get("holds"))


def done(part: Part | None) -> TypeGuard[Part]:
    """Whether there is something to show."""
    return part is not None and "missing" not in part


def why_not(part: Part | None) -> str:
    """What to show instead."""
    return f"Not measured: {part['missing']}" if part else "Not measured."


def commands(part: Part, trains: str = "which trains as these do:") -> Iterator[str]:
    """How and when a part was measured, what it trains with, and its pictures.

    trains: what is said before the commands that train, where a part has some.
    """
    yield from ("", f"Measured on {part['date']} with", "")
    yield from ("```sh", part["command"], "```")
    if part.get("commands"):
        yield from ("", trains, "")
        yield from ("```sh", *part["commands"], "```")
    yield from pictures(part)


def pictures(part: Part) -> Iterator[str]:
    for picture in part.get("pictures", []):
        yield from ("", f"![{picture}]({picture})")
