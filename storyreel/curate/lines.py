"""Files of lines, a JSON object each (.jsonl): appended to so that a killed process loses at most its own last line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from storyreel.json_file import parse_json
from storyreel.storage import write_text


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a .jsonl file; half a line at its end, of a process that was killed, is passed over."""
    if not file.exists():
        return
    whole = file.read_bytes()
    for number, line in enumerate(whole[: whole.rfind(b"\n") + 1].splitlines(), 1):
        try:
            value = parse_json(line)
            if not isinstance(value, dict):
                raise ValueError
        except ValueError:
            raise ValueError(f"{file}, line {number}: is damaged, wanted a JSON object") from None
        yield value


def append_line(file: Path, value: Mapping[str, Any]) -> None:
    """One line more, on disk when this returns. Half a line that somebody left at the end goes first."""
    line = (json.dumps(value, sort_keys=True) + "\n").encode()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as out:
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
    except OSError as error:
        raise OSError(error.errno, f"could not be written: {error.strerror}", str(file)) from None


def write_lines(file: Path, values: Iterable[Mapping[str, Any]]) -> None:
    write_text(file, "".join(json.dumps(value, sort_keys=True) + "\n" for value in values))
