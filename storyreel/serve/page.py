"""The studio's page: the files that Vite built from `studio/`, read once."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

KINDS = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
}  # fmt: skip
FILES = {"/": "index.html", "/studio.js": "studio.js", "/studio.css": "studio.css"}
PATHS = tuple(FILES)


def router() -> APIRouter:
    routes, folder = APIRouter(), files("storyreel.serve").joinpath("page")
    for path, name in FILES.items():
        file = folder.joinpath(name)
        if file.is_file():
            _serve(routes, path, file.read_bytes(), KINDS[name.rpartition(".")[2]])
    return routes


def _serve(routes: APIRouter, path: str, content: bytes, kind: str) -> None:
    @routes.get(path, include_in_schema=False)
    async def page() -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})
