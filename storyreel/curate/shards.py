"""The kept clips as WebDataset shards: tar files of ID.mp4 and ID.json, read and written one clip at a time."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

from storyreel.data.export import begin_shards, row_for_others
from storyreel.data.folder import DatasetFolder
from storyreel.json_file import read_json
from storyreel.ownership import claim
from storyreel.storage import replacing


def write_shards(dataset: str | Path, out: str | Path, shard: int = 1000) -> list[Path]:
    """`out/00000-of-00003.tar`, ...: per clip its file and a .json with the row (the caption in it), .txt too.

    The order is drawn by clip id, so that neighbours in a shard are not of one film. The same dataset gives the same
    bytes. A shard that is there and begins with the same rows is kept; others of this dataset are removed when the new
    ones stand. ValueError: clips that are virtual, which a tar cannot hold; `out` holds something else.
    """
    folder, out = DatasetFolder.open(dataset), Path(out)
    if shard < 1:
        raise ValueError(f"shard: wanted at least 1 clip, got {shard}")
    order = sorted(range(len(folder)), key=lambda i: hashlib.sha256(folder.file_names[i].encode()).hexdigest())
    virtual = [name for name in folder.file_names if name.endswith(".span")]
    if virtual:
        raise ValueError(f"{folder.path}: {len(virtual)} clips are virtual; curate with --set export.format=mp4 first")
    count = -(-len(order) // shard)
    names = [f"{number:05d}-of-{count:05d}.tar" for number in range(count)]
    every = [name.removesuffix(".tar") + suffix for name in names for suffix in (".tar", ".json")]
    with claim(out, "shards", inputs=[folder.path]) as owned:
        begin_shards(owned, folder.path, every)
        for number, name in enumerate(names):
            _write_shard(folder, order[number * shard : (number + 1) * shard], out / name)
        owned.remove(owned.names - set(every))
    return [out / name for name in names]


def _write_shard(folder: DatasetFolder, rows: list[int], path: Path) -> None:
    texts = [json.dumps(row_for_others(folder, row), ensure_ascii=False, sort_keys=True) for row in rows]
    key = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    if _key(path) == key:
        return
    with replacing(path) as (temporary,), tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row, text in zip(rows, texts, strict=True):
            _add(tar, folder, row, text)
    with replacing(path.with_suffix(".json")) as (temporary,):
        temporary.write_text(json.dumps({"rows": len(rows), "digest": key}) + "\n")


def _key(path: Path) -> str | None:
    try:
        return read_json(path.with_suffix(".json"))["digest"] if path.exists() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _add(tar: tarfile.TarFile, folder: DatasetFolder, row: int, text: str) -> None:
    file = folder.file(row)
    name = file.stem
    member = tarfile.TarInfo(f"{name}{file.suffix}")
    member.size = file.stat().st_size
    with file.open("rb") as content:
        tar.addfile(member, content)
    captions = folder.captions(row)
    for suffix, said in ((".txt", captions[0] if captions else ""), (".json", text)):
        data = said.encode()
        member = tarfile.TarInfo(f"{name}{suffix}")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
