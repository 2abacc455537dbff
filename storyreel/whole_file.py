"""Reads a file whole: at most so many bytes, and no pipe or device unless it was asked for, since it may never end."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

MAX_BYTES = 16 << 20


def read_bytes(path: str | Path, max_bytes: int = MAX_BYTES, *, pipes: bool = False) -> bytes:
    """The bytes of a file. ValueError names it when it has more than `max_bytes`, or is no ordinary file.

    pipes: one may be read too, as `<(command)` of a shell is. OSError: not there, not readable.
    """
    with open(path, "rb", opener=None if pipes else without_waiting) as file:
        found = os.fstat(file.fileno())
        if not (stat.S_ISREG(found.st_mode) or pipes):
            raise ValueError(f"{path}: is no ordinary file")
        content = file.read(max_bytes + 1) if found.st_size <= max_bytes else b""
    if max(found.st_size, len(content)) > max_bytes:
        raise ValueError(f"{path}: is larger than {_size(max_bytes)}, too large for what it should hold")
    return content


def read_text(path: str | Path, max_bytes: int = MAX_BYTES, *, pipes: bool = False) -> str:
    """The text of a file, with \\n at the ends of lines, without a mark of UTF-8 before it.

    ValueError also where it is not UTF-8.
    """
    content = read_bytes(path, max_bytes, pipes=pipes)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8, byte {error.start} is none") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


@contextmanager
def opened_text(path: str | Path) -> Iterator[TextIO]:
    """A text to be read line by line, with U+FFFD for what is no UTF-8. ValueError for what is no ordinary file."""
    with open(path, encoding="utf-8-sig", newline="", errors="replace", opener=without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path}: is no ordinary file")
        yield file


def lines_of(path: str | Path) -> Iterator[str]:
    """The lines of a text with their ends, as `opened_text` reads them. ValueError: one of 16 MiB."""
    with opened_text(path) as opened:
        while line := opened.readline(MAX_BYTES):
            if len(line) == MAX_BYTES:
                raise ValueError(f"{path}: has a line of more than {MAX_BYTES >> 20} MiB")
            yield line


def gunzipped(content: bytes, max_bytes: int, where: str) -> bytes:
    """What the gzip streams in `content` hold, one after the other.

    ValueError begins with `where`: damaged, or larger than `max_bytes`.
    """
    parts, size = [], 0
    while content:
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            parts.append(stream.decompress(content, max_bytes + 1 - size))
        except zlib.error as error:
            raise ValueError(f"{where}: damaged gzip file ({error})") from None
        size += len(parts[-1])
        if size > max_bytes:
            raise ValueError(f"{where}: unpacks to more than {_size(max_bytes)}, too large for what it should hold")
        if not stream.eof:
            raise ValueError(f"{where}: damaged gzip file (it ends too early)")
        content = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)


def without_waiting(path: str, flags: int) -> int:
    """An opener for `open` that does not wait for what another process may write into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count} bytes"
