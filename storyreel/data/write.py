"""Writing dataset folders: from clips that somebody has, or from a world that makes clip `index` on demand.

A folder is whole once `metadata.parquet` is there: it is written last, under a temporary name, and renamed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.clip import Clip
from storyreel.data.card import CARD, METADATA, split_table, write_card
from storyreel.data.parallel import progress, run
from storyreel.engine import cores
from storyreel.json_file import read_object
from storyreel.layouts import SPLITS
from storyreel.ownership import Owned, claim, remove_names
from storyreel.parquet_file import read_parquet, write_parquet
from storyreel.storage import encoded, replacing, sweep

if TYPE_CHECKING:
    import pyarrow as pa

    from storyreel.data.folder import DatasetFolder
    from storyreel.worlds import ClipMaker

PLAN = "dataset.json"
PARTS = ".parts"
NUMBERED = re.compile(r"\d{6,}\.mkv")
PART = re.compile(r"\d{8}(-\d{8}\.parquet|\.json)")
CHUNK = 64  # clips that one worker makes before it reports


def write_folder(
    path: str | Path,
    items: Iterable[tuple[Clip, dict[str, Any]]],
    *,
    extra_files: Mapping[str, str | bytes] | None = None,
    workers: int | None = None,
) -> DatasetFolder:
    """Write clips (lossless Matroska) and their rows; the items are taken one by one, never all at once.

    `extra_files`: further files, name -> content. Raises ValueError when the folder already holds a dataset, or
    something that was not written here.
    """
    import pyarrow as pa

    from storyreel.data.folder import DatasetFolder

    path = Path(path)
    if (path / METADATA).exists():
        raise ValueError(f"{path}: already holds a dataset; give another folder, or remove it first")
    with claim(path, "dataset") as folder:
        (path / "clips").mkdir(exist_ok=True)
        workers = workers or cores()
        rows = []
        with progress("writing", None) as advance:
            for row in run(partial(write_item, path), _numbered(folder, items), workers=workers, threads=True):
                rows.append(row)
                advance(1)
        for name, content in (extra_files or {}).items():
            folder.record([name])
            put(path / name, content)
        empty = pa.table({"file_name": pa.array([], pa.string())})
        table = write_table(pa.Table.from_pylist(rows) if rows else empty, path)
        if CARD not in (extra_files or {}):
            folder.record([split_table(split) for split in SPLITS])
            write_card(folder, table, ["Clips with captions, written by Storyreel."])
        sweep(path / "clips")
    return DatasetFolder.open(path)


def _numbered(
    folder: Owned, items: Iterable[tuple[Clip, dict[str, Any]]]
) -> Iterator[tuple[int, Clip, dict[str, Any]]]:
    for index, (clip, row) in enumerate(items):
        if index % CHUNK == 0:
            reserve(folder, index + CHUNK)
        yield index, clip, row


def reserve(folder: Owned, clips: int) -> None:
    """Note that clips 0 to `clips` - 1 are written here. ValueError: a file of that name is there, somebody else's."""
    names = set(os.listdir(folder.path / "clips"))
    known = folder.facts.get("clips")
    if known is None:  # new, or of an earlier version: then what is there was looked through
        known = max((int(name[:-4]) + 1 for name in names if NUMBERED.fullmatch(name)), default=0)
    for index in range(known, clips):
        if f"{index:06d}.mkv" in names:
            name = folder.path / "clips" / f"{index:06d}.mkv"
            raise ValueError(f"{name}: is there already and was not written by storyreel; move it elsewhere")
    folder.note(clips=max(known, clips))


def write_world(
    path: str | Path,
    world: ClipMaker,
    clips: int,
    seed: int,
    *,
    workers: int | None = None,
    plan: Mapping[str, Any] | None = None,
    inputs: Iterable[str | Path | None] = (),
) -> DatasetFolder:
    """Write clips 0 to `clips` - 1 of a world. Run again, it goes on where it was stopped.

    `plan`: what the world is and how it was set, JSON values; kept in `dataset.json`. A folder made with another
    plan or seed is refused with ValueError; one with fewer clips of the same plan grows; a whole one is opened.
    `inputs`: folders that the world reads, which must lie apart.
    """
    from storyreel.data.folder import DatasetFolder

    path = Path(path)
    if clips < 1:
        raise ValueError(f"clips: expected at least 1, got {clips}")
    made_as: dict[str, Any] = json.loads(
        json.dumps({"world": type(world).__name__.lower(), **(plan or {}), "seed": seed})
    )
    have = DatasetFolder.open(path) if (path / METADATA).exists() else None
    check_plan(path, made_as, have)
    if have and len(have) >= clips and not (path / PARTS).exists():
        return have
    with claim(path, "made-dataset", inputs=inputs) as folder:
        have = DatasetFolder.open(path) if (path / METADATA).exists() else None
        check_plan(path, made_as, have)  # another process may have made it meanwhile
        (path / "clips").mkdir(exist_ok=True)
        reserve(folder, clips)
        (path / PARTS).mkdir(exist_ok=True)
        put(path / PLAN, json.dumps(made_as, indent=2) + "\n")
        table = _write_chunks(path, world, seed, (have, clips), workers)
        summary = f"{clips:,} clips of the world `{made_as['world']}`, seed {seed}, made by `storyreel data make`."
        write_card(folder, table, [summary], str(made_as["world"]))
        remove_parts(path)  # last: a folder without them is whole, its card too
    return DatasetFolder.open(path)


def _write_chunks(
    path: Path, world: ClipMaker, seed: int, goal: tuple[DatasetFolder | None, int], workers: int | None
) -> pa.Table:
    import pyarrow as pa

    have, clips = goal
    chunks = [(start, min(start + CHUNK, clips)) for start in range(len(have) if have else 0, clips, CHUNK)]
    todo = [c for c in chunks if not _part(path, *c).exists()]
    workers = min(workers or cores(), len(todo)) or 1
    if type(world).__module__ == "__main__":
        workers = 1  # worker processes do not have the caller's script
    with progress("making clips", clips) as advance:
        advance(clips - sum(stop - start for start, stop in todo))
        for count in run(partial(_make_chunk, path, world, seed), todo, workers=workers):
            advance(count)
    tables = [have.table] if have else []
    tables += [read_parquet(_part(path, *c)) for c in chunks]
    table = pa.concat_tables(tables, promote_options="permissive")
    if chunks:
        table = write_table(table, path)
    return table


def remove_parts(path: Path) -> None:
    """The rows of finished clips are in the table now: the files that kept them until then go."""
    sweep(path / "clips")  # what a process that was killed had begun to write
    sweep(path / PARTS)
    remove_names(path, [f"{PARTS}/{name}" for name in os.listdir(path / PARTS) if PART.fullmatch(name)])
    with suppress(OSError):
        (path / PARTS).rmdir()


def put(path: Path, content: str | bytes) -> None:
    """Write a small file in one step."""
    with replacing(path) as (made,):
        made.write_bytes(content.encode() if isinstance(content, str) else content)


def check_plan(path: Path, plan: Mapping[str, Any], have: DatasetFolder | None) -> None:
    file = path / PLAN
    if file.exists():
        old = read_object(file)
        for name in sorted({*old, *plan}):
            if old.get(name) != plan.get(name):
                was, now = json.dumps(old.get(name)), json.dumps(plan.get(name))
                raise ValueError(f"{path}: made with {name} {was}, now asked for {now}; give another folder")
    elif have:
        raise ValueError(f"{path}: already holds a dataset that was not made here; give another folder")


def _part(path: Path, start: int, stop: int) -> Path:
    return path / PARTS / f"{start:08d}-{stop:08d}.parquet"


def _make_chunk(path: Path, world: ClipMaker, seed: int, span: tuple[int, int]) -> int:
    import pyarrow as pa

    rows = [write_item(path, (index, *world.make(seed, index))) for index in range(*span)]
    write_parquet(_part(path, *span), pa.Table.from_pylist(rows))
    return len(rows)


def write_item(path: Path, item: tuple[int, Clip, dict[str, Any]]) -> dict[str, Any]:
    from storyreel import video_io

    index, clip, row = item
    name = f"clips/{index:06d}.mkv"
    check_text(row, name)
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


def check_text(row: Mapping[str, Any], where: str) -> None:
    """ValueError for a text in a row that no table can hold: a lone surrogate."""
    for key, value in row.items():
        for text in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(text, str):
                encoded(text, f"{where}: {key}")


def write_table(table: pa.Table, path: Path) -> pa.Table:
    """Write the rows of a folder; gives them with the types that they have there."""
    import pyarrow as pa

    for name, kind in (("context", pa.int32()), ("num_frames", pa.int32()), ("captions", pa.list_(pa.string()))):
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
    write_parquet(path / METADATA, table)
    return table
