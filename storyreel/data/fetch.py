"""Get the pictures that a world is made from, for users who have the internet, or take them from an archive."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath

from storyreel.archive import ArchiveLimits, unpack
from storyreel.data.download import download
from storyreel.ownership import check_place
from storyreel.storage import check_writable, digest_of, sweep, temporary_name
from storyreel.worlds import Pictures, find, names

MAX_DOWNLOAD = 500 << 20  # bytes
MAX_UNPACKED = 1 << 30
MAX_FILES = 30_000
SUFFIXES = {".png", ".txt", ".md", ".csv", ".json"}


def pictures_of(world: str) -> Pictures:
    """What a world declares of pictures that can be fetched. ValueError where there is nothing to fetch."""
    pictures = find(world).pictures if world in names() else None
    if pictures is None or not pictures.url:
        others = [name for name in names() if (own := find(name).pictures) and own.url]
        raise ValueError(f"there is nothing to fetch for {world!r}, only for {' and '.join(others)}")
    return pictures


def fetch_pictures(world: str, out: Path, url: str | None = None) -> int:
    """Download, check and unpack a world's pictures into `out`, which must be empty or new. How many files there are.

    url: another address than the world's. The folder appears whole or not at all. Only pictures and texts are
    unpacked; an archive with links, or with names that lead out of it, is refused. ValueError or OSError says what
    went wrong.
    """
    out, pictures = Path(out), pictures_of(world)
    url = url or pictures.url
    check_place(out)
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out}: is there already; give a new or an empty folder")
    out = Path(os.path.realpath(out))
    check_writable(out.parent)
    sweep(out.parent)
    work = temporary_name(out)
    try:
        work.mkdir()
        archive, unpacked = work / "archive.tar.gz", work / "unpacked"
        if not url.startswith(("https://", "http://", "file://")):
            raise ValueError(f"{url}: expected an address that begins with https://")
        download(url, archive, limit=MAX_DOWNLOAD, name="downloading")
        root = _unpacked(pictures, archive, unpacked, url)
        count = sum(file.is_file() for file in root.rglob("*"))
        if out.exists():
            out.rmdir()
        os.replace(root, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return count


def pictures_in(world: str, source: Path, cache: Path) -> Path:
    """The folder of a world's pictures: `source` itself, or what is in it when it is a tar archive, unpacked below
    `cache`, once, whole or not at all, under the sha256 of its bytes. ValueError where it is no folder of pictures.
    """
    pictures = find(world).pictures
    if not source.is_file() or pictures is None or not pictures.marker:
        return source
    from filelock import FileLock

    folder = cache / "sheets" / digest_of(source)[:32]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")), tempfile.TemporaryDirectory(dir=folder.parent) as work:
            if not folder.exists():
                os.replace(_unpacked(pictures, source, Path(work) / "unpacked", str(source)), folder)
    return folder


def _unpacked(pictures: Pictures, archive: Path, folder: Path, url: str) -> Path:
    """Unpack a tar archive below `folder`; the folder in it that holds the pictures.

    url: what errors call the archive. ValueError when it is broken, holds other things than plain files, names files
    outside of itself, is too large, or holds no such pictures.
    """
    unpack(archive, folder, url, ArchiveLimits(MAX_UNPACKED, MAX_FILES), SUFFIXES)
    found = sorted(folder.rglob(pictures.marker))
    if not found:
        raise ValueError(f"{url}: the archive holds no {pictures.marker}, which is one of {pictures.name}")
    _check_picture(found[0], pictures, url)
    return found[0].parents[len(PurePosixPath(pictures.marker).parts) - 1]


def _check_picture(file: Path, pictures: Pictures, url: str) -> None:
    from storyreel.animation import opened

    try:
        with opened(file) as picture:
            size = picture.size
    except (OSError, ValueError):
        raise ValueError(f"{url}: {pictures.marker} is no picture") from None
    if size != pictures.size:
        expected = "x".join(map(str, pictures.size))
        raise ValueError(f"{url}: {pictures.marker} is {size[0]}x{size[1]}, expected {expected}")
