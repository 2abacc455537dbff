"""Get published weights, when asked to: https only, size limited, digest checked, whole or not at all."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from storyreel.data.download import TIMEOUT, Opener, download
from storyreel.evaluate.extractors.registry import ENTRIES, WeightFile, conversion, entry, weights_folder
from storyreel.layouts import files_below, is_passed
from storyreel.ownership import claim
from storyreel.storage import digest_of, replacing

MOST = 4 << 30  # bytes, where the size is not known


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to another https address."""

    def redirect_request(self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise ValueError(f"{req.full_url}: leads to {newurl[:60]}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_https(request: urllib.request.Request) -> Any:
    return urllib.request.build_opener(HttpsOnly).open(request, timeout=TIMEOUT)


def fetch(
    name: str, out: Path | None = None, *, opener: Opener = open_https, tell: Callable[[str], None] = lambda line: None
) -> Path:
    """Download the files of an extractor that are not there yet; the folder that holds them.

    out: another folder than the one that is looked in.
    tell: gets a line a file: what was fetched, whether its digest could be checked, how a pickle is converted.
    ValueError or OSError says in one line what went wrong; nothing half is left.
    """
    if out is not None:
        with claim(out, "weights", shared=True, strange=_stranger):
            return _fetch(name, out, opener, tell)
    return _fetch(name, weights_folder(name), opener, tell)


def _stranger(folder: Path, kind: str) -> str | None:
    """The first file that is none of the published ones, nor converted from one."""
    known = {name for one in ENTRIES.values() for file in one.files for name in (file.name, file.opened)}
    return next((name for name in files_below(folder) if name not in known and not is_passed(name)), None)


def _fetch(name: str, folder: Path, opener: Opener, tell: Callable[[str], None]) -> Path:
    for file in entry(name).files:
        target = folder / file.name
        if file.opened and (folder / file.opened).is_file():
            tell(f"{folder / file.opened}: is there")
            continue
        if target.is_file():
            if file.sha256 is not None and digest_of(target) != file.sha256:
                raise ValueError(f"{target}: is there and has another sha256 than {file.sha256}; move it away first")
            tell(f"{target}: is there")
        else:
            digest = _download(file, target, opener)
            checked = "sha256 as published" if file.sha256 else f"sha256 {digest}, which nothing published confirms"
            tell(f"{target}: {checked}")
        if file.opened:
            tell(f"it is a pickle, which storyreel does not open; convert it once: {_convert(folder, file)}")
    return folder


def _convert(folder: Path, file: WeightFile) -> str:
    return conversion(folder / file.name, folder / file.opened)


def _download(file: WeightFile, target: Path, opener: Opener) -> str:
    """The file at `target`; its sha256."""
    if not file.url.startswith("https://"):
        raise ValueError(f"{file.url}: wanted an address that begins with https://")
    limit = file.size or MOST
    with replacing(target) as (made,):
        found = download(file.url, made, limit=limit, name=file.name, expected=file.size, opener=opener)
        if file.sha256 not in (None, found):
            raise ValueError(f"{file.url}: its sha256 is {found}, wanted {file.sha256}; nothing is kept")
    return found
