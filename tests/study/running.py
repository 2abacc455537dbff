"""A study server beside the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from storyreel.study.plan import Study
from storyreel.study.server import StudyServer


@contextmanager
def serving(study: Study, port: int = 0) -> Iterator[StudyServer]:
    """Serves a study, on a free port unless one is named, until the block ends."""
    server = StudyServer(study, port=port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
