"""Get the Liberated Pixel Cup sheets that the world `sprites` is made from, for users who have the internet."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath

from storyreel.data.archive import Limits, unpack
from storyreel.data.download import download
from storyreel.storage import check_writable, sweep, temporary_name

COMMIT = "2668274d5a96c91584172f2d299b90f0a8c0caac"
LPC = f"https://codeload.github.com/jrconway3/Universal-LPC-spritesheet/tar.gz/{COMMIT}"
MAX_DOWNLOAD = 500 << 20  # bytes
MAX_UNPACKED = 1 << 30
MAX_FILES = 30_000
WANTED = "body/male/light.png"  # without it the archive is not what it should be
KEPT = {".png", ".txt", ".md", ".csv", ".json"}


def fetch_sprites(out: Path, url: str = LPC) -> int:
    """Download, check and unpack the sheets into `out`, which must be empty or new. How many files there are.

    The folder appears whole or not at all. Only pictures and texts are unpacked; an archive with links, or with
    names that lead out of it, is refused. ValueError or OSError says what went wrong.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out}: is there already; give a new or an empty folder")
    out = Path(os.path.realpath(out))
    check_writable(out.parent)
    sweep(out.parent)
    work = temporary_name(out)
    try:
        work.mkdir()
        archive, unpacked = work / "archive.tar.gz", work / "unpacked"
        if not url.startswith(("https://", "http://", "file://")):
            raise ValueError(f"{url}: wanted an address that begins with https://")
        download(url, archive, limit=MAX_DOWNLOAD, name="downloading")
        root = unpack_sheets(archive, unpacked, url)
        count = sum(file.is_file() for file in root.rglob("*"))
        if out.exists():
            out.rmdir()
        os.replace(root, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return count


def unpack_sheets(archive: Path, folder: Path, url: str) -> Path:
    """Unpack a tar archive of the sheets below `folder`; the folder in it that holds them.

    url: what errors call the archive. ValueError when it is broken, holds other things than plain files, names files
    outside of itself, is too large, or holds no sheets.
    """
    unpack(archive, folder, url, Limits(MAX_UNPACKED, MAX_FILES), KEPT)
    found = sorted(folder.rglob(WANTED))
    if not found:
        raise ValueError(f"{url}: the archive holds no {WANTED}; it is not the Universal LPC Spritesheet")
    _check_sheet(found[0], url)
    return found[0].parents[len(PurePosixPath(WANTED).parts) - 1]


def _check_sheet(file: Path, url: str) -> None:
    from PIL import Image

    try:
        with Image.open(file) as sheet:
            size = sheet.size
    except OSError:
        raise ValueError(f"{url}: {WANTED} is no picture") from None
    if size != (832, 1344):
        raise ValueError(f"{url}: {WANTED} is {size[0]}x{size[1]}, wanted the universal layout, 832x1344")
