"""Tells what is wrong with a file (ValueError) from what is wrong with the machine (OSError) when one is read.

The difference matters where a refusal is remembered: a corrupt clip stays corrupt, while memory, open files and disks
recover. Everything that decoders raise goes through `reading`, so that each fault is one line that names the file.
"""

from __future__ import annotations

import errno
import mmap
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

OF_THE_FILE = (errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
"""What the system says of a path that is wrong. All its other errors are of the machine, and may pass."""
OF_THE_MACHINE = (
    *(errno.ENOMEM, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.EINTR, errno.ENOSPC, errno.EDQUOT),
    *(errno.EACCES, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV, errno.ENXIO, errno.ENOLCK),
    *(errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNRESET, errno.ECONNREFUSED, errno.ENOTCONN),
)
"""What a decoder passes on from the system. Its other errors (EINVAL, ERANGE, ...) are its judgement of the file."""
BROKEN = (ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError, AssertionError, SyntaxError)
BROKEN = (*BROKEN, EOFError, struct.error, zlib.error)
"""What the libraries raise on strange input, besides ValueError."""
PAUSES = (0.1, 0.5)  # seconds before another try


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Around the decoding of one file: ValueError, one line with its path, where the file is wrong; OSError else."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror or os.strerror(error.errno), str(path)) from error
    except MemoryError as error:
        raise OSError(errno.ENOMEM, "not enough memory to read it", str(path)) from error
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: cannot be read: {one_line(error)}") from error
    except BROKEN as error:
        if is_passing(error):
            raise OSError(errno.ENOMEM, "not enough memory to read it", str(path)) from error
        raise ValueError(f"{path}: is corrupt: {one_line(error)}") from error


def is_passing(error: BaseException) -> bool:
    """Whether an error may be gone at another time, with the same file: no memory, no permission, a network's pause."""
    if isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError)):
        return False
    if isinstance(error, OSError):
        return error.errno not in OF_THE_FILE
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "allocate memory" in str(error))


def is_short(error: BaseException) -> bool:
    """Whether the machine has run out of something that every file needs, so that none will be read now.

    Memory counts where a gigabyte cannot be had: a decoder also says that there is none when a broken file asks for
    more than it gives to anybody.
    """
    if isinstance(error, (MemoryError, RuntimeError)) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return is_passing(error) and not memory_is_there()
    return isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOSPC)


def memory_is_there() -> bool:
    """Whether a gigabyte could be had now."""
    try:
        mmap.mmap(-1, 1 << 30).close()
    except (OSError, ValueError, MemoryError):
        return False
    return True


def persevering(function: Callable[[], T]) -> T:
    """What `function` gives; it is called again, up to three times in all, after an error that may pass."""
    for pause in PAUSES:
        try:
            return function()
        except Exception as error:
            if not is_passing(error):
                raise
            time.sleep(pause)
    return function()


def printable(text: str) -> str:
    """The text without lone surrogates, which names of files that are not UTF-8 have: they are written as \\xNN."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


def one_line(error: BaseException) -> str:
    """What an error says, in one line of at most 300 characters; its kind where it says nothing."""
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    line = printable(" ".join(message.split())) or type(error).__name__
    return line if len(line) <= 300 else f"{line[:297]}..."
