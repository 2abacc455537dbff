"""What a file is by its first bytes, and whether it is as long as it says: before any decoder sees it.

The kind is passed on to the demuxer, so that a playlist or a subtitle file that is named `.mp4` is refused instead of
being followed wherever it points.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

PICTURES = ("png", "gif", "webp", "jpeg", "bmp", "tiff")
MOVIES = ("mov", "matroska", "avi")
STARTS = {b"FLV": "flv", b"\0\0\1\xba": "mpeg", b"\x30\x26\xb2\x75": "asf", b"OggS": "ogg", b"DKIF": "ivf"}
_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def kind(path: Path) -> str:
    """One of PICTURES or MOVIES, or "json". ValueError or OSError with one clear line otherwise."""
    if path.is_dir():
        raise IsADirectoryError(21, "is a folder, expected a video or picture file", str(path))
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"{path}: the file is empty, expected a video or a picture")
    with path.open("rb") as file:
        head = file.read(16)
        found = _kind(head, path.suffix.lower())
        if found is None:
            raise ValueError(
                f"{path}: is neither a video nor a picture that can be read (mp4, webm, mkv, mov, avi, ...)"
            )
        end = _stated_end(file, found, head, size)
    if end > size:
        raise ValueError(f"{path}: is truncated: {size} bytes of {end} are there")
    return found


def container(path: Path) -> str:
    """The demuxer for a film of any kind that footage comes in. ValueError or OSError, one line, for what is none."""
    try:
        found = kind(path)
    except ValueError:
        if path.stat().st_size == 0:
            raise
        with path.open("rb") as file:
            head = file.read(189)
        for start, name in STARTS.items():
            if head.startswith(start):
                return name
        if len(head) == 189 and head[0] == head[188] == 0x47:
            return "mpegts"
        raise
    if found not in (*MOVIES, "gif"):
        raise ValueError(f"{path}: is a {found} file, expected a video")
    return found


def _kind(head: bytes, suffix: str) -> str | None:
    if head[:4] == b"RIFF":
        return {b"WEBP": "webp", b"AVI ": "avi"}.get(head[8:12])
    starts = {
        b"\x89PNG\r\n\x1a\n": "png",
        b"GIF8": "gif",
        b"\xff\xd8\xff": "jpeg",
        b"BM": "bmp",
        b"II*\0": "tiff",
        b"MM\0*": "tiff",
        b"\x1aE\xdf\xa3": "matroska",
    }
    for start, name in starts.items():
        if head.startswith(start):
            return name
    if head[4:8] in _MOV_BOXES:
        return "mov"
    return "json" if suffix == ".json" and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else None


def _stated_end(file: BinaryIO, name: str, head: bytes, size: int) -> int:
    """The length in bytes that the outermost structure promises; 0 where the format promises none."""
    if name == "webp":  # an AVI above 2 GB or one that a camera was cut off in often states a wrong length
        return int.from_bytes(head[4:8], "little") + 8
    if name == "mov":
        return _mov_end(file, size)
    if name == "matroska":
        return _matroska_end(file)
    return 0


def _mov_end(file: BinaryIO, size: int) -> int:
    """End of the last top-level box (ISO/IEC 14496-12, 4.2); a size of 0 means "up to the end of the file"."""
    at = 0
    for _ in range(100_000):  # fragmented files have two boxes a fragment
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            break
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            break
        at += length
        if at >= size:
            break
    return at


def _matroska_end(file: BinaryIO) -> int:
    """End of the Segment element, which follows the EBML header (RFC 8794); 0 when the length is left unknown."""
    file.seek(4)
    header = _vint(file)
    if header is None:
        return 0
    file.seek(header, 1)
    if file.read(4) != b"\x18\x53\x80\x67":
        return 0
    length = _vint(file)
    return 0 if length is None else file.tell() + length


def _vint(file: BinaryIO) -> int | None:
    """An EBML variable-length size; None when it is unknown (all ones) or broken."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & ((1 << (8 - width)) - 1)]) + file.read(width - 1), "big")
    return None if value == (1 << (7 * width)) - 1 else value
