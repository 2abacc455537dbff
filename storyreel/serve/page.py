"""Pages of the package: the studio's, which Vite builds from `studio/`, and those of browse and study; read once."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter
from fastapi.responses import Response

KINDS = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
}  # fmt: skip


def _found(package: str) -> dict[str, Traversable]:
    """Path of a request -> file; index.html is the page itself."""
    folder = files(package).joinpath("page")
    return {"/" if file.name == "index.html" else f"/{file.name}": file for file in folder.iterdir()}


def paths(package: str) -> list[str]:
    """Where the files in `page` of a package are found."""
    return list(_found(package))


def router(package: str) -> APIRouter:
    routes = APIRouter()
    for path, file in _found(package).items():
        _serve(routes, path, file.read_bytes(), KINDS[file.name.rpartition(".")[2]])
    return routes


def _serve(routes: APIRouter, path: str, content: bytes, kind: str) -> None:
    @routes.api_route(path, methods=["GET", "HEAD"], include_in_schema=False)
    async def page() -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})
