"""The dataset folder as others read it: spans.parquet first, then clips, then metadata.parquet, then the card."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from storyreel.curate.card import card
from storyreel.curate.choose import choose, counts
from storyreel.curate.export import ClipFiles, export_clip, put_away, span_of, write_span
from storyreel.curate.rows import table_of
from storyreel.curate.screen import CurationScreen
from storyreel.curate.settings import CurationSettings, Execution
from storyreel.curate.store import Store
from storyreel.curate.supervise import Outcome
from storyreel.curate.thresholds import Thresholds
from storyreel.data.card import write_splits
from storyreel.parquet_file import write_parquet
from storyreel.storage import write_text

FOR_DATASET = {"file_name": pa.string(), "context": pa.int32()}


@dataclass(frozen=True)
class Written:
    """What a dataset folder holds now."""

    path: Path
    films: int
    spans: int
    selected: int
    seconds: float
    rejected: dict[str, int] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    uncaptioned: int = 0  # of those selected

    def as_json(self) -> dict[str, Any]:
        """The fields by name; `selected` is "kept", as in every report so far."""
        values = {**self.__dict__, "path": str(self.path)}
        return {"kept" if name == "selected" else name: value for name, value in values.items()}

    def checked(self) -> Written:
        """These, or ValueError where no film could be measured."""
        if self.films and len(self.refused) == self.films:
            raise ValueError(
                f"{self.path}: no film could be measured, {len(self.refused)} set aside; see curation/quarantine.jsonl"
            )
        return self


def write_dataset(
    store: Store,
    rows: list[dict[str, Any]],
    thresholds: Thresholds,
    settings: CurationSettings,
    *,
    where: Execution,
    screen: CurationScreen,
    notes: Sequence[str] = (),
    export: bool = True,
) -> Written:
    """Write clips and tables of rows that are chosen. export: False makes no clip, and what has none is virtual.

    A clip that cannot be written gets an `error` and is not kept; a full disk ends the run (OSError).
    """
    if export:
        files = ClipFiles(store.dataset)
        for row in rows:
            if row["kept"]:
                files.bring_back(row["clip"])
        _export(store, rows, settings, where, screen)
        if any(row["error"] for row in rows):
            choose(rows, thresholds, store.edits())
            _export(store, rows, settings, where, screen)  # duplicates of what cannot be read
    return write_tables(store, rows, thresholds, settings.export.suffix if export else None, notes)


def _export(
    store: Store, rows: Sequence[dict[str, Any]], settings: CurationSettings, where: Execution, screen: CurationScreen
) -> None:
    folder, how = store.dataset / "clips", settings.export
    todo = [row for row in rows if row["kept"] and not (folder / f"{row['clip']}{how.suffix}").exists()]
    folder.mkdir(parents=True, exist_ok=True)
    store.record_clips(row["clip"] for row in rows)
    screen.begin("clips", len(todo))

    def finish(index: int, outcome: Outcome) -> None:
        screen.advance()
        if outcome.error is not None:
            if "No space left" in outcome.error or "Disk quota" in outcome.error:
                raise OSError(28, "no room to write the clips", str(folder))
            todo[index]["error"] = outcome.error
            screen.say(f"{todo[index]['source']}: clip {todo[index]['clip']}: {outcome.error}")

    if how.format == "virtual":  # nothing is decoded, so nothing can hang or die
        for row in todo:
            write_span(row, str(folder / f"{row['clip']}{how.suffix}"))
        return
    jobs = [(span_of(row), str(folder / f"{row['clip']}{how.suffix}"), how) for row in todo]
    where.run(export_clip, jobs, settings.watch, finish)


def write_tables(
    store: Store, rows: Sequence[dict[str, Any]], thresholds: Thresholds, suffix: str | None, notes: Sequence[str] = ()
) -> Written:
    """Tables, card and shelf from rows that are chosen; decodes nothing. suffix: None takes whatever clip is there."""
    write_parquet(store.path / "spans.parquet", table_of(rows))
    write_text(store.path / "thresholds.json", json.dumps(thresholds.as_json(), indent=2) + "\n")
    store.record_clips(row["clip"] for row in rows)
    files = ClipFiles(store.dataset)
    names = {
        row["clip"]: files.file_of(row) if suffix is None else f"{row['clip']}{suffix}" for row in rows if row["kept"]
    }
    selected = [
        {**row, "file_name": f"clips/{names[row['clip']]}", "context": 0, "split": row.get("split") or "train"}
        for row in rows
        if row["kept"]
    ]
    table = table_of(selected, FOR_DATASET)
    write_parquet(store.dataset / "metadata.parquet", table)
    head = write_splits(store.dataset, table)
    put_away(store.dataset, set(names.values()), store.wrote)
    store.remove_stale(row["clip"] for row in rows)
    refused = [f.as_json() for _, f in sorted(store.films.items()) if f.error is not None]
    text = card(rows, thresholds, _plain(store.config), head=head, films=len(store.films), refused=refused,
                notes=notes)  # fmt: skip
    store.owned.write_card("README.md", text)
    seconds, bare = sum(row["seconds"] for row in selected), sum(not row["caption"] for row in selected)
    return Written(store.dataset, len(store.films), len(rows), len(selected), seconds, counts(rows), refused, bare)


def _plain(config: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in config.items():
        at = f"{path}.{name}" if path else name
        found |= _plain(value, at) if isinstance(value, dict) else {at: value}
    return found
