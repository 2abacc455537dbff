"""The rule of every page that is served here: nobody who is slow, or sends too much, keeps it from others."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from storyreel.serve import connections, json_routes
from storyreel.serve.app import page_app
from storyreel.serve.connections import Connections
from storyreel.serve.guard import Access
from storyreel.serve.running import PageServer
from tests.serving import running


def routes() -> APIRouter:
    found = APIRouter()
    json_routes.post(found, "/", lambda request, said: said, 1 << 16)

    @found.get("/large")
    def large() -> StreamingResponse:
        return StreamingResponse((b"x" * 65_536 for _ in range(600)), media_type="text/plain")

    @found.get("/{rest:path}")
    async def path(request: Request) -> dict[str, str]:
        return {"path": request.url.path}

    return found


@pytest.fixture
def server() -> Iterator[PageServer]:
    server = PageServer(page_app(routes(), Access()), "127.0.0.1", 0)
    with running(server.run_here, server):
        yield server


def connect(server: PageServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def get(server: PageServer, path: str = "/a") -> tuple[int, Any]:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    client.request("GET", path)
    reply = client.getresponse()
    found = reply.status, json.loads(reply.read())
    client.close()
    return found


def everything(client: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    found = b""
    with suppress(ConnectionError):
        while part := client.recv(65536):
            found += part
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n",
    ],
)
def test_a_request_that_trickles_in_is_ended(server: PageServer, sent: bytes, monkeypatch: pytest.MonkeyPatch):
    """A byte now and then is no silence, but the request has a deadline as a whole."""
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 1.0)
    client = connect(server)
    client.sendall(sent)
    ended = threading.Event()
    threading.Thread(target=lambda: (everything(client), ended.set()), daemon=True).start()
    began = time.monotonic()
    while not ended.wait(0.1) and time.monotonic() - began < 25:
        with suppress(OSError):
            client.sendall(b"x")
    assert ended.is_set()
    assert get(server) == (200, {"path": "/a"})


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * connections.MAX_HEAD + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n"
        + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1000) for n in range(60))
        + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 60_000 + b"\r\n\r\n",
    ],
)
def test_a_head_has_a_size(server: PageServer, sent: bytes):
    client = connect(server)
    with suppress(ConnectionError):
        client.sendall(sent)
    answer = everything(client)
    assert not answer or answer.startswith(b"HTTP/1.1 431"), "a reset may overtake the answer"
    assert get(server) == (200, {"path": "/a"})


def test_slow_clients_take_no_place_from_others(server: PageServer):
    """All places are held by connections that never finish a request; whoever comes is served at once."""
    server.connections.limit = 20
    slow = [connect(server) for _ in range(30)]
    for client in slow:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
    began = time.monotonic()
    for _ in range(10):
        assert get(server) == (200, {"path": "/a"})
    assert time.monotonic() - began < 10, "the patience with a slow client is 15 s"
    assert len(server.connections) <= 20
    for client in slow:
        client.close()


def test_clients_that_read_nothing_take_no_place_from_others(server: PageServer):
    server.connections.limit = 5
    greedy = [connect(server) for _ in range(8)]
    for client in greedy:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
    began = time.monotonic()
    for _ in range(5):
        assert get(server) == (200, {"path": "/a"})
    assert time.monotonic() - began < 10
    for client in greedy:
        client.close()


def test_the_oldest_of_the_greediest_goes_first():
    held = Connections(limit=4)
    pairs = [socket.socketpair() for _ in range(6)]
    for (mine, _), address in zip(pairs[:4], ("a", "b", "b", "b"), strict=True):
        held.add(mine, address, mine.close)
    held.mark(pairs[1][0], busy=True)
    held.add(pairs[4][0], "c", pairs[4][0].close)
    assert pairs[2][1].recv(1) == b"", "b holds most, and this one waits longest"
    pairs[1][1].setblocking(False)
    with pytest.raises(BlockingIOError):
        pairs[1][1].recv(1)
    assert len(held) == 4
    for pair in pairs:
        for one in pair:
            one.close()


def test_what_is_no_plain_request_is_one_line_of_json(server: PageServer):
    for sent, status in (
        (b"NONSENSE\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"505"),
        (b"PUT / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"405"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", b"501"),
        (b"GET /<script>alert(1)</script> <b> HTTP/1.1\r\n\r\n", b"400"),
    ):
        client = connect(server)
        client.sendall(sent)
        head, _, body = everything(client).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status), head
        assert b"content-type: application/json" in head
        assert set(json.loads(body)) == {"error"}


def test_a_body_that_nobody_reads_is_not_the_next_request(server: PageServer):
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
    client = connect(server)
    client.sendall(b"GET /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(smuggled), smuggled))
    client.sendall(b"GET /b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = everything(client)
    assert b'{"path":"/a"}' in answer
    assert b'{"path":"/b"}' in answer
    assert b"smuggled" not in answer


def test_a_connection_is_used_again(server: PageServer):
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for number in range(3):
        client.request("POST", "/", json.dumps({"n": number}), {"Content-Type": "application/json"})
        assert json.loads(client.getresponse().read()) == {"n": number}
    assert len(server.connections) == 1
    client.close()
