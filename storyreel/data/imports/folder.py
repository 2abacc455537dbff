"""Entries become a dataset folder: cut and encoded in parallel, resumable, nothing half-written.

What is finished lies in `.parts` until all is done; then `skipped.jsonl` (what was left out, and why) and, last,
`metadata.parquet` are written. The same command on a whole folder takes in what could not be had before.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from storyreel.clip import Clip
from storyreel.data.card import write_card
from storyreel.data.child_process import report
from storyreel.data.folder import DatasetFolder
from storyreel.data.imports.entries import AnnotatedClip, Annotation, ClipCut, Refused
from storyreel.data.parallel import Death, progress, run
from storyreel.data.write import (
    METADATA,
    PARTS,
    PLAN,
    check_plan,
    check_text,
    put,
    remove_parts,
    reserve,
    write_item,
    write_table,
)
from storyreel.engine import cores
from storyreel.json_file import read_object
from storyreel.ownership import claim, remove_names
from storyreel.read_errors import BROKEN, one_line, persevering

CHUNK = 8  # clips that one worker cuts before it reports
SKIPPED = "skipped.jsonl"
Chunk = tuple[list[AnnotatedClip], dict[int, str]]
"""Entries, and why those at some places give no clip."""


@dataclass(frozen=True)
class Imported:
    """A dataset folder, and what was left out of it, with the reasons."""

    folder: DatasetFolder
    skipped: list[Refused]

    def lines(self, name: str) -> list[str]:
        splits = Counter(self.folder.splits)
        parts = ", ".join(f"{count} {split}" for split, count in splits.items())
        line = f"{self.folder.path}: {len(self.folder)} clips of {name} ({parts})"
        if self.skipped:
            line += f"; {len(self.skipped)} left out, see {self.folder.path / SKIPPED}"
        return [line]


def write_import(
    path: str | Path,
    annotation: Annotation,
    shape: ClipCut,
    *,
    plan: Mapping[str, Any],
    workers: int | None = None,
    inputs: Iterable[str | Path | None] = (),
) -> Imported:
    """Write what the annotation asks for and the videos give. Run again, it goes on where it was stopped.

    plan: what is imported, JSON values, kept in `dataset.json` with the shape; a folder of another plan is refused.
    A video that cannot be read is left out, and listed. ValueError when nothing is left: then nothing is written.
    inputs: annotations and videos, which must lie apart from the folder.
    """
    path = Path(path)
    whole = {**plan, "size": shape.size, "fps": shape.fps and str(shape.fps), "seconds": shape.seconds}
    have = DatasetFolder.open(path) if (path / METADATA).exists() else None
    check_plan(path, whole, have)
    with claim(path, "imported-dataset", inputs=inputs) as folder:
        have = DatasetFolder.open(path) if (path / METADATA).exists() else None
        check_plan(path, whole, have)  # another process may have made it meanwhile
        (path / "clips").mkdir(exist_ok=True)
        reserve(folder, max((entry.index + 1 for entry in annotation.entries), default=0))
        (path / PARTS).mkdir(exist_ok=True)
        put(path / PLAN, json.dumps(whole, indent=2) + "\n")
        left_out = _write(path, annotation, shape, have, workers)
        write_card(
            folder, DatasetFolder.open(path).table, ["Clips with captions, imported by `storyreel data import`."]
        )
    return Imported(DatasetFolder.open(path), left_out)


def _write(
    path: Path, annotation: Annotation, shape: ClipCut, have: DatasetFolder | None, workers: int | None
) -> list[Refused]:
    """What was left out. ValueError when nothing could be imported."""
    rows = {_index(row): row for row in (have.table.to_pylist() if have else [])}
    before = len(rows)
    skipped = _read_parts(path, rows)
    todo = [e for e in annotation.entries if e.index not in rows and e.index not in skipped]
    chunks: list[Chunk] = [(todo[i : i + CHUNK], {}) for i in range(0, len(todo), CHUNK)]
    with progress("cutting clips", len(annotation.entries)) as advance:
        advance(len(annotation.entries) - len(todo))
        workers = min(workers or cores(), len(chunks)) or 1
        for count in run(partial(_import_chunk, path, shape), chunks, workers=workers, without=_without):
            advance(count)
    skipped = _read_parts(path, rows)
    left_out = [*annotation.refused, *(skipped[i] for i in sorted(skipped) if i not in rows)]
    if not rows:
        _clear(path)
        why = left_out[0] if left_out else ("the annotation", "asks for no clip")
        raise ValueError(f"{path}: nothing could be imported, {len(left_out)} left out: {why[0]}: {why[1]}")
    put(path / SKIPPED, "".join(json.dumps({"what": what, "why": why}) + "\n" for what, why in left_out))
    if len(rows) > before:
        write_table(pa.Table.from_pylist([rows[i] for i in sorted(rows)]), path)
    remove_parts(path)
    return left_out


def cut_clip(entry: AnnotatedClip, shape: ClipCut) -> Clip:
    """The clip of an entry. ValueError or OSError says why there is none."""
    from storyreel import video_io
    from storyreel.data.imports import pictures
    from storyreel.data.imports.excerpt import read_span

    if pictures.is_pictures(entry.file):
        return pictures.cut(entry, shape)
    start, end = entry.span or (0.0, None)
    if end is None and shape.seconds is not None:
        length = video_io.probe(entry.file)["seconds"]
        end = float(length) if length else None
    if end is not None:
        start, end = shape.cut(start, end)
    return read_span(entry.file, start, end, fps=shape.fps, size=shape.size, box=entry.box)


def _without(chunk: Chunk, death: Death) -> Chunk:
    entries, refused = chunk
    return entries, {**refused, death.at: str(death)}


def _import_chunk(path: Path, shape: ClipCut, chunk: Chunk) -> int:
    rows, skipped = [], []
    entries, refused = chunk
    for place, entry in enumerate(entries):
        report(place)
        try:
            if place in refused:
                raise ValueError(refused[place])
            check_text({**entry.row, "captions": entry.captions}, entry.name)
            clip = persevering(lambda entry=entry: cut_clip(entry, shape))
        except (ValueError, OSError, MemoryError, *BROKEN) as error:
            skipped.append([entry.index, entry.name, one_line(error)])
            continue
        row = {
            **entry.row,
            "captions": list(entry.captions),
            "caption": entry.captions[0] if entry.captions else "",
            "split": entry.split,
        }
        rows.append(write_item(path, (entry.index, clip, row)))
    put(path / PARTS / f"{entries[0].index:08d}.json", json.dumps({"rows": rows, "skipped": skipped}))
    return len(entries)


def _read_parts(path: Path, rows: dict[int, dict[str, Any]]) -> dict[int, Refused]:
    """Add the rows that are finished to `rows`; what was skipped, by index."""
    skipped: dict[int, Refused] = {}
    for part in _parts(path):
        rows.update((_index(row), row) for row in part["rows"])
        skipped.update((int(index), (name, why)) for index, name, why in part["skipped"])
    return skipped


def _parts(path: Path) -> Iterator[dict[str, Any]]:
    for file in sorted((path / PARTS).glob("*.json")):
        if not file.name.startswith("."):
            yield read_object(file)


def _index(row: Mapping[str, Any]) -> int:
    return int(Path(row["file_name"]).stem)


def _clear(path: Path) -> None:
    """Nothing was imported: nothing stays."""
    remove_parts(path)
    remove_names(path, [PLAN])
    with suppress(OSError):
        (path / "clips").rmdir()
