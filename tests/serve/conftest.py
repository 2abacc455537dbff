"""One live server for the tests of the API, with two models of toy size."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import Live, running
from tiny_model import make_tiny, make_tiny_sprites

sys.path.append(str(Path(__file__).parents[1] / "study"))  # the browser is that of the study's tests


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    return [make_tiny(folder / "tiny"), make_tiny_sprites(folder / "tiny-sprites")]


@pytest.fixture(scope="session")
def server(shelf: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with running(tmp_path_factory.mktemp("served") / "studio", shelf) as live:
        yield live
