"""The study page over HTTP: the standard library's server, four files, and a small JSON API.

    GET  /                 the page           POST /api/join   {}                               -> {token}
    GET  /clips/NAME       a clip             GET  /api/state  Authorization: Bearer TOKEN      -> what to show
                                              POST /api/vote   {trial, answer, watched} + token -> what to show

A vote that is sent again is taken once; a vote for a trial of somebody else is refused. Errors are {"error": line}.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socket import AF_INET, AF_INET6, socket
from socketserver import TCPServer
from typing import Any

from storyreel.study.plan import CLIP_NAME, CLIPS, Study
from storyreel.study.votes import Refused, Trial, Votes, Where

MAX_BODY = 4096  # bytes
MAX_AT_ONCE = 1024  # connections
PATIENCE = 15  # seconds that a silent connection is kept
PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/study.css": ("study.css", "text/css; charset=utf-8"),
    "/study.js": ("study.js", "text/javascript; charset=utf-8"),
}
MEDIA = {".mp4": "video/mp4", ".webm": "video/webm"}
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class StudyServer(ThreadingHTTPServer):
    """Serves one study until `shutdown`. OSError when the address is taken or not ours."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, study: Study, host: str = "127.0.0.1", port: int = 0) -> None:
        self.study, self.votes = study, Votes(study)
        self.page = {
            path: files("storyreel.study").joinpath("page", name).read_bytes() for path, (name, _) in PAGE.items()
        }
        self.local = host in LOOPBACK
        self._free = threading.BoundedSemaphore(MAX_AT_ONCE)
        self.address_family = AF_INET6 if ":" in host else AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            self.votes.close()
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
        self._free.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: socket | Any, client_address: Any) -> None:
        """A browser that goes away in the middle is no news; anything else is."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        super().server_close()
        self.votes.close()


class _Handler(BaseHTTPRequestHandler):
    server: StudyServer  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    server_version = "storyreel"
    sys_version = ""
    timeout = PATIENCE

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: addresses of raters are not to be kept."""

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, route: Any) -> None:
        try:
            self._check_host()
            body, kind = route()
            status = 200
        except Refused as no:
            self.close_connection = self.close_connection or self.command == "POST"  # its body may be unread
            body, kind, status = _json({"error": no.why}), "application/json", no.status
        except sqlite3.Error as error:  # such as a full disk: the page keeps the answer and sends it again
            print(f"storyreel: {self.server.study.votes_file}: {error}", file=sys.stderr, flush=True)
            self.close_connection = True
            body, kind, status = _json({"error": "the answer could not be stored"}), "application/json", 500
        with suppress(ConnectionError, TimeoutError):
            self._send(status, body, kind)

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "private, max-age=86400" if kind in MEDIA.values() else "no-store")
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _check_host(self) -> None:
        """A page elsewhere must not reach a server on localhost under a name of its own (DNS rebinding)."""
        name = self.headers.get("Host", "").rsplit(":", 1)[0]
        if self.server.local and name and name not in LOOPBACK:
            raise Refused(421, "this study is served on this machine only")

    def _get(self) -> tuple[bytes, str]:
        path = self.path.split("?", 1)[0]
        if path in PAGE:
            return self.server.page[path], PAGE[path][1]
        if path == "/api/state":
            token = self._token()
            return self._state(self.server.votes.where(token)), "application/json"
        name = path.removeprefix("/clips/")
        if CLIP_NAME.fullmatch(name) and name in self.server.study.clip_names:
            try:
                return (self.server.study.folder / CLIPS / name).read_bytes(), MEDIA[
                    name[-4:] if name.endswith(".mp4") else name[-5:]
                ]
            except OSError:
                raise Refused(404, "this clip is missing from the study folder") from None
        raise Refused(404, "there is nothing here")

    def _post(self) -> tuple[bytes, str]:
        said = self._body()
        if self.path == "/api/join":
            return _json({"token": self.server.votes.join()}), "application/json"
        if self.path != "/api/vote":
            raise Refused(404, "there is nothing here")
        token, trial, answer, watched = self._token(), said.get("trial"), said.get("answer"), said.get("watched", 0)
        if not isinstance(trial, str) or not isinstance(answer, str):
            raise Refused(400, "wanted a trial and an answer")
        if isinstance(watched, bool) or not isinstance(watched, (int, float)):
            raise Refused(400, "watched: wanted seconds")
        self.server.votes.vote(token, trial, answer, watched)
        return self._state(self.server.votes.where(token)), "application/json"

    def _body(self) -> dict[str, Any]:
        if self.headers.get("Content-Type", "").split(";")[0].strip().lower() != "application/json":
            raise Refused(415, "wanted application/json")
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise Refused(411, "wanted a Content-Length")
        if len(length) > 9 or int(length) > MAX_BODY:
            raise Refused(413, f"wanted at most {MAX_BODY} bytes")
        try:
            said = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise Refused(400, "wanted JSON") from None
        except (OSError, TimeoutError):
            raise Refused(408, "the request did not arrive whole") from None
        if not isinstance(said, dict):
            raise Refused(400, "wanted a JSON object")
        return said

    def _token(self) -> str:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Refused(401, "wanted a token; open the study's page to begin")
        return token.strip()

    def _state(self, where: Where) -> bytes:
        study = self.server.study
        doc: dict[str, Any] = {"done": where.done, "total": where.total, "pair": where.pair, "pairs": where.pairs}
        doc["trial"] = None if where.trial is None else describe(study, where.trial)
        doc["preload"] = [] if where.after is None else list(_sides(study, where.after))
        return _json(doc)


def describe(study: Study, trial: Trial) -> dict[str, Any]:
    """All that a page learns of a trial: nothing of models, kinds or places in the study."""
    question, (left, right) = study.questions[trial.question], _sides(study, trial)
    return {
        "id": trial.public,
        "question": question.text,
        "of": [trial.question + 1, len(study.questions)],
        "prompt": study.items[trial.item].prompt if question.shows_prompt else None,
        "left": left,
        "right": right,
        "answers": list(study.answers),
        "watch": study.items[trial.item].watch,
        "first": trial.first,
    }


def _sides(study: Study, trial: Trial) -> tuple[str, str]:
    a, b = (f"clips/{name}" for name in study.items[trial.item].files)
    return (a, b) if trial.a_left else (b, a)


def _json(doc: Any) -> bytes:
    return json.dumps(doc, ensure_ascii=False).encode()
