"""Writes, renames, deletes and locks: files that appear whole or not at all, JSON, digests, temporary names.

Which folders a verb may write into is decided in `storyreel.ownership`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from storyreel.json_file import read_object

if TYPE_CHECKING:
    from filelock import BaseFileLock

ABANDONED = 24 * 3600.0  # seconds after which a temporary file of another machine is stale
TEMPORARY = re.compile(r"\..*\.storyreel-([0-9a-f]{6})-(\d+)-([0-9a-f]+)-[0-9a-f]{6}(\.[^.]*)?", re.DOTALL)
"""A temporary name: machine, process number, when that process began, a random number, and the suffix."""


# -- temporary names -----------------------------------------------------------------------------------------


def temporary_name(path: Path) -> Path:
    """A new hidden name beside `path` with the same suffix. `sweep` removes it once this process is gone."""
    stem = os.fsencode(path.stem)[:80].decode("utf-8", "ignore")
    pid = os.getpid()
    return path.with_name(f".{stem}.storyreel-{_machine()}-{pid}-{_began(pid)}-{secrets.token_hex(3)}{path.suffix}")


def is_temporary(name: str) -> bool:
    """Whether a file name is one that `temporary_name` gave."""
    return TEMPORARY.fullmatch(name) is not None


def sweep(folder: str | Path) -> list[str]:
    """Remove temporary files and folders of processes that are gone; their names. Nothing else is touched.

    Those of another machine (on a shared disk) go when they have not changed for a day.
    """
    removed = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in list(entries):
            match = TEMPORARY.fullmatch(entry.name)
            if match is None or _in_use(entry, match):
                continue
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)
                removed.append(entry.name)
    return removed


def _in_use(entry: os.DirEntry[str], match: re.Match[str]) -> bool:
    machine, pid, began = match.group(1), int(match.group(2)), match.group(3)
    if machine != _machine():
        try:
            return time.time() - entry.stat(follow_symlinks=False).st_mtime < ABANDONED
        except OSError:
            return True
    return _alive(pid) and _began(pid) == began


@cache
def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _began(pid: int) -> str:
    """When a process began, in the kernel's ticks, as hex; "0" where the system does not tell, or there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return f"{int(file.read().rpartition(')')[2].split()[19]):x}"
    except (OSError, ValueError, IndexError):
        return "0"


def _alive(pid: int) -> bool:
    if sys.platform == "win32":  # os.kill would end the process there
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)
        ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


# -- files ---------------------------------------------------------------------------------------------------


@contextmanager
def replacing(*paths: str | Path) -> Iterator[list[Path]]:
    """Temporary names beside `paths`, with the same suffixes; renamed to `paths` when the block ends well.

    The folder is made when it is missing. When the block raises, or a rename fails, nothing of the temporaries is left
    and what stood at `paths` before still stands there. The first path appears last: where it is, the others are too.
    OSError (no folder, no space, no permission) names the file that was expected.
    """
    targets = [Path(path) for path in paths]
    temporary = [temporary_name(path) for path in targets]
    try:
        for path in targets:
            if path.parent.exists() and not path.parent.is_dir():
                raise NotADirectoryError(20, f"{path.parent} is a file, expected a folder", str(path))
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(21, "is a folder, expected a file name", str(path))
        yield temporary
        _rename_together(list(zip(temporary, targets, strict=True)))
    except OSError as error:
        if error.errno is None or error.strerror is None:
            raise
        raise OSError(error.errno, f"could not be written: {error.strerror}", str(targets[0])) from error
    finally:
        for made in temporary:
            with suppress(OSError):
                made.unlink(missing_ok=True)


def _rename_together(pairs: list[tuple[Path, Path]]) -> None:
    """The last pair first. When one fails, those before it are put back from a second link to what stood there."""
    links: dict[Path, Path] = {}
    done: list[Path] = []
    try:
        for made, path in reversed(pairs):
            if len(pairs) > 1 and path.exists():
                links[path] = temporary_name(path)
                with suppress(OSError, NotImplementedError):  # a disk without links
                    os.link(path, links[path], follow_symlinks=False)
            os.replace(made, path)
            done.append(path)
    except OSError:
        for path in done:
            with suppress(OSError):
                os.replace(links[path], path) if path in links else path.unlink()
        raise
    finally:
        for link in links.values():
            with suppress(OSError):
                link.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all, on the disk when this returns."""
    with replacing(path) as (made,), made.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def appending(path: str | Path) -> Iterator[BinaryIO]:
    """A file to read and append to, made when it is missing. OSError names it; links are refused."""
    try:
        with open(path, "a+b", opener=not_through_a_link) as file:
            yield file
    except OSError as error:
        why = "is a link, expected a file" if error.errno == errno.ELOOP else f"could not be written: {error.strerror}"
        raise OSError(error.errno, why, str(path)) from None


def check_no_link(file: str | Path) -> None:
    """OSError for a link, a folder, a pipe or a device where an ordinary file, or none, is expected."""
    if os.path.islink(file):
        raise OSError(errno.ELOOP, "is a link, expected a file", str(file))
    if os.path.exists(file) and not os.path.isfile(file):
        raise OSError(errno.EINVAL, "is no ordinary file", str(file))


def not_through_a_link(path: str, flags: int) -> int:
    """An opener for `open`: OSError for a link."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def write_text(path: str | Path, text: str) -> None:
    """As `write_bytes`, in UTF-8. ValueError for text that UTF-8 cannot hold (a lone surrogate)."""
    write_bytes(path, encoded(text, str(path)))


def encoded(text: str, where: str) -> bytes:
    """UTF-8 bytes. ValueError names the place of a lone surrogate, which is no character."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where}: character {error.start} is a lone surrogate (U+{ord(text[error.start]):04X}), expected text"
        ) from None


def with_names_escaped(text: str) -> str:
    r"""A text for people, with file names that are no UTF-8 written as `\udcff`, so that `write_text` takes it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a JSON document as `write_text` does."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def read_json(path: str | Path) -> dict[str, Any]:
    """A JSON object that was written here. ValueError when it is missing, larger than 16 MiB, or something else."""
    if not Path(path).exists():
        raise ValueError(f"{path}: is missing")
    return read_object(path)


def digest_of(path: str | Path) -> str:
    """The sha256 of a file, as hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(path: Path) -> None:
    """Make a rename inside `path` outlast a power cut, where the system can."""
    if sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# -- locks and places ----------------------------------------------------------------------------------------


def take_lock(file: str | Path, busy: str, wait: float = 0.0) -> BaseFileLock:
    """The lock of `file`, held until its `release()` or the end of the process.

    wait: seconds to wait for another process that has it. ValueError `busy`: it still has. OSError: a link is there.
    """
    from filelock import FileLock, Timeout

    check_no_link(file)  # which a filelock of before 3.20 would follow, and empty the file there
    lock = FileLock(str(file), thread_local=False)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise ValueError(busy) from None
    return lock


@contextmanager
def locked(file: str | Path, busy: str, wait: float = 0.0) -> Iterator[None]:
    """`take_lock` for the length of a block."""
    lock = take_lock(file, busy, wait)
    try:
        yield
    finally:
        lock.release()


def check_writable(folder: str | Path) -> None:
    """OSError, before any work is done, when files cannot be made in `folder`. The folder is made when missing."""
    folder = Path(folder)
    try:
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(20, "is a file, expected a folder")
        folder.mkdir(parents=True, exist_ok=True)
        probe = temporary_name(folder / "probe")
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OSError(error.errno, f"cannot be written to: {error.strerror}", str(folder)) from None
