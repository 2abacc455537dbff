"""The study page over HTTP: four files, and a small JSON API.

    GET  /                 the page           POST /api/join   {}                               -> {token}
    GET  /clips/NAME       a clip             GET  /api/state  Authorization: Bearer TOKEN      -> what to show
                                              POST /api/vote   {trial, answer, watched} + token -> what to show

A vote that is sent again is taken once; a vote for a trial of somebody else is refused.
"""

from __future__ import annotations

import ipaddress
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from storyreel.ownership import own_file
from storyreel.serve import json_routes, page
from storyreel.serve.errors import ApiError
from storyreel.serve.guard import bearer
from storyreel.study.plan import CLIP_NAME, CLIPS, Study
from storyreel.study.votes import RaterProgress, Refused, Trial, Votes

MAX_BODY = 4096  # bytes
MEDIA = {".mp4": "video/mp4", ".webm": "video/webm"}
A_DAY = 86400  # seconds


class Voting:
    """One study and the answers of its raters, as their page sees it."""

    def __init__(self, study: Study, votes: Votes) -> None:
        self.study, self.votes = study, votes

    def join(self, request: Request, body: dict[str, Any]) -> Any:
        with self._stored():
            return {"token": self.votes.join(network_of(request.client.host if request.client else ""))}

    def vote(self, request: Request, body: dict[str, Any]) -> Any:
        token, trial, answer, watched = _token(request), body.get("trial"), body.get("answer"), body.get("watched", 0)
        if not isinstance(trial, str) or not isinstance(answer, str):
            raise ApiError(400, "expected a trial and an answer")
        if isinstance(watched, bool) or not isinstance(watched, (int, float)):
            raise ApiError(400, "watched: expected seconds")
        with self._stored():
            self.votes.vote(token, trial, answer, watched)
        return self.state(request, body)

    def state(self, request: Request, body: dict[str, Any]) -> Any:
        with self._stored():
            return what_to_show(self.study, self.votes.where(_token(request)))

    @contextmanager
    def _stored(self) -> Iterator[None]:
        """A disk that is full, say, is told where the server runs; the page keeps the answer and sends it again."""
        try:
            yield
        except Refused as no:
            raise ApiError(no.status, str(no)) from None
        except sqlite3.Error as error:
            print(f"storyreel: {self.study.votes_file}: {error}", file=sys.stderr, flush=True)
            raise ApiError(500, "the answer could not be stored") from None


def router(study: Study, votes: Votes) -> APIRouter:
    routes, voting = page.router("storyreel.study"), Voting(study, votes)
    json_routes.get(routes, "/api/state", voting.state)
    json_routes.post(routes, "/api/join", voting.join, MAX_BODY)
    json_routes.post(routes, "/api/vote", voting.vote, MAX_BODY)

    @routes.api_route("/clips/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    def clip(name: str) -> Response:
        if CLIP_NAME.fullmatch(name) is None or name not in study.clip_names:
            raise ApiError(404, "there is nothing here", code="not_found")
        try:
            file = own_file(study.folder, f"{CLIPS}/{name}")
        except OSError:  # a link: raters get nothing from outside of the study
            raise ApiError(404, "there is nothing here", code="not_found") from None
        return json_routes.file(file, MEDIA[PurePath(name).suffix], A_DAY)

    return routes


def _token(request: Request) -> str:
    token = bearer(request.headers.get("authorization", ""))
    if not token:
        raise ApiError(401, "expected a token; open the study's page to begin")
    return token


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


def what_to_show(study: Study, where: RaterProgress) -> dict[str, Any]:
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
