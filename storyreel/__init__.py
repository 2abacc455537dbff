"""Storyreel turns text into video, and everything that this takes.

>>> import storyreel
>>> clips = storyreel.load("phenaki-sprites")("an orc in plate armor walking, facing left", seed=7)  # doctest: +SKIP
>>> clips[0].save("orc.mp4")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storyreel.clip import Clip
    from storyreel.curate.command import curate
    from storyreel.data.folder import DatasetFolder
    from storyreel.engine import Engine, get_engine
    from storyreel.evaluate.command import evaluate
    from storyreel.generate.character import sheet
    from storyreel.generate.model import Model, load
    from storyreel.generate.registry import names as models
    from storyreel.model import load_model, save_model
    from storyreel.options.generation import GenerateOptions
    from storyreel.options.story import read_story
    from storyreel.recipe import Recipe, override
    from storyreel.run import Run
    from storyreel.systems.base import Progress, Request, Stage, System, TextEncoder
    from storyreel.text import load_text_encoder
    from storyreel.train.command import train
    from storyreel.video_io import read, read_meta, write

_PLACES = {
    "Clip": "clip",
    "DatasetFolder": "data.folder",
    "Engine": "engine",
    "GenerateOptions": "options.generation",
    "Model": "generate.model",
    "Progress": "systems.base",
    "Recipe": "recipe",
    "Request": "systems.base",
    "Run": "run",
    "Stage": "systems.base",
    "System": "systems.base",
    "TextEncoder": "systems.base",
    "curate": "curate.command",  # the packages themselves are given, which can be called
    "evaluate": "evaluate.command",
    "get_engine": "engine",
    "load": "generate.model",
    "load_model": "model",
    "load_text_encoder": "text",
    "models": "generate.registry:names",
    "override": "recipe",
    "read": "video_io",
    "read_meta": "video_io",
    "read_story": "options.story",
    "save_model": "model",
    "sheet": "generate.character",
    "train": "train.command",
    "write": "video_io",
}

__all__ = [
    "Cancelled", "Clip", "DatasetFolder", "Engine", "GenerateOptions", "Model", "Progress", "Recipe", "Request", "Run",
    "Stage", "System", "TextEncoder", "curate", "evaluate", "get_engine", "load", "load_model", "load_text_encoder",
    "models", "override", "read", "read_meta", "read_story", "save_model", "sheet", "train", "write",
]  # fmt: skip


class Cancelled(Exception):
    """Raise it from a progress callback to stop a generation; it comes out of the call that was generating.

    `clips` then holds the videos that were finished before.
    """

    clips: list[Clip]

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.clips = []


def __getattr__(name: str) -> Any:
    """Names are imported when first used: `import storyreel` itself costs nothing."""
    if name not in _PLACES:
        raise AttributeError(f"module 'storyreel' has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    if module == f"{name}.command":
        return importlib.import_module(f"storyreel.{name}")
    value = getattr(importlib.import_module(f"storyreel.{module}"), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
