"""Story files: a list of prompts with durations."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from storyreel.json_file import parse_json
from storyreel.numbers import number, shown

Story = tuple[tuple[str, float], ...]
"""(prompt, seconds) of each part, in order."""

STDIN = Path("-")
MAX_SECONDS = 100_000
MAX_BYTES = 4_000_000  # bytes
_BEFORE = re.compile(r"^\s*(?P<seconds>[-+]?[\d.]+(?:e[-+]?\d+)?)\s*s(?:ec(?:onds?)?)?\s*:\s*(?P<prompt>.*)$", re.I)
_NUMERIC = re.compile(r"[-+]?(?:[\d.]+(?:e[-+]?\d+)?|nan|inf)", re.ASCII | re.IGNORECASE)
_FORMS = 'expected "3s: a prompt" or "a prompt | 2.5"'


def read_story(path: str | Path) -> Story:
    """The parts of a story file, by its suffix.

    .json: a list of {"prompt": ..., "seconds": ...}; .jsonl: one of them a line; else text, one part a line, either
    `3s: a prompt` or `a prompt | 2.5`, with # comments. ValueError names the file and the line.
    """
    path = Path(path)
    parts = []
    for where, value in _entries(path):
        prompt, seconds = _part(value, where)
        parts.append((prompt, seconds))
    if not parts:
        raise ValueError(f"{path}: the story has no parts; {_FORMS}")
    return tuple(parts)


def check_story(story: Sequence[Any]) -> Story:
    """The same checks for a story that is given as a list of (prompt, seconds)."""
    if not isinstance(story, (list, tuple)) or not story:
        raise ValueError(f"story: expected a list of (prompt, seconds), got {shown(story)}")
    parts = []
    for n, value in enumerate(story, 1):
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ValueError(f"story, part {n}: expected (prompt, seconds), got {shown(value)}")
        parts.append(_part({"prompt": value[0], "seconds": value[1]}, f"story, part {n}"))
    return tuple(parts)


def read_text(path: Path) -> str:
    """A small UTF-8 file, or stdin. ValueError names it when it is none."""
    name = "stdin" if path == STDIN else str(path)
    if path == STDIN:
        data = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{name}: expected text of at most {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise ValueError(f"{name}: expected text in UTF-8") from None


def read_objects(path: Path, text: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, object) for each object of a .json list or of a .jsonl file."""
    if kind == ".json":
        value = _json(text, str(path))
        if not isinstance(value, list):
            raise ValueError(f"{path}: expected a JSON list of objects, got {type(value).__name__}")
        values = [(f"{path}, entry {n}", item) for n, item in enumerate(value, 1)]
    else:
        lines = [(f"{path}, line {n}", line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
        values = [(where, _json(line, where)) for where, line in lines]
    for where, item in values:
        if not isinstance(item, dict):
            raise ValueError(f"{where}: expected a JSON object, got {json.dumps(item)[:60]}")
        yield where, item


def _json(text: str, where: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"{where}: expected JSON: {error}") from None


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if (kind := path.suffix.lower()) in (".json", ".jsonl"):
        for where, item in read_objects(path, read_text(path), kind):
            if unknown := set(item) - {"prompt", "seconds"}:
                raise ValueError(f"{where}: does not know {sorted(unknown)}; expected prompt and seconds")
            yield where, item
        return
    name = "stdin" if path == STDIN else path
    for n, line in enumerate(read_text(path).splitlines(), 1):
        where, line = f"{name}, line {n}", line.strip()
        if not line or line.startswith("#"):
            continue
        if match := _BEFORE.match(line):
            yield where, {"prompt": match["prompt"], "seconds": match["seconds"]}
            continue
        prompt, bar, seconds = line.rpartition("|")
        if not bar:
            raise ValueError(f"{where}: no duration in {line[:60]!r}; {_FORMS}")
        yield where, {"prompt": prompt, "seconds": seconds.strip().removesuffix("s")}


def _part(value: dict[str, Any], where: str) -> tuple[str, float]:
    prompt, seconds = value.get("prompt"), value.get("seconds")
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError(f"{where}: the prompt is empty; expected a sentence")
    try:
        return prompt.strip(), number(seconds, "seconds", 0, MAX_SECONDS, above=True)
    except ValueError:
        numeric = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        numeric = numeric or (isinstance(seconds, str) and _NUMERIC.fullmatch(seconds.strip()) is not None)
        got = shown(seconds).strip("'") if numeric else shown(seconds)
    expected = f"over 0 seconds, got {got}; at most {MAX_SECONDS}" if numeric else f"in seconds, got {got}"
    raise ValueError(f"{where}: expected a duration {expected}")
