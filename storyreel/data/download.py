"""Get one file over the net: size limited, read in chunks, every failure told in one line."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from storyreel.data.parallel import progress

TIMEOUT = 60.0  # seconds without an answer
CHUNK = 1 << 20  # bytes
Opener = Callable[[urllib.request.Request], Any]


def open_any(request: urllib.request.Request, timeout: float = TIMEOUT) -> Any:
    return urllib.request.urlopen(request, timeout=timeout)


def download(
    url: str, file: Path, *, limit: int, name: str, expected: int | None = None, opener: Opener = open_any
) -> str:
    """Write what `url` gives to `file`; its sha256. The caller takes `file` away again when this fails.

    limit: bytes. name: for the progress bar. expected: bytes, where the server does not tell how many there are.
    ValueError for more bytes than allowed or fewer than announced; OSError when there is no answer.
    """
    found = hashlib.sha256()
    try:
        with opener(urllib.request.Request(url, headers={"User-Agent": "storyreel"})) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
            if size > limit:
                raise ValueError(f"{url}: {size} bytes, more than the {limit} bytes allowed")
            with file.open("wb") as stream, progress(name, size or expected, "bytes") as advance:
                while chunk := answer.read(CHUNK):
                    stream.write(chunk)
                    found.update(chunk)
                    advance(len(chunk))
                    if stream.tell() > limit:
                        raise ValueError(f"{url}: more than the {limit} bytes allowed")
                if size and stream.tell() < size:
                    raise ValueError(f"{url}: the download broke off after {stream.tell()} of {size} bytes")
    except urllib.error.HTTPError as error:
        raise OSError(f"{url}: the server answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise OSError(f"{url}: could not be reached ({error.reason})") from None
    except TimeoutError:
        raise OSError(f"{url}: no answer within {TIMEOUT:g} s") from None
    return found.hexdigest()
