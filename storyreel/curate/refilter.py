"""Deciding anew from stored scores: seconds, and no frame is decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from storyreel.curate.choose import choose
from storyreel.curate.rows import read_rows
from storyreel.curate.store import Store, read_object
from storyreel.curate.thresholds import Thresholds
from storyreel.curate.write import Written, write_tables


def refilter(dataset: str | Path, change: Callable[[Thresholds], Thresholds] = lambda now: now) -> Written:
    """Choose the clips of a curated folder by its thresholds after `change`; rewrites its tables and its card.

    A clip that is kept now and was never encoded becomes a virtual one (the next `curate` encodes it); one that is no
    longer kept goes to curation/shelf/ and comes back from there. People's decisions stay above the thresholds.
    ValueError or OSError: not a curated folder, or another process is at work in it.
    """
    dataset = Path(dataset)
    need_curated(dataset)
    with Store(dataset) as store:
        store.config = read_object(store.path / "curate.json")
        thresholds = change(saved_thresholds(dataset))
        rows = read_rows(store.path / "spans.parquet")
        choose(rows, thresholds, store.edits())
        return write_tables(store, rows, thresholds, None)


def need_curated(dataset: Path) -> None:
    if not (dataset / "curation" / "spans.parquet").is_file():
        why = "its curation was not finished; run the same `storyreel curate` again"
        if not (dataset / "curation").is_dir():
            why = "was not curated here; `storyreel curate FOOTAGE -o DATASET` makes such a folder"
        raise ValueError(f"{dataset}: {why}")


def saved_thresholds(dataset: Path) -> Thresholds:
    """What the clips of the folder were last chosen by."""
    return Thresholds.from_json(read_object(dataset / "curation" / "thresholds.json"))
