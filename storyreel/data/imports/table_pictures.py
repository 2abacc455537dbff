"""Pictures in the rows of a Parquet table: bytes (img2dataset), or an object with `bytes` and `path` (the Hugging Face
hub)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.clip import Clip
from storyreel.data.folder import decoded_clip
from storyreel.data.imports.entries import AnnotatedClip
from storyreel.parquet_file import read_group, rows_of_groups

if TYPE_CHECKING:
    import pyarrow as pa

SIGNATURES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"RIFF": ".webp"}


def content_of(cell: Any) -> Any:
    """The bytes of a picture, or the name of its file, of a cell that has either or an object of both."""
    return (cell.get("bytes") or cell.get("path")) if isinstance(cell, dict) else cell


def picture_of(entry: AnnotatedClip) -> Clip:
    """The picture in the entry's `column` and row `part`, a clip of one frame. ValueError, OSError: why none is."""
    changed = entry.file.stat().st_mtime_ns
    first = 0
    for group, rows in enumerate(_rows_of_groups(entry.file, changed)):
        if entry.part < first + rows:
            cell = content_of(_group(entry.file, changed, group, entry.column)[entry.part - first].as_py())
            return _decoded(cell, f"{entry.file}: {entry.column} of row {entry.part + 1}")
        first += rows
    raise ValueError(f"{entry.file}: has {first} rows, expected more than {entry.part}")


def _decoded(content: Any, where: str) -> Clip:
    known = (suffix for start, suffix in SIGNATURES.items() if isinstance(content, bytes) and content.startswith(start))
    if (suffix := next(known, None)) is None:
        raise ValueError(f"{where}: expected a PNG, JPEG or WebP picture")
    return decoded_clip(content, suffix, where)


@lru_cache(maxsize=1)
def _rows_of_groups(file: Path, changed: int) -> list[int]:
    return rows_of_groups(file)


@lru_cache(maxsize=1)  # rows are read in their order
def _group(file: Path, changed: int, group: int, column: str) -> pa.ChunkedArray:
    return read_group(file, group, column)
