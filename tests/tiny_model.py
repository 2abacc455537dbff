"""A model folder of toy size with random weights, on a shelf of its own; it takes milliseconds to run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WORDS = ["orc", "woman", "walk", "left", "right", "armor"]


def make_tiny(folder: Path, name: str = "phenaki_tiny") -> Path:
    """Write the model folder `folder`; the same weights each time."""
    import torch

    from storyreel import recipes
    from storyreel.model import save_model

    recipe = recipes.get(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        system = recipe.system.build()
    card = "# Tiny\n\nKnows nothing, at 16x16.\n"
    save_model(folder, system, recipe=recipe, card=card, training={})
    file = folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"words": WORDS}))
    return folder


def make_tiny_sprites(folder: Path) -> Path:
    """The same with a matte, and data that say it was trained on the world `sprites`."""
    from dataclasses import replace

    from storyreel import recipes
    from storyreel.model import save_model

    recipe = recipes.get("phenaki_tiny")
    config = replace(recipe.system, tokenizer=replace(recipe.system.tokenizer, channels=4))
    recipe = replace(recipe, system=config)
    save_model(folder, config.build(), recipe=recipe, card="# T\n", training={"data": [{"name": "sprites"}]})
    return folder


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("shelf") / "tiny")


@pytest.fixture
def tiny(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The model `tiny` on the shelf; the current folder is an empty one."""
    monkeypatch.setenv("STORYREEL_MODELS", str(tiny_folder.parent))
    monkeypatch.chdir(tmp_path)
    return tiny_folder
