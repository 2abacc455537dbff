"""Unpacks tar archives that may come from a stranger: bounded, streamed, and verified to the last byte.

The archive is decompressed into a plain tar first, up to a limit, and to its very end, where gzip and xz keep their
checksums; then the tar is read by `storyreel.tar_file`, which no header can make ask for memory.
"""

from __future__ import annotations

import lzma
import os
import tempfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO

from storyreel.names import stays_inside
from storyreel.tar_file import TarMember, tar_members

CHUNK = 1 << 18  # bytes that are in memory at once
MAX_MEMORY = 256 << 20  # bytes that an xz archive may ask for to be unpacked
GZIP, XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may unpack to."""

    bytes: int
    files: int

    @property
    def words(self) -> str:
        size = f"{self.bytes >> 30} GB" if self.bytes >= 1 << 30 else f"{self.bytes} bytes"
        return f"{self.files} files or {size}"


def unpack(archive: Path, folder: Path, called: str, limits: ArchiveLimits, suffixes: Collection[str]) -> None:
    """Unpack the plain files with these suffixes (lower case) into `folder`, which is new.

    called: what errors call the archive. ValueError when it is broken or too large, names files outside of itself, or
    holds other things than folders and plain files; what was unpacked so far is left to the caller.
    """
    folder.mkdir(parents=True)
    with _opened(archive, folder.with_name(f".{folder.name}.tar"), called, limits) as tar:
        _extract(tar, folder, called, limits, suffixes)


def names_in(archive: Path, limits: ArchiveLimits) -> set[str]:
    """The names of the members of an archive. ValueError as of `unpack`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _opened(archive, Path(folder) / "plain.tar", str(archive), limits) as tar,
    ):
        return {member.name for member in islice(_members_of(tar, str(archive)), 2 * limits.files)}


@contextmanager
def _opened(archive: Path, plain: Path, called: str, limits: ArchiveLimits) -> Iterator[BinaryIO]:
    """The archive, decompressed into the file `plain`, which is removed afterwards."""
    try:
        with archive.open("rb") as source, plain.open("wb") as made:
            for part in _decompressed(source):
                made.write(part)
                if made.tell() > limits.bytes + limits.files * 2048:  # two headers a file
                    raise ValueError(f"{called}: the archive unpacks to more than {limits.words}")
        with plain.open("rb") as tar:
            yield tar
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{called}: not a whole tar.gz or tar.xz archive ({error})") from None
    finally:
        plain.unlink(missing_ok=True)


def _members_of(tar: BinaryIO, called: str) -> Iterator[TarMember]:
    try:
        yield from tar_members(tar)
    except ValueError as error:
        raise ValueError(f"{called}: not a whole tar.gz or tar.xz archive ({error})") from None


def _extract(tar: BinaryIO, folder: Path, called: str, limits: ArchiveLimits, suffixes: Collection[str]) -> None:
    members = total = 0
    whole = os.fstat(tar.fileno()).st_size
    for member in _members_of(tar, called):
        members += 1
        if member.kind == "folder" and members <= 2 * limits.files:
            continue
        if not stays_inside(member.name) or "\\" in member.name:
            raise ValueError(f"{called}: the archive names {member.name!r}, which leads out of it; nothing is kept")
        if member.kind != "file":
            raise ValueError(f"{called}: the archive holds {member.name!r}, which is no plain file")
        total += member.size
        if members > limits.files or total > limits.bytes:
            raise ValueError(f"{called}: the archive unpacks to more than {limits.words}")
        if member.offset + member.size > whole:
            raise EOFError(f"it ends in {member.name!r}")
        if Path(member.name).suffix.lower() in suffixes:
            target = folder.joinpath(*PurePosixPath(member.name).parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(tar, member, target)


def _copy(tar: BinaryIO, member: TarMember, target: Path) -> None:
    tar.seek(member.offset)
    left = member.size
    with target.open("wb") as made:
        while left and (part := tar.read(min(left, CHUNK))):
            made.write(part)
            left -= len(part)


def _decompressed(source: IO[bytes]) -> Iterator[bytes]:
    """The content of a gzip, xz or plain file in small parts. Errors of zlib and lzma, and EOFError at its end."""
    head = source.read(len(XZ))
    source.seek(0)
    if head.startswith(GZIP):
        yield from _members(source, lambda: _Gzip())
    elif head == XZ:
        yield from _members(source, lambda: _Xz())
    else:
        while part := source.read(CHUNK):
            yield part


def _members(source: IO[bytes], make: Any) -> Iterator[bytes]:
    """One compressed stream after another; zeros behind the last one are padding."""
    machine, data = make(), b""
    while data := data or source.read(CHUNK):
        if machine.eof:
            data = data.lstrip(b"\0")
            if not data:
                continue
            machine = make()
        yield from machine.feed(data)
        data = machine.rest
    if not machine.eof:
        raise EOFError("it ends too early")


class _Stream:
    """One compressed stream: `rest` is what follows its end."""

    _machine: Any

    @property
    def eof(self) -> bool:
        return self._machine.eof

    @property
    def rest(self) -> bytes:
        return self._machine.unused_data


class _Gzip(_Stream):
    """One gzip member; zlib compares its checksum and length at its end."""

    def __init__(self) -> None:
        self._machine = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            part = self._machine.decompress(data, CHUNK)
            data = self._machine.unconsumed_tail
            yield part
            if self.eof or (not data and len(part) < CHUNK):
                return


class _Xz(_Stream):
    """One xz stream; liblzma compares its checksums, and is refused more memory than MAX_MEMORY."""

    def __init__(self) -> None:
        self._machine = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_MEMORY)

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield self._machine.decompress(data, CHUNK)
        while not self.eof and not self._machine.needs_input:
            yield self._machine.decompress(b"", CHUNK)
