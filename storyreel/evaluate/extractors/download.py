"""Downloads published weights when asked to: https only, size limited, digest checked, whole or not at all.

Where nobody has printed a digest, a file is taken only with `unverified`, and its digest is noted beside it (PINS): the
first download is trusted, and every later one has to be the same.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from storyreel.data.download import TIMEOUT, HttpsOnly, Opener, download
from storyreel.layouts import files_below, is_passed
from storyreel.ownership import claim
from storyreel.storage import digest_of, read_json, replacing, write_json
from storyreel.weights_registry import ENTRIES, WeightFile, conversion, entry, weights_folder

MOST = 4 << 30  # bytes, where the size is not known
PINS = "digests.json"  # {name: {"url", "sha256"}} of files that were trusted when they were first downloaded


def open_https(request: urllib.request.Request) -> Any:
    return urllib.request.build_opener(HttpsOnly).open(request, timeout=TIMEOUT)


def fetch(
    name: str,
    out: Path | None = None,
    *,
    unverified: bool = False,
    opener: Opener = open_https,
    tell: Callable[[str], None] = lambda line: None,
) -> Path:
    """Download the files of an extractor that are not there yet; the folder that holds them.

    out: another folder than the one that is looked in. unverified: take files whose digest nobody has published.
    tell: gets a line a file: what was fetched, whether its digest could be checked, how a pickle is converted.
    ValueError or OSError says in one line what went wrong; nothing half is left.
    """
    if out is not None:
        with claim(out, "weights", shared=True, strange=_stranger):
            return _fetch(name, out, unverified, opener, tell)
    return _fetch(name, weights_folder(name), unverified, opener, tell)


def _stranger(folder: Path, kind: str) -> str | None:
    """The first file that is none of the published ones, nor converted from one."""
    known = {name for one in ENTRIES.values() for file in one.files for name in (file.name, file.opened)} | {PINS}
    return next((name for name in files_below(folder) if name not in known and not is_passed(name)), None)


def _fetch(name: str, folder: Path, unverified: bool, opener: Opener, tell: Callable[[str], None]) -> Path:
    pins = _pins(folder)
    for file in entry(name).files:
        target, known = folder / file.name, file.sha256 or pins.get(file.name)
        if file.opened and (folder / file.opened).is_file():
            tell(f"{folder / file.opened}: is there")
            continue
        if target.is_file():
            if known is not None and digest_of(target) != known:
                raise ValueError(f"{target}: is there and has another sha256 than {known}; move it away first")
            tell(f"{target}: is there")
        elif known is None and not unverified:
            raise ValueError(_unknown(name, file, target))
        else:
            tell(f"{target}: {_checked(file, target, known, opener)}")
        if file.opened:
            tell(f"it is a pickle, which storyreel does not open; convert it once: {_convert(folder, file)}")
    return folder


def _checked(file: WeightFile, target: Path, known: str | None, opener: Opener) -> str:
    """Download a file; what is said of its digest."""
    digest = _download(file, target, known, opener)
    if known is not None:
        return f"sha256 as {'published' if file.sha256 else 'it was the first time'}"
    noted = read_json(target.parent / PINS) if (target.parent / PINS).exists() else {}
    write_json(target.parent / PINS, noted | {file.name: {"url": file.url, "sha256": digest}})
    return f"sha256 {digest}, which nothing published confirms; noted in {target.parent / PINS}"


def _unknown(name: str, file: WeightFile, target: Path) -> str:
    branch = ", and its address names a branch, which may change" if file.moving else ""
    return (
        f"{name}: nobody has published a digest of {file.name}{branch}, so a download cannot be checked; "
        f"`storyreel models fetch {name} --unverified` takes what {file.url} gives now and notes its sha256, "
        f"or put a file that you trust at {target}"
    )


def _pins(folder: Path) -> dict[str, str]:
    """Name -> sha256 of what was trusted before. ValueError: the note is damaged."""
    if not (folder / PINS).exists():
        return {}
    try:
        return {str(name): str(pin["sha256"]) for name, pin in read_json(folder / PINS).items()}
    except (KeyError, TypeError):
        raise ValueError(f"{folder / PINS}: is damaged, expected a sha256 for each file") from None


def _convert(folder: Path, file: WeightFile) -> str:
    return conversion(folder / file.name, folder / file.opened)


def _download(file: WeightFile, target: Path, known: str | None, opener: Opener) -> str:
    """The file at `target`; its sha256, which is the known one where there is one."""
    if not file.url.startswith("https://"):
        raise ValueError(f"{file.url}: expected an address that begins with https://")
    limit = file.size or MOST
    with replacing(target) as (made,):
        found = download(file.url, made, limit=limit, name=file.name, expected=file.size, opener=opener)
        if known not in (None, found):
            raise ValueError(f"{file.url}: its sha256 is {found}, expected {known}; nothing is kept")
    return found
