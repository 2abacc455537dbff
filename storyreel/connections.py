"""Connections of a page server: how many there may be, how long a request may take to arrive, how large it may be.

Nobody who is slow, on purpose or not, keeps a server from others: a request has a deadline, its head a size, and where
all places are taken the oldest connection of the address that holds most of them is closed for the one that comes.
"""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from socket import SHUT_RDWR, socket
from typing import Any

MAX_CONNECTIONS = 512  # at once, a thread each
IDLE_SECONDS = 15.0  # that a connection may be silent between two requests, and that a part of an answer may take
REQUEST_SECONDS = 15.0  # from the first byte of a request to the last of its body
MAX_HEAD = 32 << 10  # bytes of request line and headers


class HeadTooLongError(Exception):
    """A request whose line and headers are larger than `MAX_HEAD`."""


@dataclass
class Connection:
    """An open connection: who holds it, and since when it waits for a request (`busy`: or answers one)."""

    socket: socket
    address: str
    since: float
    busy: bool = False


class Connections:
    """The open connections of one server, at most `limit`."""

    def __init__(self, limit: int = MAX_CONNECTIONS) -> None:
        self.limit = limit
        self._open: dict[int, Connection] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: socket, address: str) -> None:
        """Take a connection in; where there is no place, another is closed for it."""
        with self._lock:
            while len(self._open) >= self.limit:
                self._close_one()
            self._open[id(connection)] = Connection(connection, address, time.monotonic())

    def mark(self, connection: socket, busy: bool) -> None:
        """Say that a connection answers a request now, or waits for one."""
        with self._lock:
            if (found := self._open.get(id(connection))) is not None:
                found.busy, found.since = busy, time.monotonic()

    def drop(self, connection: socket) -> None:
        with self._lock:
            self._open.pop(id(connection), None)

    def _close_one(self) -> None:
        """Of the address that holds most: the one that has waited longest, or has answered longest if none waits."""
        held = Counter(one.address for one in self._open.values())
        most = max(held.values())
        crowd = [key for key, one in self._open.items() if held[one.address] == most]
        one = self._open.pop(min(crowd, key=lambda key: (self._open[key].busy, self._open[key].since)))
        with suppress(OSError):
            one.socket.shutdown(SHUT_RDWR)  # its thread sees the end of the stream, and ends


class _Arriving(io.RawIOBase):
    """What a client sends, until the deadline of its request."""

    def __init__(self, connection: socket) -> None:
        self._connection = connection
        self._until: float | None = None

    def begin(self) -> None:
        """A new request: its time runs from its first byte."""
        self._until = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = IDLE_SECONDS if self._until is None else self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request did not arrive in time")
        self._connection.settimeout(min(left, IDLE_SECONDS))
        try:
            count = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(IDLE_SECONDS)
        if self._until is None:
            self._until = time.monotonic() + REQUEST_SECONDS
        return count


class RequestReader(io.BufferedReader):
    """The requests of one connection. TimeoutError past a deadline, HeadTooLongError past `MAX_HEAD`."""

    def __init__(self, connection: socket) -> None:
        self._arriving = _Arriving(connection)
        self._left = MAX_HEAD
        super().__init__(self._arriving)

    def begin(self) -> None:
        """A new request is expected."""
        self._arriving.begin()
        self._left = MAX_HEAD

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(self._left + 1 if size is None or size < 0 else min(size, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise HeadTooLongError
        return line
