"""Writing dataset folders: from clips that somebody has, or from a world that makes clip `index` on demand.

A folder is whole once `metadata.parquet` is there: it is written last, under a temporary name, and renamed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from storyreel.clip import Clip
from storyreel.data.parallel import default_workers, progress, run
from storyreel.storage import replacing, sweep

if TYPE_CHECKING:
    from storyreel.data.folder import DatasetFolder

METADATA = "metadata.parquet"
PLAN = "dataset.json"
PARTS = ".parts"
CHUNK = 64  # clips that one worker makes before it reports


class World(Protocol):
    """A dataset that is made, not downloaded. Picklable; what it makes depends on (seed, index) alone."""

    def make(self, seed: int, index: int) -> tuple[Clip, dict[str, Any]]:
        """Clip `index` and its row (`caption`, `captions`, `split`, `attributes`, ...)."""
        ...


def write_folder(
    path: str | Path,
    items: Iterable[tuple[Clip, dict[str, Any]]],
    *,
    extra_files: Mapping[str, str | bytes] | None = None,
    workers: int | None = None,
) -> DatasetFolder:
    """Write clips (lossless Matroska) and their rows; the items are taken one by one, never all at once.

    `extra_files`: further files, name -> content. Raises ValueError when the folder already holds a dataset.
    """
    from storyreel.data.folder import DatasetFolder

    path = Path(path)
    if (path / METADATA).exists():
        raise ValueError(f"{path}: already holds a dataset; give another folder, or remove it first")
    (path / "clips").mkdir(parents=True, exist_ok=True)
    numbered = ((index, clip, row) for index, (clip, row) in enumerate(items))
    workers = workers or default_workers()
    rows = []
    with progress("writing", None) as advance:
        for row in run(partial(write_item, path), numbered, workers=workers, threads=True):
            rows.append(row)
            advance(1)
    for name, content in (extra_files or {}).items():
        put(path / name, content)
    write_table(pa.Table.from_pylist(rows) if rows else pa.table({"file_name": pa.array([], pa.string())}), path)
    return DatasetFolder.open(path)


def write_world(
    path: str | Path,
    world: World,
    clips: int,
    seed: int,
    *,
    workers: int | None = None,
    plan: Mapping[str, Any] | None = None,
) -> DatasetFolder:
    """Write clips 0 to `clips` - 1 of a world. Run again, it goes on where it was stopped.

    `plan`: what the world is and how it was set, JSON values; kept in `dataset.json`. A folder made with another
    plan or seed is refused with ValueError; one with fewer clips of the same plan grows; a whole one is opened.
    """
    from storyreel.data.folder import DatasetFolder

    path = Path(path)
    if clips < 1:
        raise ValueError(f"clips: wanted at least 1, got {clips}")
    made_as: dict[str, Any] = json.loads(
        json.dumps({"world": type(world).__name__.lower(), **(plan or {}), "seed": seed})
    )
    have = DatasetFolder.open(path) if (path / METADATA).exists() else None
    check_plan(path, made_as, have)
    done = len(have) if have else 0
    if have and done >= clips:
        return have
    (path / "clips").mkdir(parents=True, exist_ok=True)
    (path / PARTS).mkdir(exist_ok=True)
    put(path / PLAN, json.dumps(made_as, indent=2) + "\n")

    chunks = [(start, min(start + CHUNK, clips)) for start in range(done, clips, CHUNK)]
    todo = [c for c in chunks if not _part(path, *c).exists()]
    workers = min(workers or default_workers(), len(todo)) or 1
    if type(world).__module__ == "__main__":
        workers = 1  # worker processes do not have the caller's script
    with progress("making clips", clips) as advance:
        advance(clips - sum(stop - start for start, stop in todo))
        for count in run(partial(_make_chunk, path, world, seed), todo, workers=workers):
            advance(count)
    tables = [have.table] if have else []
    tables += [pq.ParquetFile(_part(path, *c)).read() for c in chunks]
    write_table(pa.concat_tables(tables, promote_options="permissive"), path)
    shutil.rmtree(path / PARTS)
    sweep(path / "clips")  # what a process that was killed had begun to write
    sweep(path)
    return DatasetFolder.open(path)


def put(path: Path, content: str | bytes) -> None:
    """Write a small file in one step."""
    with replacing(path) as (made,):
        made.write_bytes(content.encode() if isinstance(content, str) else content)


def check_plan(path: Path, plan: Mapping[str, Any], have: DatasetFolder | None) -> None:
    file = path / PLAN
    if file.exists():
        old = json.loads(file.read_text())
        for name in sorted({*old, *plan}):
            if old.get(name) != plan.get(name):
                was, now = json.dumps(old.get(name)), json.dumps(plan.get(name))
                raise ValueError(f"{path}: made with {name} {was}, now asked for {now}; give another folder")
    elif have:
        raise ValueError(f"{path}: already holds a dataset that was not made here; give another folder")


def _part(path: Path, start: int, stop: int) -> Path:
    return path / PARTS / f"{start:08d}-{stop:08d}.parquet"


def _make_chunk(path: Path, world: World, seed: int, span: tuple[int, int]) -> int:
    rows = [write_item(path, (index, *world.make(seed, index))) for index in range(*span)]
    with replacing(_part(path, *span)) as (made,):
        pq.write_table(pa.Table.from_pylist(rows), made)
    return len(rows)


def write_item(path: Path, item: tuple[int, Clip, dict[str, Any]]) -> dict[str, Any]:
    from storyreel import video_io

    index, clip, row = item
    name = f"clips/{index:06d}.mkv"
    video_io.write(clip, path / name, scale=None)
    captions = list(row.get("captions") or ([row["caption"]] if row.get("caption") else []))
    if not captions and clip.caption:
        captions = [clip.caption]
    height, width = clip.size
    filled = {
        "file_name": name,
        "caption": captions[0] if captions else "",
        "captions": captions,
        "split": "train",
        "context": 0,
        "num_frames": len(clip),
        "fps": float(clip.fps),
        "width": width,
        "height": height,
        **{k: v for k, v in row.items() if k not in ("file_name", "captions", "attributes") and v is not None},
    }
    attributes = row.get("attributes")
    filled["attributes"] = attributes if isinstance(attributes, str) else json.dumps(attributes or {})
    return filled


def write_table(table: pa.Table, path: Path) -> None:
    for name, kind in (("context", pa.int32()), ("num_frames", pa.int32()), ("captions", pa.list_(pa.string()))):
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
    with replacing(path / METADATA) as (made,):
        pq.write_table(table, made)
