"""The browser and its server are those of the study's and the engines' tests."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

for folder in ("study", "engines"):
    sys.path.append(str(Path(__file__).parents[1] / folder))


@pytest.fixture(scope="session")
def tiny_reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny model with random weights that reads the states of MiniLM, of the world sprites."""
    import torch

    from storyreel import recipes
    from storyreel.model import save_model

    recipe = recipes.get("phenaki_tiny")
    system = recipe.system
    system = replace(system, tokenizer=replace(system.tokenizer, channels=4), prior=replace(system.prior, text_dim=384))
    recipe = replace(recipe, system=system, text="minilm")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = system.build()
    folder = tmp_path_factory.mktemp("shelf") / "tiny-reader"
    save_model(
        folder, built, recipe=recipe, card="# Tiny\n\nKnows nothing.\n", training={"data": [{"name": "sprites"}]}
    )
    return folder
