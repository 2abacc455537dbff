"""The application, and the server that runs it in a folder."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI

from storyreel.clip_metadata import made_by
from storyreel.generate import registry
from storyreel.ownership import claim
from storyreel.serve import errors, json_routes, objects, page, studio_routes
from storyreel.serve.api import Api, router
from storyreel.serve.guard import Access, Guard
from storyreel.serve.running import PageServer
from storyreel.serve.shown import ServedFolder, show
from storyreel.serve.studio import Studio
from storyreel.serve.worker_monitor import Hub, WorkerMonitor


def make_app(
    studio: Studio,
    hub: Hub,
    access: Access,
    devices: Sequence[str | None] = (None,),
    pages: Sequence[ServedFolder] = (),
) -> Guard:
    """The ASGI application of a folder that this process has claimed. devices: of the workers, None for the usual."""
    watches = [WorkerMonitor(studio, hub, device) for device in devices]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(watch.run()) for watch in watches]
        if studio.table.counts().get("queued"):
            for watch in watches:
                watch.wake()
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app = new_app(lifespan)
    api = Api(studio, hub, watches)
    app.include_router(studio_routes.router(api))
    app.include_router(router(api))
    app.include_router(page.router("storyreel.serve"))
    listed = [{"name": each.name, "kind": each.kind, "path": each.path} for each in pages]
    json_routes.get(app.router, "/v1/pages", lambda request, body: {"object": "list", "data": listed})
    for each in pages:
        app.include_router(each.routes, prefix=each.path.rstrip("/"))
    return Guard(app, access, [*page.paths("storyreel.serve"), *(each.path for each in pages if each.everybody)])


def new_app(lifespan: Any = None) -> FastAPI:
    """An application without routes, whose errors have one form."""
    version = made_by().partition(" ")[2]
    app = FastAPI(title="Storyreel", version=version, lifespan=lifespan, docs_url=None, redoc_url=None)
    errors.install(app)
    objects.describe(app)
    return app


def page_app(routes: APIRouter, access: Access) -> Guard:
    """The application of one page, which needs no token."""
    app = new_app()
    app.include_router(routes)
    return Guard(app, access)


def serve(
    folder: str | Path,
    models: Sequence[str] = (),
    *,
    access: Access | None = None,
    port: int = 8420,
    devices: Sequence[str | None] = (None,),
    shown: Sequence[Path] = (),
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until Ctrl-C or SIGTERM. What is being made then goes back into the queue of the folder.

    shown: folders with pages of their own, see `show`; on_ready: called with the address. ValueError, OSError: another
    server is in the folder, it is not ours, a model is not known, the port is taken.
    """
    access = access or Access()
    inputs = [registry.find(name) for name in models]
    with claim(folder, "studio", inputs=inputs) as owned:
        studio, hub = Studio(owned.path.absolute(), models), Hub()
        pages: list[ServedFolder] = []
        try:
            pages = show(shown, access.token)
            server = PageServer(make_app(studio, hub, access, devices, pages), access.host, port, hub.close)
            on_ready(server.url)
            server.run_here()
        finally:
            studio.close()
            for page_ in pages:
                page_.close()
