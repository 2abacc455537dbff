"""What all tests share: offline, one torch thread, a cache of their own, and where the LPC sheets are (if they are)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported, by this process or a child


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """No test reads or fills the user's own cache."""
    before = os.environ.get("STORYREEL_CACHE")
    os.environ["STORYREEL_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["STORYREEL_CACHE"]
    else:
        os.environ["STORYREEL_CACHE"] = before


@pytest.fixture(scope="session")
def lpc() -> Path:
    """The folder of Liberated Pixel Cup sheets; tests that need it are skipped where it is not at hand."""
    for folder in (os.environ.get("STORYREEL_LPC"), ROOT.parent / "shared" / "lpc"):
        if folder and (Path(folder) / "body").is_dir():
            return Path(folder)
    pytest.skip("the LPC sheets are not here (../shared/lpc, or STORYREEL_LPC=FOLDER)")
