"""Files of lines, a JSON object each (.jsonl): appended to so that a killed process loses at most its own last line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from storyreel.json_file import parse_json
from storyreel.storage import appending, write_text
from storyreel.whole_file import MAX_BYTES, without_waiting


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a .jsonl file; half a line at its end, of a process that was killed, is passed over."""
    if not file.exists():
        return
    for number, line in enumerate(whole_lines(file), 1):
        try:
            value = parse_json(line)
            if not isinstance(value, dict):
                raise ValueError
        except ValueError:
            raise ValueError(f"{file}, line {number}: is damaged, expected a JSON object") from None
        yield value


def whole_lines(file: Path) -> Iterator[bytes]:
    """The lines of a file without their ends; half a line at its end is passed over. ValueError: one of 16 MiB."""
    with open(file, "rb", opener=without_waiting) as opened:
        while (line := opened.readline(MAX_BYTES)).endswith(b"\n"):
            yield line[:-1]
        if len(line) == MAX_BYTES:
            raise ValueError(f"{file}: has a line of more than {MAX_BYTES >> 20} MiB")


def append_line(file: Path, value: Mapping[str, Any]) -> None:
    """One line more, on disk when this returns. Half a line that somebody left at the end goes first."""
    line = (json.dumps(value, sort_keys=True) + "\n").encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    with appending(file) as out:
        end = out.seek(0, os.SEEK_END)
        if end:
            out.seek(max(0, end - 1))
            if out.read(1) != b"\n":
                out.seek(0)
                end = out.read().rfind(b"\n") + 1
                out.truncate(end)
        out.write(line)
        out.flush()
        os.fsync(out.fileno())


def write_lines(file: Path, values: Iterable[Mapping[str, Any]]) -> None:
    write_text(file, "".join(json.dumps(value, sort_keys=True) + "\n" for value in values))
