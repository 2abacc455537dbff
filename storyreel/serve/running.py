"""Runs an application at an address, until Ctrl-C, SIGTERM or `should_exit`."""

from __future__ import annotations

import functools
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import uvicorn

from storyreel.serve.connections import IDLE_SECONDS, MAX_HEAD, Connections, PatientProtocol

CLOSING = 3  # seconds that answers may take once the server is told to stop


class PageServer(uvicorn.Server):
    """A server at an address, which takes connections from now on and answers them once it runs.

    port: 0 for any free one. on_stop: called when it is told to stop, before it waits for what is being answered.
    OSError: the address is taken, or none of this machine's.
    """

    def __init__(self, app: Any, host: str, port: int, on_stop: Callable[[], None] = lambda: None) -> None:
        self.socket, self.connections, self.on_stop = _listen(host, port), Connections(), on_stop
        super().__init__(
            uvicorn.Config(
                app, http=functools.partial(PatientProtocol, self.connections),  # pyright: ignore[reportArgumentType]
                log_level="error", access_log=False, server_header=False, proxy_headers=False, ws="none",
                timeout_keep_alive=int(IDLE_SECONDS), timeout_graceful_shutdown=CLOSING,
                h11_max_incomplete_event_size=MAX_HEAD,
            )
        )  # fmt: skip

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        host = str(self.socket.getsockname()[0])
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def run_here(self) -> bool:
        """Serve until it is told to stop; whether that was Ctrl-C. SIGTERM ends the program with 0."""
        main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)) if main else None
        try:
            self.run(sockets=[self.socket])
        except KeyboardInterrupt:
            return True
        finally:
            self.socket.close()
            if main:
                signal.signal(signal.SIGTERM, before)
        return False

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.on_stop()
        await super().shutdown(sockets)


def _listen(host: str, port: int) -> socket.socket:
    found = None
    try:
        found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except (OSError, OverflowError) as error:
        if found is not None:
            found.close()
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OSError(f"cannot serve at {host}:{port}: {why}") from error
    return found
