"""HowTo100M (Miech et al. 2019): captions with spans, a table of ids, and a folder of videos named by YouTube id.

Captions are one JSON object, {id: {"start": [seconds], "end": [...], "text": [...]}} (`caption.json` or
`raw_caption.json`, read as a stream, since it has gigabytes), or a folder of `ID.json` with one such inner object each.
Each span is a clip of its own. The table is `HowTo100M_v1.csv`: video_id, category_1, category_2, rank, task_id.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from storyreel.data.imports.entries import (
    AnnotatedClip,
    Annotation,
    ClipCut,
    Refused,
    digest_of_files,
    seconds_of,
    videos_in,
)
from storyreel.data.imports.folder import Imported, write_import
from storyreel.json_file import read_json
from storyreel.whole_file import opened_text

COLUMNS = ("category_1", "category_2", "rank", "task_id")  # kept beside each clip
LISTS = ("start", "end", "text")
BLOCK = 1 << 20  # characters read at a time
MOST = 1 << 26  # characters that the captions of one video may have


def import_howto100m(
    captions: str | Path,
    table: str | Path | None,
    videos: str | Path,
    out: str | Path,
    *,
    shape: ClipCut | None = None,
    workers: int | None = None,
) -> Imported:
    """Write the dataset folder `out`, one clip a captioned span of each video that the table names.

    table: None takes every captioned video. Missing and broken videos, spans and captions are left out and listed.
    ValueError or OSError, of one line, when nothing is left.
    """
    captions, paths = Path(captions), [Path(captions), *([Path(table)] if table else [])]
    plan = {"import": "howto100m", "annotations": digest_of_files(paths)}
    annotation = read(captions, Path(table) if table else None, Path(videos))
    return write_import(out, annotation, shape or ClipCut(), plan=plan, workers=workers, inputs=[*paths, videos])


def read(captions: Path, table: Path | None, videos: Path) -> Annotation:
    """What the captions ask for, with the files of the folder `videos`."""
    there = videos_in(videos)
    refused: list[Refused] = []
    requested = None if table is None else read_table(table, refused)
    entries: list[AnnotatedClip] = []
    seen: set[str] = set()
    index = 0
    for name, lists in _captioned(captions, refused):
        if (requested is not None and name not in requested) or name in seen:
            continue
        seen.add(name)
        why = _wrong_with(lists)
        if why:
            refused.append((name, why))
            continue
        if name in there:
            row = {"id": name, **(requested[name] if requested is not None else {})}
            entries += _entries(index, name, lists, there[name], row, refused)
        else:
            refused.append((name, f"no such video in {videos} ({len(lists['text'])} captions)"))
        index += len(lists["text"])
    refused += [(name, "has no captions") for name in requested or () if name not in seen]
    return Annotation(entries, refused)


def read_table(file: Path, refused: list[Refused]) -> dict[str, dict[str, str]]:
    """Id -> the columns that are kept. ValueError without a column video_id; a broken row is refused."""
    found: dict[str, dict[str, str]] = {}
    with opened_text(file) as opened:
        reader = csv.DictReader(opened)
        try:
            names = [name.strip() for name in reader.fieldnames or []]
        except csv.Error as error:
            raise ValueError(f"{file}: is not CSV: {error}") from None
        if "video_id" not in names:
            got = " ".join(", ".join(names).split())[:80] or "none"
            raise ValueError(f"{file}: expected a header with the column video_id, got {got}")
        reader.fieldnames = names
        try:
            for row in reader:
                if None in row or None in row.values() or not row["video_id"].strip():
                    refused.append((f"{file.name}, line {reader.line_num}", f"expected {len(names)} columns"))
                    continue
                present = {column: row[column].strip() for column in COLUMNS if column in names}
                found.setdefault(row["video_id"].strip(), present)
        except csv.Error as error:
            refused.append((f"{file.name}, line {reader.line_num}", f"is not CSV: {error}"))
    return found


def _captioned(path: Path, refused: list[Refused]) -> Iterator[tuple[str, Any]]:
    """(id, its captions), one after the other; a file that breaks off is refused from there on."""
    if path.is_dir():
        files = sorted(path.glob("*.json"))
        if not files:
            raise ValueError(f"{path}: no captions in it (ID.json)")
        for file in files:
            try:
                yield file.stem, read_json(file, max_bytes=MOST)
            except ValueError as error:
                refused.append((file.name, str(error).removeprefix(f"{file}: ")))
        return
    count = 0
    with path.open(encoding="utf-8") as opened:
        try:
            for item in stream_object(opened):
                count += 1
                yield item
        except ValueError as error:
            if not count:
                raise ValueError(f"{path}: {error}") from None
            refused.append((path.name, f"{error}; the {count} videos before it are used"))


def stream_object(file: TextIO) -> Iterator[tuple[str, Any]]:
    """The (key, value) pairs of one large JSON object, never all at once. ValueError where it is no JSON."""
    text = _Text(file)
    text.expect("{", "expected a JSON object such as {id: {start, end, text}}")
    if text.peek() == "}":
        return
    while True:
        if text.peek() != '"':
            raise ValueError(f"is not JSON: expected a key at character {text.where}")
        key = text.value()
        text.expect(":", "is not JSON: expected ':'")
        yield key, text.value()
        if text.peek() == "}":
            return
        text.expect(",", "is not JSON: expected ',' or '}'")


class _Text:
    """A window on a file of JSON that moves on."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.buffer, self.at, self.passed = file, "", 0, 0
        self.decoder = json.JSONDecoder()

    @property
    def where(self) -> int:
        return self.passed + self.at

    def more(self, block: int = BLOCK) -> bool:
        self.passed += self.at
        new = self.file.read(block)
        self.buffer, self.at = self.buffer[self.at :] + new, 0
        return bool(new)

    def peek(self) -> str:
        """The next character that is no space; ValueError at the end."""
        while True:
            while self.at < len(self.buffer) and self.buffer[self.at] in " \t\r\n":
                self.at += 1
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more():
                raise ValueError(f"is not JSON: breaks off at character {self.where}")

    def expect(self, sign: str, why: str) -> None:
        if self.peek() != sign:
            raise ValueError(f"{why} at character {self.where}")
        self.at += 1

    def value(self) -> Any:
        """The string, object or list that begins here."""
        self.peek()
        block = BLOCK
        while True:
            try:
                value, self.at = self.decoder.raw_decode(self.buffer, self.at)
                return value
            except (json.JSONDecodeError, RecursionError) as error:
                begun = self.where
                if len(self.buffer) - self.at > MOST or isinstance(error, RecursionError) or not self.more(block):
                    raise ValueError(f"is not JSON: what begins at character {begun} does not end well") from None
                block *= 2


def _wrong_with(captions: Any) -> str | None:
    """Why the captions of a video cannot be used; None when they can."""
    found = captions if isinstance(captions, dict) else {}
    lists = [found[name] for name in LISTS if isinstance(found.get(name), list)]
    if len(lists) != len(LISTS):
        return 'expected an object with the lists "start", "end" and "text"'
    if len({len(each) for each in lists}) != 1:
        return f"has {' and '.join(f'{len(each)} of {name!r}' for name, each in zip(LISTS, lists, strict=True))}"
    return None


def _entries(
    first: int, name: str, captions: dict[str, list[Any]], file: Path, row: dict[str, str], refused: list[Refused]
) -> Iterator[AnnotatedClip]:
    for number, (start, end, text) in enumerate(zip(*(captions[each] for each in LISTS), strict=True)):
        begin, stop = seconds_of(start), seconds_of(end)
        caption = " ".join(text.split()) if isinstance(text, str) else ""
        if begin is None or stop is None or stop <= begin:
            refused.append((f"{name}[{number}]", f"times {start!r} to {end!r}: expected seconds, the end later"))
        elif not caption:
            refused.append((f"{name}[{number}]", "has no caption"))
        else:
            yield AnnotatedClip(
                index=first + number,
                name=f"{name}[{number}]",
                file=file,
                captions=(caption,),
                span=(begin, stop),
                row={**row, "source_start": begin, "source_end": stop},
            )
