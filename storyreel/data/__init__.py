"""Dataset folders, how they are written and checked, and how batches are drawn from them."""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "Dataset": "dataset",
    "DatasetFolder": "folder",
    "WorldClips": "world_clips",
    "open_dataset": "dataset",
    "read_clip": "folder",
    "write_folder": "write",
    "write_world": "write",
    "Loader": "loader",
}
__all__ = list(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    """Loaded when asked for: the loader needs torch, the others do not."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
