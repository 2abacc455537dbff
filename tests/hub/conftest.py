"""Tiny pipelines, each written and loaded once a session."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_model import tiny_folder  # noqa: F401
from tiny_pipelines import write_tiny

import storyreel
from storyreel.clip import Clip
from storyreel.generate import batch

NEEDS = {
    "test_hub_pipelines.py": ("diffusers", (0, 42)),
    "test_hub_lora.py": ("diffusers", (0, 42)),
    "test_hub_levers.py": ("diffusers", (0, 42)),
    "test_hub_round_trip.py": ("huggingface_hub", (2, 0)),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lowest versions that pyproject.toml allows are too old for some files; for pipelines, they then say so."""
    for item in items:
        package, oldest = NEEDS.get(item.path.name, ("numpy", (0, 0)))
        if tuple(map(int, version(package).split(".")[:2])) < oldest:
            item.add_marker(pytest.mark.skip(reason=f"{package} is older than {'.'.join(map(str, oldest))}"))


@pytest.fixture(autouse=True)
def loaded_anew() -> None:
    """A process keeps the models of its batches; how they are loaded (offloading) differs between tests."""
    batch._model.cache_clear()


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name -> the folder of a tiny pipeline; whoever changes it takes a copy."""
    root = tmp_path_factory.mktemp("pipelines")
    return lambda name: root / name if (root / name).exists() else write_tiny(name, root / name)


@pytest.fixture(scope="session")
def loaded(pipeline: Callable[[str], Path]) -> Callable[[str], Any]:
    models: dict[str, Any] = {}

    def load(name: str) -> Any:
        if name not in models:
            models[name] = storyreel.load(f"hub:{pipeline(name)}", device="cpu")
        return models[name]

    return load


@pytest.fixture(scope="session")
def picture() -> Clip:
    ramp = np.arange(64 * 64 * 3).reshape(1, 64, 64, 3) % 256
    return Clip(ramp.astype(np.uint8))
