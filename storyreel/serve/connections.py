"""Connections of a server: how many there may be, how long a request may take to arrive, how long an answer to leave.

Nobody who is slow, on purpose or not, keeps a server from others: a request has a deadline, a reader has to go on
reading, and where all places are taken the oldest connection of the address that holds most of them is closed for the
one that comes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from storyreel.serve.errors import ApiError

MAX_CONNECTIONS = 512  # at once
IDLE_SECONDS = 15.0  # that a connection may be silent between two requests, and that a part of an answer may take
REQUEST_SECONDS = 15.0  # from the first byte of a request to the last of its body
SLOWEST = 300_000  # bytes a second of a body, for which it gets more time
CHUNK = 1 << 16  # bytes of an answer that a client reads within IDLE_SECONDS: a slower one is let go
MAX_HEAD = 32 << 10  # bytes of request line and headers


@dataclass
class Connection:
    """An open connection: who holds it, how to end it, since when it waits for a request (`busy`: or answers one)."""

    address: str
    end: Callable[[], Any]
    since: float
    busy: bool = False


class Connections:
    """The open connections of one server, at most `limit`."""

    def __init__(self, limit: int = MAX_CONNECTIONS) -> None:
        self.limit = limit
        self._open: dict[int, Connection] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: object, address: str, end: Callable[[], Any]) -> None:
        """Take a connection in; where there is no place, another is ended for it."""
        while len(self._open) >= self.limit:
            self._end_one()
        self._open[id(connection)] = Connection(address, end, time.monotonic())

    def mark(self, connection: object, busy: bool) -> None:
        """Say that a connection answers a request now, or waits for one."""
        if (found := self._open.get(id(connection))) is not None and found.busy != busy:
            found.busy, found.since = busy, time.monotonic()

    def drop(self, connection: object) -> None:
        self._open.pop(id(connection), None)

    def _end_one(self) -> None:
        """Of the address that holds most: the one that has waited longest, or has answered longest if none waits."""
        held = Counter(one.address for one in self._open.values())
        most = max(held.values())
        crowd = [key for key, one in self._open.items() if held[one.address] == most]
        self._open.pop(min(crowd, key=lambda key: (self._open[key].busy, self._open[key].since))).end()


class PatientProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn, with a place among `connections` and with deadlines for requests and for readers."""

    def __init__(self, connections: Connections, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.places = connections
        self._began = self._received = 0.0  # when the request began to arrive, and its bytes so far
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.places.add(self, self.client[0] if self.client else "", transport.abort)
        self._arrive()

    def connection_lost(self, exc: Exception | None) -> None:
        self.places.drop(self)
        self._cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deadline is None or not self._received:
            self._arrive()
        self._received += len(data)
        super().data_received(data)
        self._note()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note()

    def _note(self) -> None:
        """What the connection does now: a request arrives, is answered, or is waited for."""
        there = self.conn.their_state
        arriving = there is h11.SEND_BODY or (there is h11.IDLE and bool(self.conn.trailing_data[0]))
        if not arriving:
            self._cancel()
        elif self._deadline is None:
            self._arrive()
        self.places.mark(self, busy=not arriving and self.cycle is not None and not self.cycle.response_complete)

    def _arrive(self) -> None:
        """A request begins to arrive."""
        self._cancel()
        self._began, self._received = self.loop.time(), 0
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._late)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        left = self._began + REQUEST_SECONDS + self._received / SLOWEST - self.loop.time()
        if left > 0 and self.conn.their_state is h11.SEND_BODY:
            self._deadline = self.loop.call_later(left, self._late)
            return
        self._deadline = None
        if self._received and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(408, "The request did not arrive in time.")
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def _watch_reader(self) -> None:
        """End the connection unless so much is read of what was written."""
        before = self.transport.get_write_buffer_size()

        def check() -> None:
            if before - self.transport.get_write_buffer_size() < CHUNK:
                self.transport.abort()
            else:
                self._watch_reader()

        self._unread = self.loop.call_later(IDLE_SECONDS, check)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is wrong with the form of a request, as every other error is told; the connection ends."""
        status = getattr(sys.exception(), "error_status_hint", 400)
        self._refuse(status, f"The request cannot be read: {HTTPStatus(status).phrase}.")
        self.transport.close()

    def _refuse(self, status: int, message: str) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
        body = json.dumps(ApiError(status, message).body()).encode()
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        head = h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase.encode())
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
