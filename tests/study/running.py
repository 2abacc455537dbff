"""A study server beside the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from storyreel.serve.app import page_app
from storyreel.serve.guard import Access
from storyreel.serve.running import PageServer
from storyreel.serve.study_routes import router
from storyreel.study.plan import Study
from storyreel.study.votes import Votes
from tests.serving import running


class StudyServer:
    """A study, its votes, and the server that shows it; it has an address from the beginning."""

    def __init__(self, study: Study, port: int = 0) -> None:
        self.study, self.votes = study, Votes(study)
        access = Access(everybody=True)
        self.server = PageServer(page_app(router(study, self.votes), access), access.host, port)
        self.url, self.port = self.server.url, self.server.port

    def run(self) -> None:
        """Until it is told to stop."""
        try:
            self.server.run_here()
        finally:
            self.votes.close()


@contextmanager
def serving(study: Study, port: int = 0) -> Iterator[StudyServer]:
    """Serves a study, on a free port unless one is named, until the block ends."""
    served = StudyServer(study, port)
    with running(served.run, served.server):
        yield served
