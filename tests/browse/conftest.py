"""Stub films are those of the curation's tests, the browser is that of the study's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

for folder in ("curate", "study"):
    sys.path.append(str(Path(__file__).parents[1] / folder))


@pytest.fixture(scope="session")
def movies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A curated folder of real movies. Copy it to change it."""
    from curated import real_set

    return real_set(tmp_path_factory.mktemp("movies"))
