"""Reads and writes Parquet tables. Those from outside: what they hold in memory is measured before it is allocated.

A column of one text a million times is a dictionary and a run of zeros: 13 kB on the disk, 200 GB as an array. Texts
are read as dictionaries first, which costs what is in the file, and counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from storyreel.storage import replacing

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MIN_ROOM = 512 << 20  # bytes that any table may take
MAX_RATIO = 64  # bytes in memory for a byte of a larger file
PER_CELL = 64  # bytes of a cell as a Python object, on average


def read_parquet(path: str | Path) -> pa.Table:
    """The table in a Parquet file. ValueError in one line: no Parquet, or far larger than a file of its size holds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: not a readable Parquet file (it is no plain file)")
    try:
        with path.open("rb") as file:  # by its path, Arrow takes no name that is not UTF-8
            _check_size(path, file)
            return pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: not a readable Parquet file ({(str(error).splitlines() or [''])[0]})") from None


def rows_of_groups(path: Path) -> list[int]:
    """How many rows each row group has, of a file that `read_parquet` has read."""
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        metadata = pq.ParquetFile(file).metadata
        return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]


def read_group(path: Path, group: int, column: str) -> pa.ChunkedArray:
    """One column of one row group, of a file that `read_parquet` has read."""
    import pyarrow.parquet as pq

    with path.open("rb") as file:
        return pq.ParquetFile(file).read_row_group(group, columns=[column]).column(0)


def write_parquet(path: str | Path, table: pa.Table) -> None:
    """Write a table whole or not at all."""
    import pyarrow.parquet as pq

    with replacing(path) as (made,), made.open("wb") as file:
        pq.write_table(table, file)


def _check_size(path: Path, file: BinaryIO) -> None:
    import pyarrow.parquet as pq

    _check_chunks(pq.ParquetFile(file))
    room = max(MIN_ROOM, MAX_RATIO * os.path.getsize(path))
    metadata = pq.read_metadata(file)
    columns = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    claimed = metadata.num_rows
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for column, kind in enumerate(columns):
            chunk = group.column(column)
            claimed += chunk.num_values * max(PER_CELL, kind.length or 0)
            claimed = max(claimed, chunk.total_uncompressed_size)
    texts = [kind.path for kind in columns if kind.physical_type == "BYTE_ARRAY"]
    if claimed > room or _text_bytes(file, texts, room - claimed) > room - claimed:
        raise ValueError(f"{path}: a table of more than {room >> 20} MiB, too large for a file of its size")


def _check_chunks(file: pq.ParquetFile) -> None:
    """OSError for damaged facts about columns, which end the process when they are asked for one by one.

    Batches of no rows open the columns and decode nothing.
    """
    for group in range(file.num_row_groups):
        for _ in file.reader.iter_batches(0, row_groups=[group], column_indices=None, use_threads=False):
            break


def _text_bytes(opened: BinaryIO, columns: list[str], limit: int) -> int:
    """Bytes of all texts of these columns in memory; counted no further than beyond `limit`."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    total = 0
    file = pq.ParquetFile(opened, read_dictionary=columns)
    for group in range(file.num_row_groups if columns else 0):
        try:
            table = file.read_row_group(group, columns=columns)
        except pa.ArrowNotImplementedError:  # texts in objects, more of them than Arrow puts into one array
            return limit + 1
        for array in (leaf for column in table.columns for chunk in column.chunks for leaf in _leaves(chunk)):
            if isinstance(array, pa.DictionaryArray):
                lengths = pc.call_function("binary_length", [array.dictionary])
                total += pc.call_function("sum", [lengths.take(array.indices)]).as_py() or 0
                if total > limit:
                    return total
    return total


def _leaves(array: Any) -> Iterator[Any]:
    """The arrays of values in an array of lists, objects or maps."""
    import pyarrow as pa

    if pa.types.is_map(array.type):
        inner = [array.keys, array.items]
    elif pa.types.is_struct(array.type):
        inner = array.flatten()
    elif pa.types.is_nested(array.type):
        inner = [array.flatten()]
    else:
        yield array
        return
    for each in inner:
        yield from _leaves(each)
