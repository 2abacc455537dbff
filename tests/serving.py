"""A server that runs beside the test, in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from storyreel.serve.running import PageServer


@contextmanager
def running(server: PageServer) -> Iterator[PageServer]:
    """Until the block ends."""
    thread = threading.Thread(target=server.run_here)
    thread.start()
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join()
