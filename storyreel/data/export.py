"""Dataset folders as WebDataset shards: tar files in which a clip's files share a key."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from storyreel.data.folder import DatasetFolder
from storyreel.data.parallel import progress
from storyreel.storage import replacing


def export_webdataset(folder: DatasetFolder, out: Path, shard: int = 1000) -> list[Path]:
    """`out/000000.tar`, ...: per clip KEY.mkv (as it lies in the folder), KEY.txt (the caption), KEY.json (the row).

    Shards that are there already are kept, so the same call goes on. The same folder gives the same bytes. Clips
    whose file is missing or empty are left out.
    """
    if shard < 1:
        raise ValueError(f"shard: wanted at least 1 clip, got {shard}")
    made = []
    with progress("exporting", len(folder)) as advance:
        for number, start in enumerate(range(0, len(folder), shard)):
            rows = range(start, min(start + shard, len(folder)))
            path = Path(out) / f"{number:06d}.tar"
            made.append(path)
            if not path.exists():
                with replacing(path) as (temporary,), tarfile.open(temporary, "w") as tar:
                    for row in rows:
                        _add_clip(tar, folder, row)
            advance(len(rows))
    return made


def _add_clip(tar: tarfile.TarFile, folder: DatasetFolder, row: int) -> None:
    file = folder.file(row)
    if not file.is_file() or not file.stat().st_size:
        return
    captions = folder.captions(row)
    parts = {
        file.suffix.lower(): file.read_bytes(),
        ".txt": (captions[0] if captions else "").encode(),
        ".json": json.dumps(folder.row(row), default=str).encode(),
    }
    for suffix, content in parts.items():
        member = tarfile.TarInfo(f"{row:08d}{suffix}")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
