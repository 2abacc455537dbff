"""The application, and the server that runs it in a folder."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from storyreel.generate import registry
from storyreel.ownership import claim
from storyreel.serve import errors, page, studio_routes
from storyreel.serve.api import Api, router
from storyreel.serve.guard import Access, Guard
from storyreel.serve.studio import Studio
from storyreel.serve.watch import Hub, Watch
from storyreel.stamp import made_by

CONNECTIONS = 1024  # at once
CLOSING = 3  # seconds that answers may take once the server is told to stop
MAX_HEAD = 32 << 10  # bytes of a request's line and headers


def make_app(studio: Studio, access: Access, devices: Sequence[str | None] = (None,)) -> Any:
    """The ASGI application of a folder that this process has claimed. devices: of the workers, None for the usual."""
    hub = Hub()
    watches = [Watch(studio, hub, device) for device in devices]

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(watch.run()) for watch in watches]
        if studio.table.counts().get("queued"):
            for watch in watches:
                watch.wake()
        app.state.hub = hub
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    version = made_by().partition(" ")[2]
    app = FastAPI(title="Storyreel", version=version, lifespan=lifespan, docs_url=None, redoc_url=None)
    errors.install(app)
    api = Api(studio, hub, watches)
    app.include_router(studio_routes.router(api))
    app.include_router(router(api))
    app.include_router(page.router())
    guarded = Guard(app, access, page.PATHS)
    guarded.hub = hub  # pyright: ignore[reportAttributeAccessIssue]
    return guarded


def listen(host: str, port: int) -> socket.socket:
    """A socket at this address. OSError: it is taken, or none of this machine's."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OSError(f"cannot serve at {host}:{port}: {why}") from error
    return found


def serve(
    folder: str | Path,
    models: Sequence[str] = (),
    *,
    access: Access | None = None,
    port: int = 8420,
    devices: Sequence[str | None] = (None,),
    on_ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until Ctrl-C or SIGTERM. What is being made then goes back into the queue of the folder.

    on_ready: called with the address. ValueError, OSError: another server is in the folder, it is not ours, a model is
    not known, the port is taken.
    """
    access = access or Access()
    inputs = [registry.find(name) for name in models]
    with claim(folder, "studio", inputs=inputs) as owned, contextlib.closing(listen(access.host, port)) as at:
        studio = Studio(owned.path.absolute(), models)
        app = make_app(studio, access, devices)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, ws="none",
            limit_concurrency=CONNECTIONS, timeout_graceful_shutdown=CLOSING, h11_max_incomplete_event_size=MAX_HEAD,
        )  # fmt: skip
        server = _Server(config, app.hub, lambda: on_ready(_url(access.host, at.getsockname()[1])))
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            with contextlib.suppress(KeyboardInterrupt):
                server.run(sockets=[at])
        finally:
            signal.signal(signal.SIGTERM, before)
            studio.close()


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


class _Server(uvicorn.Server):
    """Tells when it is ready, and lets streams of events end when it stops."""

    def __init__(self, config: uvicorn.Config, hub: Hub, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.hub, self.on_ready = hub, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.hub.closing = True
        self.hub.news()
        await super().shutdown(sockets)
