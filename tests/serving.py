"""A server that runs beside the test, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from storyreel.serve.running import PageServer


@contextmanager
def running(run: Callable[[], Any], server: PageServer) -> Iterator[None]:
    """`run` serves with `server` until the block ends."""
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
