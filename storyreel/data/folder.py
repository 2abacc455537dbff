"""A dataset folder: `metadata.parquet` with a row a clip, beside the clips. Reading it.

Columns: `file_name` (required; relative to the folder), `caption` and/or `captions` (list of strings), `split`
("train", "held_out", "val" or "test"; none means train), `context` (leading frames that are given rather than told;
default 0), `num_frames`, `fps`, `attributes` (a JSON object as text), and anything else. `datasets.load_dataset(
FOLDER)` opens the same folder by its README.md (`storyreel.data.card`). Writing is in `storyreel.data.write`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.clip import Clip
from storyreel.data.child_process import report
from storyreel.data.dataset import Dataset, NotNow
from storyreel.data.parallel import Death
from storyreel.data.write import METADATA, PLAN, write_folder, write_world
from storyreel.json_file import parse_json, read_json
from storyreel.layouts import SPLITS
from storyreel.names import inside, stays_inside
from storyreel.parquet_file import read_parquet
from storyreel.read_errors import BROKEN, is_passing, is_short, one_line, persevering, reading

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["METADATA", "SPLITS", "DatasetFolder", "read_clip", "write_folder", "write_world"]


class DatasetFolder(Dataset):
    """The rows and clips of one dataset folder; nothing is decoded until it is asked for."""

    def __init__(self, path: Path, table: pa.Table) -> None:
        self.path = path
        self.table = table

    @classmethod
    def open(cls, path: str | Path) -> DatasetFolder:
        """Raises ValueError or OSError naming the folder and what is wrong with it."""
        path = Path(path)
        file = path / METADATA
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such dataset folder")
        if not file.is_file():
            raise ValueError(f"{path}: not a dataset folder; expected a {METADATA} in it")
        table = read_parquet(file)
        if "file_name" not in table.column_names:
            raise ValueError(f"{file}: expected a column 'file_name', got {', '.join(table.column_names) or 'none'}")
        table = _checked(table, file)
        if table.column("file_name").null_count:
            raise ValueError(f"{file}: column 'file_name' has {table.column('file_name').null_count} empty rows")
        return cls(path, table)

    def __len__(self) -> int:
        return self.table.num_rows

    @property
    def columns(self) -> list[str]:
        return self.table.column_names

    def column(self, name: str) -> list[Any] | None:
        """The values of one column, a row each; None where the table has no such column."""
        return self.table.column(name).to_pylist() if name in self.table.column_names else None

    @cached_property
    def attributes(self) -> list[dict[str, Any]]:
        """What is in each clip; {} where nothing is said. ValueError for what is not a JSON object."""
        try:
            rows = [parse_json(text or "{}") for text in self.column("attributes") or ["{}"] * len(self)]
            if not all(isinstance(row, dict) for row in rows):
                raise TypeError
        except (ValueError, TypeError):
            raise ValueError(f"{self.path}: expected JSON objects in the column 'attributes'") from None
        return rows

    @property
    def world(self) -> str:
        return world_of(self.path)

    def row(self, index: int) -> dict[str, Any]:
        """All columns of one row; `attributes` decoded from JSON."""
        row = self.table.slice(index, 1).to_pylist()[0]
        if isinstance(row.get("attributes"), str):
            try:
                row["attributes"] = parse_json(row["attributes"])
            except ValueError as error:
                raise ValueError(f"{self.path / METADATA}: row {index}: attributes: {error}") from None
        return row

    def file(self, index: int) -> Path:
        """Where the clip lies. Raises ValueError for a name that leaves the folder."""
        return inside(
            self.path, self.file_names[index], f"{self.path / METADATA}: row {index}: file_name", "the dataset folder"
        )

    def clip(self, index: int) -> Clip:
        """Decoded from its file, with the caption of the row. ValueError or OSError names the file."""
        captions = self.captions(index)
        return read_clip(self.file(index)).replace(caption=captions[0] if captions else "")

    def reader(self, rows: range) -> FileReader:
        """Reads the clips of these rows; picklable."""
        return FileReader(tuple(self._file_or_reason(row) for row in rows))

    def _file_or_reason(self, row: int) -> Path | str:
        try:
            return self.file(row)
        except ValueError as error:
            return str(error)

    @cached_property
    def digest(self) -> str:
        """Hex digest of metadata.parquet and the sizes of the files that it names, those outside of it left out."""
        hashed = hashlib.sha256((self.path / METADATA).read_bytes())
        sizes: dict[str, int] = {}
        for folder in sorted({os.path.dirname(name) for name in self.file_names if stays_inside(name)}):
            if (self.path / folder).is_dir():
                with os.scandir(self.path / folder) as entries:
                    sizes |= {os.path.join(folder, e.name): e.stat().st_size for e in entries if e.is_file()}
        for name in self.file_names:
            hashed.update(f"{name}:{sizes.get(name, -1)}\n".encode())
        return hashed.hexdigest()


@dataclass(frozen=True)
class FileReader:
    """Decodes files one after the other. Iterating gives a clip, or what is wrong with the file, for each.

    `NotNow` where it is not the file that is wrong (a permission, a disk). OSError when the machine is out of memory.
    In a worker process, the place of each file is reported before it is opened.
    """

    files: tuple[Any, ...]  # what `read` takes; a str is the reason why there is no file

    def __iter__(self) -> Iterator[Clip | str]:
        for place, file in enumerate(self.files):
            report(place)
            if isinstance(file, str):
                yield file
                continue
            try:
                clip = persevering(lambda file=file: self.read(file))
            except (ValueError, OSError, MemoryError, *BROKEN) as error:
                if is_short(error):
                    why = f"could not be read now, what is done is kept: {one_line(error)}"
                    raise OSError(getattr(error, "errno", None) or errno.ENOMEM, why, str(file)) from error
                yield NotNow(f"could not be read now: {one_line(error)}") if is_passing(error) else one_line(error)
            else:
                yield clip

    def read(self, file: Any) -> Clip:
        """The clip of a file."""
        return read_clip(file)

    def without(self, death: Death) -> FileReader:
        """The file that ended its worker processes is replaced by the reason."""
        why = NotNow(death) if death.killed else str(death)
        return type(self)((*self.files[: death.at], why, *self.files[death.at + 1 :]))


def world_of(path: Path) -> str:
    """The world that `storyreel data make` drew a folder's clips from; "" for other folders."""
    try:
        plan = read_json(path / PLAN)
    except (OSError, ValueError):
        return ""
    return str(plan.get("world") or "") if isinstance(plan, dict) else ""


def read_clip(path: Path) -> Clip:
    """A video of any supported kind; .png and .jpg are one-frame clips, .span a part of a film (`storyreel.span`)."""
    from storyreel import video_io

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: the file is empty (0 bytes)")
    if path.suffix.lower() in (".png", ".jpg", ".jpeg"):
        return _read_image(path)
    if path.suffix == ".span":
        from storyreel.span import Span

        return Span.read(path).clip()
    return video_io.read(path)


def decoded_clip(content: bytes, suffix: str, where: str) -> Clip:
    """What `read_clip` gives of the bytes of a file of this kind. Its ValueError names `where` they lie."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"clip{suffix}"
        file.write_bytes(content)
        try:
            return read_clip(file)
        except ValueError as error:
            raise ValueError(str(error).replace(str(file), where)) from None


def _read_image(path: Path) -> Clip:
    import numpy as np

    from storyreel.animation import MAX_PIXELS, check_size, opened

    with reading(path), opened(path) as image:
        check_size(path, image.height, image.width, 1, MAX_PIXELS)
        mode = "RGBA" if image.has_transparency_data else "RGB"
        return Clip(np.asarray(image.convert(mode))[None])


def _checked(table: pa.Table, file: Path) -> pa.Table:
    """The table with the known columns in their types; ValueError names a column that cannot be read so."""
    import pyarrow as pa

    kinds: dict[str, pa.DataType] = {
        "file_name": pa.string(),
        "caption": pa.string(),
        "captions": pa.list_(pa.string()),
        "split": pa.string(),
        "context": pa.int32(),
        "num_frames": pa.int32(),
    }
    for name, kind in kinds.items():
        if name in table.column_names and table.schema.field(name).type != kind:
            try:
                column = table.column(name).cast(kind)
            except pa.ArrowException:
                raise ValueError(
                    f"{file}: column {name!r} is {table.schema.field(name).type}, expected {kind}"
                ) from None
            table = table.set_column(table.column_names.index(name), name, column)
    return table
