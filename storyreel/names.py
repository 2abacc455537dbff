"""Names that come out of files, checked before they become paths.

A table, a report, a model folder or a file's metadata may come from a stranger. A name from there leads to a file of
the same folder, or is refused: it never leads out of the folder, to an absolute path or to somebody's home.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PureWindowsPath
from typing import Any

MAX_NAME = 255  # bytes of one part, as file systems have it
MAX_PATH = 2000  # characters of a relative path


def is_bare(value: Any) -> bool:
    """Whether `value` is a name of one part: no folder, no drive, no home, not hidden, nothing unprintable."""
    if not isinstance(value, str) or not value or value[0] in ".~":
        return False
    if any(c in "/\\" or ord(c) < 32 or ord(c) == 127 for c in value) or PureWindowsPath(value).drive:
        return False
    try:
        return len(os.fsencode(value)) <= MAX_NAME
    except UnicodeEncodeError:  # a lone surrogate, which no file system takes
        return False


def bare(value: Any, what: str) -> str:
    """`value` as a name of one part. ValueError begins with `what`: the file and the field that it stands in."""
    if not is_bare(value):
        raise ValueError(f"{what}: expected a name without a folder, got {_short(value)}")
    return value


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with the folder of its user for a `~` at its beginning; as it is where there is no such user."""
    return Path(os.path.expanduser(path))


def stays_inside(value: Any) -> bool:
    """Whether `value` is a relative path that leads to no other folder than those below the one it starts in."""
    if not isinstance(value, str) or not value or "\0" in value:
        return False
    parts = re.split(r"[/\\]", value)
    try:
        if len(value) > MAX_PATH or any(len(os.fsencode(part)) > MAX_NAME for part in parts):
            return False
    except UnicodeEncodeError:  # a lone surrogate, which no file system takes
        return False
    drive = os.name == "nt" and PureWindowsPath(value).drive
    return bool(parts[0]) and ".." not in parts and not drive


def inside(folder: Path, value: Any, what: str, left: str = "the folder") -> Path:
    """`folder / value`, where `value` stays inside. ValueError begins with `what` and says that it leaves `left`."""
    if not stays_inside(value):
        raise ValueError(f"{what} {_short(value)} leaves {left}")
    return folder / value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:76]}...{text[-1]}"
