"""Get one file over the net: size limited, read in chunks, every failure told in one line."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from storyreel.data.parallel import progress
from storyreel.numbers import is_digits

TIMEOUT = 60.0  # seconds without an answer
CHUNK = 1 << 20  # bytes
Opener = Callable[[urllib.request.Request], Any]


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to another https address."""

    def redirect_request(self, req: Any, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not newurl.startswith("https://"):
            raise ValueError(f"{req.full_url}: leads to {newurl[:60]}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_any(request: urllib.request.Request, timeout: float = TIMEOUT) -> Any:
    """The answer to a request; an https address leads to no other than https."""
    handlers = [HttpsOnly] if request.full_url.startswith("https://") else []
    return urllib.request.build_opener(*handlers).open(request, timeout=timeout)


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
            reported = str(answer.headers.get("Content-Length") or 0)
            size = int(reported) if is_digits(reported) and len(reported) < 18 else 0
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
    except (http.client.HTTPException, ConnectionError) as error:
        raise OSError(f"{url}: the download broke off ({type(error).__name__})") from None
    return found.hexdigest()
