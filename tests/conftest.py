"""What all tests share: offline, one torch thread, a cache of their own, and where the LPC sheets are (if they are)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from no_skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: F401  the rule of CI=true

ROOT = Path(__file__).parents[1]

# What may come out otherwise in the last bits on another processor: CI runs it again under ATEN_CPU_CAPABILITY=avx2.
NUMERICS = {"diffusion", "evaluate", "generate", "nn", "systems", "text", "train"}
NUMERICS |= {"test_cli", "test_encoder", "test_model", "test_packed", "test_recipes"}
# Of those, files that compare no number that a processor computes, but devices, signals, refusals, files.
PORTABLE = {
    *("test_training_on_a_gpu", "test_generating_on_a_gpu", "test_budget", "test_refusals", "test_loggers"),
    *("test_strange_models", "test_strange_metadata", "test_cost", "test_cost_memory", "test_fetch_weights"),
    *("test_metric_declarations", "test_unasked_download"),
}

# Files with tests of many seconds, which begin first: at the end one of them would leave all other workers idle.
LONG = {
    *("test_readme_runs", "test_campaigns", "test_hostile_out", "test_kills", "test_gpu_journey", "test_budget"),
    *("test_training_on_a_gpu", "test_strange_models", "test_distributed"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.stem not in LONG)
    for item in items:
        parts = item.path.relative_to(Path(__file__).parent).with_suffix("").parts
        if NUMERICS & set(parts) or parts[-1].startswith("test_reproduce"):
            item.add_marker("numerics")
        if parts[-1] in PORTABLE:
            item.add_marker("portable")


os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is first imported, by this process or a child


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """No test reads or fills the user's own cache, or reads the user's defaults."""
    folder = tmp_path_factory.mktemp("cache")
    (folder / "config.toml").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORYREEL_CACHE", str(folder))
        patch.setenv("STORYREEL_CONFIG", str(folder / "config.toml"))
        yield


@pytest.fixture(scope="session")
def lpc() -> Path:
    """The folder of Liberated Pixel Cup sheets; tests that need it are skipped where it is not at hand (but see
    no_skips.py)."""
    for folder in (os.environ.get("STORYREEL_LPC"), ROOT.parent / "shared" / "lpc"):
        if folder and (Path(folder) / "body").is_dir():
            return Path(folder)
    pytest.skip("the LPC sheets are not here (../shared/lpc, or STORYREEL_LPC=FOLDER)")


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips are packed, checked and imported here, where a test can replace what opens them."""
    for module in ("pack", "check", "imports.folder"):
        monkeypatch.setattr(f"storyreel.data.{module}.run", lambda function, items, **_: map(function, items))
