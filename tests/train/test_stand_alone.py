"""Stages that need no earlier one: trained in any order, beside one another, and the same as in a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from toy import ToyConfig, toy_loader, toy_recipe

from storyreel import recipes
from storyreel.recipe import Recipe
from storyreel.run import Run
from storyreel.storage import read_json, write_json
from storyreel.systems.base import Batch, Loss, Stage, System, Tick
from storyreel.train import train_system

ROW = ("one", "two", "three")


class Lone(Stage):
    """Learns the mean colour; knows nobody."""

    stands_alone = True

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 3)

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        colour = batch["video"].mean((2, 3, 4))
        noisy = colour + 0.1 * torch.randn(colour.shape, generator=tick.rng)
        return Loss((self.net(noisy) - colour).square().mean())

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        raise NotImplementedError


class Row(System):
    name = "row"
    text_dim = 4

    def __init__(self):
        super().__init__()
        self.row = nn.ModuleDict({name: Lone() for name in ROW})

    @property
    def stages(self) -> dict[str, Stage]:
        return {name: stage for name, stage in self.row.items() if isinstance(stage, Stage)}

    def generate(self, request, text, on_progress):
        raise NotImplementedError


def recipe() -> Recipe:
    toy = toy_recipe()
    return Recipe(name="row", system=ToyConfig(), stages=dict.fromkeys(ROW, toy.stages["tokenizer"]), text="hash:4")


def build() -> System:
    torch.manual_seed(0)
    return Row()


def train(path: Path, only: str | None = None, stop_at: int | None = None) -> System | None:
    def on_step(record, extra):
        if record["step"] == stop_at:
            raise KeyboardInterrupt

    return train_system(build, Run.open(path, recipe()), toy_loader, only=only, on_step=on_step)


def finals(path: Path) -> dict[str, bytes]:
    return {name: (path / name / "final.safetensors").read_bytes() for name in ROW}


def test_any_order_gives_what_a_row_gives(tmp_path: Path):
    assert train(tmp_path / "row") is not None
    assert train(tmp_path / "any", "three") is None
    assert train(tmp_path / "any", "one") is None
    system = train(tmp_path / "any", "two")
    assert system is not None, "the last to be finished makes the model"
    assert finals(tmp_path / "any") == finals(tmp_path / "row")
    assert system.stages["three"].net.weight.equal(train(tmp_path / "row").stages["three"].net.weight)  # pyright: ignore


def test_stages_are_trained_side_by_side(tmp_path: Path):
    """While one is being trained, another one is: only the folder of a stage is locked."""
    first = Run.open(tmp_path, recipe()).stage("one")
    first.open()
    assert train(tmp_path, "two") is None
    with pytest.raises(ValueError, match="another process is training into this folder"):
        train(tmp_path, "one")
    first.close()
    assert train(tmp_path) is not None


def test_it_goes_on_whatever_became_of_the_others(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, "two", stop_at=7)
    for file in (tmp_path / "two").glob("checkpoint-*/state.json"):  # as runs said that were begun before
        write_json(file, {**read_json(file), "frozen": {"one": "0" * 64}})
    train(tmp_path, "one")
    assert train(tmp_path, "two") is None
    finals = read_json(tmp_path / "two" / "final.json")
    assert (finals["step"], finals["frozen"]) == (12, {})


def test_those_of_imagen_video_stand_alone():
    tiny = recipes.get("imagen_video_tiny")
    with torch.device("meta"):
        assert all(stage.stands_alone for stage in tiny.system.build().stages.values())
        phenaki = recipes.get("phenaki_tiny")
        assert not any(stage.stands_alone for stage in phenaki.system.build().stages.values())
