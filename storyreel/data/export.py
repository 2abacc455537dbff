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


def export_webdataset(folder: DatasetFolder, out: Path, shard: int = 1000) -> list[Path]:
    """`out/000000.tar`, ...: per clip KEY.mkv (as it lies in the folder), KEY.txt (the caption), KEY.json (the row).

    Shards of these rows that are there already are kept, so the same call goes on; others of an earlier call are
    replaced, or removed when the new ones stand. The same folder gives the same bytes. Clips whose file is missing or
    empty are left out. ValueError: `out` holds something else, or the shards of another dataset.
    """
    if shard < 1:
        raise ValueError(f"shard: wanted at least 1 clip, got {shard}")
    starts = range(0, len(folder), shard)
    names = [f"{number:06d}.tar" for number in range(len(starts))]
    with claim(out, "shards", inputs=[folder.path]) as owned, progress("exporting", len(folder)) as advance:
        begin_shards(owned, folder.path, names)
        done: dict[str, str] = owned.facts.get("shards", {})
        for name, start in zip(names, starts, strict=True):
            rows = range(start, min(start + shard, len(folder)))
            key = hashlib.sha256(f"{folder.digest} {start} {rows.stop}".encode()).hexdigest()
            if done.get(name) != key or not (Path(out) / name).exists():
                with replacing(Path(out) / name) as (temporary,), tarfile.open(temporary, "w") as tar:
                    for row in rows:
                        _add_clip(tar, folder, row)
                done = {**done, name: key}
                owned.note(shards=done)
            advance(len(rows))
        owned.note(shards={name: done[name] for name in names})
        owned.remove(owned.names - set(names))
    return [Path(out) / name for name in names]


def begin_shards(owned: Owned, dataset: Path, names: Sequence[str]) -> None:
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


def _add_clip(tar: tarfile.TarFile, folder: DatasetFolder, row: int) -> None:
    file = folder.file(row)
    if not file.is_file() or not file.stat().st_size:
        return
    captions = folder.captions(row)
    parts = {
        file.suffix.lower(): file.read_bytes(),
        ".txt": (captions[0] if captions else "").encode(),
        ".json": json.dumps(row_for_others(folder, row), default=str).encode(),
    }
    for suffix, content in parts.items():
        member = tarfile.TarInfo(f"{row:08d}{suffix}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
