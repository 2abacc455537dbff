"""Routes that take and give JSON, and files: what the pages beside the API have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from storyreel.json_file import parse_json
from storyreel.serve.errors import ApiError
from storyreel.serve.json_answer import JsonAnswer
from storyreel.storage import encoded

Answer = Callable[[Request, dict[str, Any]], Any]
"""From a request and the JSON object in its body ({} for GET) to the JSON that is the answer; runs in a thread."""


def get(routes: APIRouter, path: str, answer: Answer) -> None:
    @routes.get(path, include_in_schema=False)
    def route(request: Request) -> JsonAnswer:
        return JsonAnswer(answer(request, {}))


def post(routes: APIRouter, path: str, answer: Answer, max_bytes: int) -> None:
    """max_bytes: of a body."""

    @routes.post(path, include_in_schema=False)
    async def route(request: Request) -> JsonAnswer:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ApiError(415, "expected application/json", code="unsupported_media_type")
        document = json_object(await _body(request, max_bytes))
        try:
            encoded(json.dumps(document, ensure_ascii=False), path)
        except ValueError:
            raise ApiError(400, "expected text, got half a character", code="invalid_value") from None
        return JsonAnswer(await run_in_threadpool(answer, request, document))


async def _body(request: Request, max_bytes: int) -> bytes:
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > max_bytes:
            raise ApiError(413, f"expected at most {max_bytes} bytes", code="too_large")
    return bytes(found)


def json_object(body: bytes) -> dict[str, Any]:
    """The object in a body. ApiError 400: it is no JSON, or another value."""
    try:
        document = parse_json(body)
    except ValueError as error:
        raise ApiError(400, f"expected JSON, with finite numbers; the body {error}", code="invalid_json") from None
    if not isinstance(document, dict):
        raise ApiError(400, "expected a JSON object", code="invalid_json")
    return document


def file(path: Path, kind: str, seconds: int) -> FileResponse:
    """A file, of which parts may be asked for, and which a browser may keep for so many seconds."""
    if not path.is_file():
        raise ApiError(404, "this file is gone", code="not_found")
    return FileResponse(path, media_type=kind, headers={"cache-control": f"private, max-age={seconds}"})
