"""Prompt files: many prompts, each with settings of its own, in text, JSON lines, JSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storyreel.generate.asked import Asked, check_seed
from storyreel.generate.given import GIVEN
from storyreel.generate.story import read_objects, read_text
from storyreel.names import is_bare
from storyreel.numbers import is_whole, number, shown, whole

MOST_ROWS = 200_000
WHOLE = ("seed", "count", "frames", "steps", "candidates")
NUMBERS = ("seconds", "guidance")
TRUTHS = ("transparent", "backward", "crisp")
COLUMNS = ("prompt", *WHOLE, *NUMBERS, "fps", *GIVEN, "fit", "story", *TRUTHS, "stage", "size", "encoder", "name")
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Row:
    """One prompt of a file."""

    where: str  # "prompts.csv, line 3"
    asked: Asked
    seed: int | None
    count: int | None
    name: str | None  # wished file name, without folder


def read_prompts(path: str | Path, defaults: dict[str, Any]) -> list[Row]:
    """The rows of a prompt file; `defaults` are settings for rows that do not say their own.

    Text: a prompt a line, # comments. .jsonl, .json: objects. .csv: a header line. Keys or columns: prompt, seed,
    count, frames, seconds, fps, steps, candidates, guidance, image, image_end, extend, variation (paths beside the
    file), fit, story, transparent, backward, crisp, stage, size, encoder, name.
    ValueError names the file, the line and what was wanted.
    """
    path = Path(path)
    readers = {".jsonl": read_objects, ".json": read_objects, ".csv": _csv}
    rows = []
    for where, entry in readers.get(path.suffix.lower(), _text)(path):
        if unknown := [key for key in entry if key not in COLUMNS]:
            raise ValueError(f"{where}: does not know {unknown[0]!r}; there are {', '.join(COLUMNS)}")
        try:
            rows.append(_row(where, {k: v for k, v in entry.items() if v is not None}, defaults, path.parent))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if len(rows) > MOST_ROWS:
            raise ValueError(f"{path}: over {MOST_ROWS} prompts; split the file")
    if not rows:
        raise ValueError(f"{path}: no prompt in it; wanted at least one line")
    return rows


def _row(where: str, entry: dict[str, Any], defaults: dict[str, Any], folder: Path) -> Row:
    settings = {**defaults, **entry}
    if "frames" in entry:
        settings.pop("seconds", None)
    if "seconds" in entry:
        settings.pop("frames", None)
    for key in GIVEN:
        if isinstance(entry.get(key), str):
            settings[key] = folder / Path(entry[key]).expanduser()
    prompt, name = settings.pop("prompt", None), settings.pop("name", None)
    seed, count = settings.pop("seed", None), settings.pop("count", None)
    if name is not None and not is_bare(name):
        raise ValueError(f"name: wanted a file name without a folder, got {name!r}")
    if count is not None and not is_whole(count, 1, 100_000):
        raise ValueError(f"count: wanted a whole number from 1 to 100000, got {shown(count)}")
    asked = Asked.of(prompt, settings)  # pyright: ignore[reportArgumentType]
    return Row(where, asked, None if seed is None else check_seed(seed), count, name)


def _text(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for n, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield f"{path}, line {n}", {"prompt": line.strip()}


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), skipinitialspace=True, strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        if "prompt" not in header:
            raise ValueError(f"{path}, line 1: no column 'prompt'; wanted a header such as prompt,seed")
        reader.fieldnames = header
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise ValueError(f"{where}: wanted {len(header)} columns (text with a comma goes in double quotes)")
            yield where, {key: _value(key, text, where) for key, text in row.items() if text.strip()}
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: wanted CSV: {error}") from None


def _value(column: str, text: str, where: str) -> Any:
    """A CSV cell in the type that its column has."""
    text = text.strip()
    try:
        if column in WHOLE:
            return whole(text, column, -(2**63), 2**63)
        if column in NUMBERS:
            return number(text, column, -1e12, 1e12)
        return _TRUTHS[text.lower()] if column in TRUTHS else text
    except (ValueError, KeyError):
        wanted = "true or false" if column in TRUTHS else "a whole number" if column in WHOLE else "a number"
        raise ValueError(f"{where}: {column}: wanted {wanted}, got {shown(text)}") from None
