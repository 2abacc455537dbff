"""Pages that this machine serves to browsers by the standard library alone: addresses, headers, sizes, JSON, files.

A server is a `PageServer` whose handler is a `PageHandler` with `get` and `post`. Errors are {"error": line}.
`storyreel.connections` says how long a request may take to arrive, how large its head and how many there may be.
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET, AF_INET6, socket
from socketserver import TCPServer
from typing import Any

from storyreel.connections import IDLE_SECONDS, Connections, HeadTooLongError, RequestReader
from storyreel.json_file import parse_json
from storyreel.whole_file import without_waiting

CHUNK = 1 << 16  # bytes that are sent at once, each within IDLE_SECONDS: a reader slower than 4 kB/s is let go
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Refused(Exception):
    """An answer that is not what was asked for: an HTTP status and one line for the page."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


@dataclass(frozen=True)
class Answer:
    """What is sent: bytes, or a file (parts of which may be asked for). keep: seconds that a browser may keep it."""

    body: bytes | Path
    kind: str = "application/json"
    keep: int = 0


def as_json(doc: Any) -> Answer:
    return Answer(json.dumps(doc, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())


class PageServer(ThreadingHTTPServer):
    """Serves until `shutdown`. OSError when the address is taken or not ours."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, handler: type[PageHandler]) -> None:
        self.local = host in LOOPBACK
        self.connections = Connections()
        self.address_family = AF_INET6 if ":" in host else AF_INET
        try:
            super().__init__((host, port), handler)
        except (OSError, OverflowError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise OSError(f"cannot serve at {host}:{port}: {why}") from error

    def server_bind(self) -> None:
        """Without the look-up of the machine's full name, which may take a name server's whole patience."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        shown = host.decode() if isinstance(host, (bytes, bytearray)) else host
        return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request, str(client_address[0]))
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # the system starts no further thread
            self.connections.drop(request)
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.connections.drop(request)

    def handle_error(self, request: socket | Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no news; anything else is."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class PageHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "storyreel"
    sys_version = ""
    timeout = IDLE_SECONDS
    policy = POLICY
    rfile: RequestReader
    server: PageServer  # pyright: ignore[reportIncompatibleVariableOverride]
    max_body = 1 << 16  # bytes

    def get(self, path: str) -> Answer:
        raise Refused(404, "there is nothing here")

    def post(self, path: str, said: dict[str, Any]) -> Answer:
        raise Refused(404, "there is nothing here")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who looked at what is not to be kept."""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = RequestReader(self.connection)  # pyright: ignore[reportIncompatibleVariableOverride]

    def handle_one_request(self) -> None:
        self.server.connections.mark(self.connection, busy=False)
        self.rfile.begin()
        self.command, self.request_version, self.requestline = "", self.protocol_version, ""
        try:
            super().handle_one_request()
        except HeadTooLongError:
            self.send_error(431)

    def parse_request(self) -> bool:
        try:
            whole = super().parse_request()
        except HeadTooLongError:
            self.send_error(431)
            return False
        if whole and self.headers.get("Transfer-Encoding"):
            self.send_error(501, "wanted a body with a Content-Length")
            return False
        if whole and self.command != "POST" and self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True  # a body that nobody reads is not the next request
        return whole

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is wrong with the form of a request, as every other error is told; the connection ends."""
        self.close_connection, self.request_version = True, self.protocol_version
        why = message or self.responses.get(HTTPStatus(code), ("the request cannot be read",))[0]
        with suppress(ConnectionError, TimeoutError):
            self._send(code, as_json({"error": str(why)[:200]}))

    def do_GET(self) -> None:
        self._respond(lambda: self.get(self.path.split("?", 1)[0]))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._respond(lambda: self.post(self.path, self._said()))

    def _respond(self, route: Any) -> None:
        try:
            self._check_origin()
            status, answer = 200, route()
        except Refused as no:
            self.close_connection = self.close_connection or self.command == "POST"  # its body may be unread
            status, answer = no.status, as_json({"error": no.why})
        except ConnectionError:
            raise
        except Exception:  # a mistake of ours: told where the server runs, and the page is not left waiting
            traceback.print_exc()
            self.close_connection = True
            status, answer = 500, as_json({"error": "the server stumbled; see where it was started"})
        with suppress(ConnectionError, TimeoutError):
            self._send(status, answer)

    def _check_origin(self) -> None:
        """A page elsewhere must not reach a server on localhost under a name of its own (DNS rebinding), nor change
        anything here through the browser of somebody who has both open."""
        name = self.headers.get("Host", "").rsplit(":", 1)[0]
        if self.server.local and name and name not in LOOPBACK:
            raise Refused(421, "this page is served on this machine only")
        if self.command == "POST" and self.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "wanted a request of this page itself")

    def _said(self) -> dict[str, Any]:
        """The body. Only JSON is taken, which a page elsewhere cannot send here unasked."""
        if self.headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
            raise Refused(415, "wanted application/json")
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise Refused(411, "wanted a Content-Length")
        if len(length) > 9 or int(length) > self.max_body:
            raise Refused(413, f"wanted at most {self.max_body} bytes")
        try:
            said = parse_json(self.rfile.read(int(length)))
        except ValueError:
            raise Refused(400, "wanted JSON, with finite numbers") from None
        except OSError:  # TimeoutError among them
            raise Refused(408, "the request did not arrive whole") from None
        if not isinstance(said, dict):
            raise Refused(400, "wanted a JSON object")
        return said

    def _send(self, status: int, answer: Answer) -> None:
        self.server.connections.mark(self.connection, busy=True)
        if isinstance(answer.body, Path):
            try:
                with open(answer.body, "rb", opener=without_waiting) as file:
                    self._send_file(file, answer)
                return
            except FileNotFoundError:
                status, answer = 404, as_json({"error": "this file is gone"})
        body = memoryview(answer.body)  # pyright: ignore[reportArgumentType]
        self._head(status, answer, len(body))
        for start in range(0, len(body) if self.command != "HEAD" else 0, CHUNK):
            self.wfile.write(body[start : start + CHUNK])

    def _send_file(self, file: Any, answer: Answer) -> None:
        """The file, or the one range of bytes that is asked for."""
        size = file.seek(0, 2)
        asked = part_of(self.headers.get("Range", ""), size)
        first, last = asked or (0, size - 1)
        more = {"Accept-Ranges": "bytes"} | ({"Content-Range": f"bytes {first}-{last}/{size}"} if asked else {})
        self._head(206 if asked else 200, answer, last - first + 1, more)
        if self.command == "HEAD":
            return
        file.seek(first)
        left = last - first + 1
        while left > 0 and (data := file.read(min(CHUNK, left))):
            self.wfile.write(data)
            left -= len(data)
        self.close_connection = self.close_connection or left > 0

    def _head(self, status: int, answer: Answer, length: int, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", f"private, max-age={answer.keep}" if answer.keep else "no-store")
        self.send_header("Content-Security-Policy", self.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        for name, value in (more or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def part_of(asked: str, size: int) -> tuple[int, int] | None:
    """(first, last byte) of a header `Range: bytes=...` of one range; None for all, or where it makes no sense."""
    unit, _, part = asked.partition("=")
    first, dash, last = part.strip().partition("-")
    if unit.strip() != "bytes" or not dash or "," in part or not (first or last) or size == 0:
        return None
    if not all(number == "" or (number.isascii() and number.isdigit()) for number in (first, last)):
        return None
    if not first:
        return max(0, size - int(last)), size - 1
    begin, end = int(first), min(int(last) if last else size - 1, size - 1)
    return (begin, end) if begin <= end else None
