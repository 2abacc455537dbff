"""Text from files as a terminal may see it: control characters and direction overrides become visible escapes.

A caption, a name or a card may hold `ESC [2J` or a right-to-left override. Whatever the command line prints passes
through `printable` (see `guarded_streams`); single fields of a table or an error pass through `one_line`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

_UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks and overrides of the direction of writing
    "\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # separators, annotations, invisible tags
    "\ud800-\udfff"  # halves of characters, which no encoding can write
)
_CONTROL = re.compile(f"[{_UNSAFE}]")
_CONTROL_OR_BREAK = re.compile(f"[\t\n{_UNSAFE}]")
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def printable(text: str) -> str:
    """The text with every character that could drive a terminal escaped; tabs and line breaks stay.

    The escapes are those of JSON wherever a JSON string can hold the character, so that a printed document stays JSON.

    >>> print(printable("a\\x1b[2Jb\\u202e"))
    a\\x1b[2Jb\\u202e
    """
    return _CONTROL.sub(_escaped, text)


def one_line(value: Any, longest: int = 2_000) -> str:
    """Any value as a single printable line, cut with `...` past `longest` characters; what is no text, as JSON."""
    text = value if isinstance(value, str) else _as_json(value)
    text = _CONTROL_OR_BREAK.sub(_escaped, text[: longest + 1])
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _escaped(found: re.Match[str]) -> str:
    character = found.group()
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code < 0x20:
        return f"\\x{code:02x}"
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


class GuardedStream:
    """A text stream that writes `printable` text, in the encoding of the stream, with escapes for what that lacks.

    rich looks for `rich_proxied_file` and writes its own colours to the stream behind; text that is handed to rich
    has to pass through `printable` first.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.rich_proxied_file = _behind(stream)

    def write(self, text: str) -> int:
        stream, safe = self._stream, printable(text)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        if not safe.isascii():
            safe = safe.encode(encoding, "backslashreplace").decode(encoding)
        try:
            stream.write(safe)
        except OSError as error:
            raise self._named(error) from None
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise self._named(error) from None

    def _named(self, error: OSError) -> OSError:
        """The same error, with the name of the stream; a closed pipe stays a BrokenPipeError."""
        name = str(getattr(self._stream, "name", "output")).strip("<>")
        return OSError(error.errno, f"could not be written: {error.strerror}", name)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_stream":
            raise AttributeError(name)
        return getattr(self._stream, name)


def _behind(stream: Any) -> Any:
    while (inner := getattr(stream, "rich_proxied_file", None)) is not None:
        stream = inner
    return stream


def rich_console() -> Any:
    """rich's console on stderr, for bars and colours. Text from files has to pass through `one_line` before."""
    from rich.console import Console

    return Console(file=_behind(sys.stderr))


def guard_stderr() -> None:
    """Call when a bar of rich has begun, which puts a proxy of its own in the place of stderr until it ends."""
    sys.stderr = cast(TextIO, GuardedStream(sys.stderr))


@contextmanager
def guarded_streams() -> Iterator[None]:
    """stdout and stderr as `GuardedStream`s within the block."""
    before = sys.stdout, sys.stderr
    guarded = [s if s is None or isinstance(s, GuardedStream) else GuardedStream(s) for s in before]
    sys.stdout, sys.stderr = cast(TextIO, guarded[0]), cast(TextIO, guarded[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
