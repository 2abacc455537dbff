"""Prompt files: many prompts, each with settings of its own, in text, JSON lines, JSON or CSV."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from storyreel.field_ranges import Range
from storyreel.names import bare, expanded
from storyreel.options.declare import Options, Setting, fields_of, layered
from storyreel.options.generation import MAX_COUNT, MAX_SEED, GenerateOptions
from storyreel.options.input_clip import INPUTS
from storyreel.options.story import STDIN, read_objects, read_text

MAX_ROWS = 200_000


@dataclass(frozen=True, kw_only=True)
class RowOptions(Options):
    """What a row may say beside the options of its videos."""

    seed: Annotated[int | None, Range(0, MAX_SEED), Setting("Another seed, another video.")] = None
    count: Annotated[int | None, Range(1, MAX_COUNT), Setting("Videos of the prompt.")] = None
    name: Annotated[str | None, Setting("The file name.", read=lambda value, name: bare(value, name))] = None


COLUMNS = {**fields_of(GenerateOptions), **fields_of(RowOptions)}


@dataclass(frozen=True)
class PromptRow:
    """One prompt of a file."""

    where: str  # "prompts.csv, line 3"
    options: GenerateOptions
    seed: int | None = None
    count: int | None = None
    name: str | None = None  # a file name, without folder


def read_prompts(path: str | Path, defaults: Mapping[str, Any]) -> list[PromptRow]:
    """The rows of a prompt file; `defaults` are settings for rows that do not set their own.

    Text: a prompt a line, # comments. .jsonl, .json: objects. .csv: a header line. "-": stdin, text or JSON. Keys or
    columns: the settings of `GenerateOptions` (paths beside the file), and seed, count, name.
    ValueError names the file, the line and what was expected.
    """
    path = Path(path)
    rows = []
    for where, entry in _entries(path):
        if unknown := [key for key in entry if key not in COLUMNS]:
            raise ValueError(f"{where}: does not know {unknown[0]!r}; there are {', '.join(COLUMNS)}")
        try:
            rows.append(_row(where, {k: v for k, v in entry.items() if v is not None}, defaults, path.parent))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if len(rows) > MAX_ROWS:
            raise ValueError(f"{path}: over {MAX_ROWS} prompts; split the file")
    if not rows:
        raise ValueError(f"{path}: no prompt in it; expected at least one line")
    return rows


def _row(where: str, entry: dict[str, Any], defaults: Mapping[str, Any], folder: Path) -> PromptRow:
    for key in INPUTS:
        if isinstance(entry.get(key), str):
            entry[key] = folder / expanded(entry[key])
    if isinstance(files := entry.get("lora"), (str, list)):
        files = [files] if isinstance(files, str) else files
        entry["lora"] = [str(folder / expanded(file)) if isinstance(file, str) else file for file in files]
    more = RowOptions.of({name: entry.pop(name) for name in fields_of(RowOptions) if name in entry})
    options = GenerateOptions.of(layered(GenerateOptions, defaults, entry)).check_prompt()
    for clip in (getattr(options, name) for name in INPUTS):
        if clip is not None:
            clip.let_go()  # a file may name thousands
    return PromptRow(where, options, more.seed, more.count, more.name)


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(where, entry) each, by the suffix; stdin by its first character."""
    kind, text = path.suffix.lower(), read_text(path)
    if path == STDIN:
        path, kind = Path("stdin"), {"{": ".jsonl", "[": ".json"}.get(text.lstrip()[:1], "")
    if kind in (".jsonl", ".json"):
        return read_objects(path, text, kind)
    return _csv(path, text) if kind == ".csv" else _text(path, text)


def _text(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for n, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield f"{path}, line {n}", {"prompt": line.strip()}


def _csv(path: Path, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or []]
        if "prompt" not in header:
            raise ValueError(f"{path}, line 1: no column 'prompt'; expected a header such as prompt,seed")
        reader.fieldnames = header
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise ValueError(f"{where}: expected {len(header)} columns (text with a comma goes in double quotes)")
            try:
                yield where, {key: _value(key, text.strip()) for key, text in row.items() if text.strip()}
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: expected CSV: {error}") from None


def _value(column: str, text: str) -> Any:
    """A cell in the type of its column; of one that does not exist, as it is."""
    return COLUMNS[column].from_text(text) if column in COLUMNS else text
