"""Lists what lies in a tar file, whose headers may come from a stranger.

Python's tarfile hangs on some (sizes below zero, 256 kB of digits), and asks for the memory that others claim; this
reads forward only, headers of at most `MAX_HEADER` bytes, and opens nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from storyreel.numbers import is_digits

BLOCK = 512  # bytes
MAX_HEADER = 1 << 18  # bytes of a long name or of POSIX's extended header
MAX_HEADERS = 16  # of one entry
FILES, FOLDERS = b"\x000\x37", b"5"  # type bytes; further ones of entries without content:
EMPTY = b"12346"  # links, devices, pipes
LONG_NAME, LONG_LINK, EXTENDED, GLOBAL, SPARSE = b"L", b"K", b"xX", b"g", b"S"


@dataclass(frozen=True)
class TarMember:
    """An entry. kind: "file", "folder" or "other" (a link, a device, a sparse file); a file is `size` bytes from
    `offset` on, if the tar is whole."""

    name: str
    kind: str
    offset: int
    size: int


def tar_members(file: BinaryIO) -> Iterator[TarMember]:
    """The entries of an uncompressed tar in their order. ValueError: the next one is damaged, or it is no tar."""
    at, before, name, extended = 0, 0, None, dict[str, str]()
    whole = file.seek(0, os.SEEK_END)
    while True:
        file.seek(at)
        header = file.read(BLOCK)
        if at and not header.strip(b"\0"):
            return
        kind, size = header[156:157], _checked(header, at)
        at += BLOCK
        if kind in (LONG_NAME, LONG_LINK) or (kind and kind in EXTENDED + GLOBAL):
            before += 1
            if size > MAX_HEADER or before > MAX_HEADERS:
                raise ValueError(f"a header of {size} bytes, number {before} of one entry, at byte {at}")
            content = file.read(size)
            at += _blocks(size)
            if kind == LONG_NAME:
                name = _text(content)
            elif kind in EXTENDED:
                extended = _records(content, at)
            continue
        if "size" in extended:
            size = _whole(extended["size"], 10, at)
        called = extended.get("path") or name or _name(header)
        shown = "folder" if kind in FOLDERS or called.endswith("/") else "file" if kind in FILES else "other"
        if kind == SPARSE:
            at = _after_sparse(file, header, at)
        if any(key.startswith("GNU.sparse") for key in extended):
            shown = "other"
        yield TarMember(called.rstrip("/"), shown, at, size)
        at += 0 if kind in EMPTY + FOLDERS else _blocks(size)
        if at > _blocks(whole):
            raise ValueError(f"it ends in {called!r}")
        before, name, extended = 0, None, {}


def _checked(header: bytes, at: int) -> int:
    """The size in a header of which the checksum is right."""
    if len(header) < BLOCK:
        raise ValueError(f"it ends in a header at byte {at}")
    plain = header[:148] + b" " * 8 + header[156:]
    signed = sum(plain) - 256 * sum(byte > 127 for byte in plain)
    if _number(header[148:156], at) not in (sum(plain), signed):
        raise ValueError(f"a damaged header at byte {at}")
    return _number(header[124:136], at)


def _number(field: bytes, at: int) -> int:
    """An octal number, or one of GNU's in base 256. ValueError for one below zero."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    text = field.split(b"\0", 1)[0].strip().decode("latin-1")
    return _whole(text, 8, at) if text else 0


def _whole(text: str, base: int, at: int) -> int:
    if not (is_digits(text) and len(text) <= 20):
        raise ValueError(f"a damaged number in the header at byte {at}")
    return int(text, base)


def _name(header: bytes) -> str:
    name, prefix = _text(header[:100]), _text(header[345:500])
    return f"{prefix}/{name}" if prefix and header[257:263] == b"ustar\0" else name


def _text(content: bytes) -> str:
    return content.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _records(content: bytes, at: int) -> dict[str, str]:
    """The records of an extended header: `LENGTH KEY=VALUE` and an end of line, the length of all of it."""
    found, start = dict[str, str](), 0
    while start < len(content) and content[start]:
        space = content.find(b" ", start, start + 21)
        length = _whole(content[start:space].decode("latin-1"), 10, at) if space > 0 else 0
        key, equals, value = content[space + 1 : start + length - 1].partition(b"=")
        if not equals or start + length > len(content) or content[start + length - 1 : start + length] != b"\n":
            raise ValueError(f"a damaged record in the header at byte {at}")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        start += length
    return found


def _after_sparse(file: BinaryIO, header: bytes, at: int) -> int:
    """Where the content of GNU's sparse file begins: behind the blocks that go on with its map."""
    more = header[482:483]
    while more and more != b"\0":
        more = file.read(BLOCK)[504:505]
        at += BLOCK
    return at


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
