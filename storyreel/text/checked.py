"""Files that must be the pinned ones: found without importing their package, hashed once, remembered."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from contextlib import suppress
from pathlib import Path

from storyreel.json_file import read_json
from storyreel.storage import sweep, write_json


def folder_of_distribution(module: str) -> Path | None:
    """Where an installed top-level package lies, without running its code. None when it is not installed."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def check_sha256(path: Path, expected: str, *, what: str) -> None:
    """ValueError unless the file's sha256 is `expected`.

    The answer is remembered by path, size and time of change in the user's cache folder, so that a warm start does
    not hash the file again.
    """
    stat = path.stat()
    seen = [stat.st_size, stat.st_mtime_ns, expected]
    memory = _memory_file()
    known = _read(memory)
    if known.get(str(path)) == seen:
        return
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ValueError(
            f"{what}: {path} has sha256 {found[:16]}..., expected {expected[:16]}...; delete and install again"
        )
    _write(memory, {**known, str(path): seen})


def _memory_file() -> Path:
    import platformdirs

    root = os.environ.get("STORYREEL_CACHE") or platformdirs.user_cache_dir("storyreel")
    return Path(root) / "checked-files.json"


def _read(path: Path) -> dict[str, list]:
    try:
        value = read_json(path)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write(path: Path, value: dict[str, list]) -> None:
    """Best effort: a cache that cannot be written costs a tenth of a second at the next start, nothing else."""
    with suppress(OSError):
        sweep(path.parent)
        write_json(path, value)
