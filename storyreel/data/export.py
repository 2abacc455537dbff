"""Dataset folders as WebDataset shards: tar files in which a clip's files share a key."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storyreel.data.folder import DatasetFolder
from storyreel.data.parallel import progress
from storyreel.ownership import Owned, claim
from storyreel.storage import replacing


def export_webdataset(folder: DatasetFolder, out: Path, shard: int = 1000, *, drawn: bool = False) -> list[Path]:
    """`out/000000.tar`, ...: per clip its file (as it lies in the folder), KEY.txt (the caption), KEY.json (the row).

    Keys are the numbers of the rows, or, where `drawn`, the names of the clips' files; the order is then drawn by these
    names, so that neighbours in a shard are not of one film, and the shards are `00000-of-00003.tar`, ...

    Shards of these rows that are there already are kept, so the same call goes on; others of an earlier call are
    replaced, or removed when the new ones stand. The same folder gives the same bytes. Clips whose file is missing or
    empty are left out. ValueError: clips that are virtual, which a tar cannot hold; `out` holds something else, or the
    shards of another dataset.
    """
    if shard < 1:
        raise ValueError(f"shard: expected at least 1 clip, got {shard}")
    virtual = sum(name.endswith(".span") for name in folder.file_names)
    if virtual:
        raise ValueError(f"{folder.path}: {virtual} clips are virtual; curate with --set export.format=mp4 first")
    order = list(range(len(folder)))
    if drawn:
        order.sort(key=lambda row: hashlib.sha256(folder.file_names[row].encode()).hexdigest())
    parts = [order[start : start + shard] for start in range(0, len(order), shard)]
    names = [f"{n:05d}-of-{len(parts):05d}.tar" if drawn else f"{n:06d}.tar" for n in range(len(parts))]
    with claim(out, "shards", inputs=[folder.path]) as owned, progress("exporting", len(folder)) as advance:
        _begin(owned, folder.path, names)
        done: dict[str, str] = owned.facts.get("shards", {})
        for name, rows in zip(names, parts, strict=True):
            key = hashlib.sha256(f"{folder.digest} {rows[0]} {rows[-1]} {len(rows)} {drawn}".encode()).hexdigest()
            if done.get(name) != key or not (out / name).exists():
                with replacing(out / name) as (temporary,), tarfile.open(temporary, "w") as tar:
                    for row in rows:
                        _add_clip(tar, folder, row, folder.file(row).stem if drawn else f"{row:08d}")
                done = {**done, name: key}
                owned.note(shards=done)
            advance(len(rows))
        owned.note(shards={name: done[name] for name in names})
        owned.remove(owned.names - set(names))
    return [out / name for name in names]


def _begin(owned: Owned, dataset: Path, names: Sequence[str]) -> None:
    """Note the names that are about to be written. ValueError: the folder holds the shards of another dataset."""
    of = hashlib.sha256(os.path.realpath(dataset).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    if owned.facts.get("of", of) != of:
        raise ValueError(f"{owned.path}: holds the shards of another dataset than {dataset}; give another folder")
    for name in names:
        if name not in owned.names and (owned.path / name).exists():
            raise ValueError(f"{owned.path / name}: is there already and was not written by storyreel; move it away")
    owned.note(of=of)
    owned.record(names)


def row_for_others(folder: DatasetFolder, row: int) -> dict[str, Any]:
    """A row as it may leave this machine: without the path at which its film lies here (`source` has its name)."""
    return {name: value for name, value in folder.row(row).items() if name != "source_path"}


def _add_clip(tar: tarfile.TarFile, folder: DatasetFolder, row: int, key: str) -> None:
    file = folder.file(row)
    if not file.is_file() or not file.stat().st_size:
        return
    captions = folder.captions(row)
    line = json.dumps(row_for_others(folder, row), default=str)
    with file.open("rb") as content:
        _add(tar, f"{key}{file.suffix.lower()}", content, file.stat().st_size)
    for suffix, text in ((".txt", captions[0] if captions else ""), (".json", line)):
        blob = text.encode()
        _add(tar, key + suffix, io.BytesIO(blob), len(blob))


def _add(tar: tarfile.TarFile, name: str, content: Any, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, content)
