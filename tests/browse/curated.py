"""Curated folders to look at: of stub films, quickly, and of a real one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from storyreel.curate.export import Export
from storyreel.curate.pipeline import CurationSettings, Execution, curate
from storyreel.curate.score import Limit
from storyreel.curate.thresholds import Thresholds
from storyreel.serve.app import page_app
from storyreel.serve.browse_routes import Browsing, router
from storyreel.serve.guard import Access
from storyreel.serve.running import PageServer
from tests.serving import running


def stub_set(folder: Path, films: list[list[dict[str, Any]]], thresholds: Thresholds | None = None) -> Path:
    """A dataset of films with made-up scores, virtual clips; nothing can be decoded."""
    from stub_films import film, stub_measure

    for number, scores in enumerate(films):
        made = film(folder / "in" / f"film {number}.mp4", scores=scores, seed=number)
        made.with_suffix(".txt").write_text(f"caption of film {number}\n")
    settings = CurationSettings(export=Export(format="virtual"))
    curate(
        [folder / "in"],
        folder / "set",
        settings,
        thresholds or Thresholds(),
        where=Execution(workers=1),
        job=stub_measure,
    )
    return folder / "set"


def real_set(folder: Path) -> Path:
    """A dataset of two short movies that are drawn, cut and measured, with clips as files."""
    pytest.importorskip("cv2", reason="measuring needs the extra curation")
    from tests.movies.movies import write_movie

    for seed in (3, 5):
        write_movie(folder / "in" / f"movie {seed}.mp4", seed, size=(90, 160), shots=4)
        (folder / "in" / f"movie {seed}.txt").write_text(f"a movie of seed {seed}\n")
    thresholds = Thresholds(seconds=Limit(min=0.9))  # which one of the spans is too short for
    curate([folder / "in"], folder / "set", CurationSettings(), thresholds, where=Execution(workers=1))
    return folder / "set"


class BrowseServer(Browsing):
    """A folder that is served on a free port."""

    def __init__(self, dataset: Path) -> None:
        super().__init__(dataset)
        self.server = PageServer(page_app(router(self), Access()), Access().host, 0)
        self.url, self.port = self.server.url, self.server.port

    def run(self) -> None:
        """Until it is told to stop."""
        try:
            self.server.run_here()
        finally:
            self.close()


@contextmanager
def serving(dataset: Path) -> Iterator[BrowseServer]:
    """Serves a folder on a free port until the block ends."""
    served = BrowseServer(dataset)
    with running(served.run, served.server):
        yield served
