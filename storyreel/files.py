"""Files appear whole or not at all: a temporary name in the same folder, then a rename."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(*paths: str | Path) -> Iterator[list[Path]]:
    """Temporary names beside `paths`, with the same suffixes; renamed to `paths` when the block ends well.

    The folder is made when it is missing. When the block raises, nothing of the temporaries is left and what stood
    at `paths` before still stands there. OSError (no folder, no space, no permission) names the file that was wanted.
    """
    wanted = [Path(path) for path in paths]
    temporary = [path.with_name(f".{path.stem[:80]}.{secrets.token_hex(4)}{path.suffix}") for path in wanted]
    try:
        for path in wanted:
            if path.parent.exists() and not path.parent.is_dir():
                raise NotADirectoryError(20, f"{path.parent} is a file, wanted a folder", str(path))
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(21, "is a folder, wanted a file name", str(path))
        yield temporary
        for made, path in zip(temporary, wanted, strict=True):
            os.replace(made, path)
    except OSError as error:
        if error.errno is None or error.strerror is None:
            raise
        raise OSError(error.errno, f"could not be written: {error.strerror}", str(wanted[0])) from error
    finally:
        for made in temporary:
            with suppress(OSError):
                made.unlink(missing_ok=True)
