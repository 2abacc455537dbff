"""The study page over HTTP: the standard library's server, four files, and a small JSON API.

    GET  /                 the page           POST /api/join   {}                               -> {token}
    GET  /clips/NAME       a clip             GET  /api/state  Authorization: Bearer TOKEN      -> what to show
                                              POST /api/vote   {trial, answer, watched} + token -> what to show

A vote that is sent again is taken once; a vote for a trial of somebody else is refused. Errors are {"error": line}.
"""

from __future__ import annotations

import ipaddress
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import PurePath
from typing import Any

from storyreel.local_page import Answer, PageHandler, PageServer, Refused, as_json
from storyreel.ownership import own_file
from storyreel.study.plan import CLIP_NAME, CLIPS, Study
from storyreel.study.votes import Trial, Votes, Where

MAX_BODY = 4096  # bytes
PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/study.css": ("study.css", "text/css; charset=utf-8"),
    "/study.js": ("study.js", "text/javascript; charset=utf-8"),
}
MEDIA = {".mp4": "video/mp4", ".webm": "video/webm"}
A_DAY = 86400  # seconds
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src blob:; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class StudyServer(PageServer):
    """Serves one study until `shutdown`. OSError when the address is taken or not ours."""

    def __init__(self, study: Study, host: str = "127.0.0.1", port: int = 0) -> None:
        self.study, self.votes = study, Votes(study)
        self.page = {
            path: files("storyreel.study").joinpath("page", name).read_bytes() for path, (name, _) in PAGE.items()
        }
        try:
            super().__init__(host, port, _Handler)
        except OSError:
            self.votes.close()
            raise

    def server_close(self) -> None:
        super().server_close()
        self.votes.close()


class _Handler(PageHandler):
    server: StudyServer  # pyright: ignore[reportIncompatibleVariableOverride]
    policy = POLICY
    max_body = MAX_BODY

    def get(self, path: str) -> Answer:
        if path in PAGE:
            return Answer(self.server.page[path], PAGE[path][1])
        if path == "/api/state":
            return self._state(self._token())
        name = path.removeprefix("/clips/")
        if CLIP_NAME.fullmatch(name) and name in self.server.study.clip_names:
            with suppress(OSError):  # a link: raters get nothing from outside of the study
                file = own_file(self.server.study.folder, f"{CLIPS}/{name}")
                return Answer(file, MEDIA[PurePath(name).suffix], A_DAY)
        raise Refused(404, "there is nothing here")

    def post(self, path: str, said: dict[str, Any]) -> Answer:
        if path == "/api/join":
            with self._stored():
                return as_json({"token": self.server.votes.join(network_of(self.client_address[0]))})
        if path != "/api/vote":
            raise Refused(404, "there is nothing here")
        token, trial, answer, watched = self._token(), said.get("trial"), said.get("answer"), said.get("watched", 0)
        if not isinstance(trial, str) or not isinstance(answer, str):
            raise Refused(400, "wanted a trial and an answer")
        if isinstance(watched, bool) or not isinstance(watched, (int, float)):
            raise Refused(400, "watched: wanted seconds")
        with self._stored():
            self.server.votes.vote(token, trial, answer, watched)
        return self._state(token)

    @contextmanager
    def _stored(self) -> Iterator[None]:
        """A disk that is full, say, is told where the server runs; the page keeps the answer and sends it again."""
        try:
            yield
        except sqlite3.Error as error:
            print(f"storyreel: {self.server.study.votes_file}: {error}", file=sys.stderr, flush=True)
            self.close_connection = True
            raise Refused(500, "the answer could not be stored") from None

    def _token(self) -> str:
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token.strip():
            raise Refused(401, "wanted a token; open the study's page to begin")
        return token.strip()

    def _state(self, token: str) -> Answer:
        with self._stored():
            return as_json(what_to_show(self.server.study, self.server.votes.where(token)))


def network_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the 64 bits of an IPv6 one that a provider gives to a home."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


def what_to_show(study: Study, where: Where) -> dict[str, Any]:
    """How far a rater is, the trial that is next, and the clips of the one after it."""
    doc: dict[str, Any] = {"done": where.done, "total": where.total, "pair": where.pair, "pairs": where.pairs}
    doc["trial"] = None if where.trial is None else describe(study, where.trial)
    doc["preload"] = [] if where.after is None else list(_sides(study, where.after))
    return doc


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
