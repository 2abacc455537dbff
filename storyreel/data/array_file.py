"""An .npy file that is written row by row with plain writes.

A memory map is the other way to fill a large array on disk, and a disk that fills up kills the process that writes into
one (SIGBUS). A plain write is an OSError that can be told, and what was written before it stays.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np


class ArrayFile:
    """Rows of an array of a known shape, in order. Use as a context manager; `np.load` opens what it made.

    done: rows that stand in the file already, of an earlier call with the same shape and dtype; they are kept.
    OSError names the file when the disk is full.
    """

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...], done: int = 0) -> None:
        self.path, self.dtype, self.shape, self.row = path, np.dtype(dtype), shape, done
        self._stride = int(np.prod(shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def __enter__(self) -> ArrayFile:
        self._file = self.path.open("r+b" if self.row else "w+b")
        try:
            about = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": self.shape}
            np.lib.format.write_array_header_1_0(self._file, about)
            self._file.seek(self.row * self._stride, os.SEEK_CUR)
            self._file.truncate()
        except OSError as error:
            with suppress(OSError):
                self._file.close()
            raise self._named(error) from error
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def write(self, rows: np.ndarray) -> None:
        """The next rows. ValueError where they are of another shape or dtype, or too many."""
        if rows.shape[1:] != self.shape[1:] or rows.dtype != self.dtype or self.row + len(rows) > self.shape[0]:
            raise ValueError(
                f"{self.path}: expected rows of {self.shape}, {self.dtype}, got {rows.shape}, {rows.dtype}"
            )
        try:
            self._file.write(np.ascontiguousarray(rows).data)
        except OSError as error:
            raise self._named(error) from error
        self.row += len(rows)

    def flush(self) -> None:
        """All rows so far are on disk when this returns."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._named(error) from error

    def _named(self, error: OSError) -> OSError:
        return OSError(error.errno, f"could not be written: {error.strerror}", str(self.path))
