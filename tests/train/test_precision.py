"""Which precision "auto" means, and that a run keeps the one that it was begun with."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from toy import build, toy_recipe

from storyreel import precision
from storyreel.recipe import StageRecipe
from storyreel.run import Run
from storyreel.train.loop import Trainer

CPU = torch.device("cpu")


@pytest.fixture
def timed(monkeypatch, tmp_path):
    """Sets how many times as fast bfloat16 is here; counts how often that is timed."""
    calls = []

    def set_gain(gain: float, *, hardware: bool = True) -> list:
        precision._gain.cache_clear()
        monkeypatch.setattr(precision, "has_bf16", lambda device: hardware)

        def seconds(dtype):
            calls.append(dtype)
            return gain if dtype is torch.float32 else 1.0

        monkeypatch.setattr(precision, "_seconds", seconds)
        return calls

    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path / "cache"))
    yield set_gain
    precision._gain.cache_clear()


def test_auto_is_bf16_where_it_pays(timed, tmp_path):
    calls = timed(3.0)
    assert precision.settled("auto", CPU) == "bf16"
    assert len(calls) == 2
    timed(0.1)
    assert precision.settled("auto", CPU) == "bf16"  # this machine was timed before
    assert len(calls) == 2
    [file] = (tmp_path / "cache").glob("bf16-*.json")
    file.write_text("{")  # a damaged note is timed again
    timed(0.1)
    assert precision.settled("auto", CPU) == "fp32"
    assert len(calls) == 4
    assert json.loads(file.read_text())["gain"] == 0.1


def test_auto_is_fp32_without_the_hardware_and_nothing_is_timed(timed):
    calls = timed(9.0, hardware=False)
    assert precision.settled("auto", CPU) == "fp32"
    assert not calls
    assert precision.settled("bf16", CPU) == "bf16"
    assert StageRecipe.__dataclass_fields__["precision"].default == "auto"


def test_the_timing_is_a_number():
    assert 0 < precision._seconds(torch.float32) < 60


def test_a_run_keeps_its_precision(timed, tmp_path):
    timed(3.0)
    auto = toy_recipe(precision="auto")
    run = Run.open(tmp_path / "run", auto, device=CPU)
    assert run.recipe.stages["prior"].precision == "bf16"
    timed(0.1, hardware=False)  # on another machine
    again = Run.open(tmp_path / "run", auto, device=CPU)
    assert {s.precision for s in again.recipe.stages.values()} == {"bf16"}
    assert Trainer(build(auto).prior, again.recipe.stages["prior"], again.stage("prior"), "none", {}).bf16
    told = Run.open(tmp_path / "run", toy_recipe(precision="fp32"), device=CPU)
    assert told.recipe.stages["prior"].precision == "fp32"
    assert Run.open(tmp_path / "run", auto, device=CPU).recipe.stages["prior"].precision == "fp32"
    saved = json.loads((tmp_path / "run/recipe.json").read_text())
    assert {s["precision"] for s in saved["stages"].values()} == {"fp32"}


def test_auto_without_a_device_is_settled_by_the_trainer(timed, tmp_path):
    timed(0.1, hardware=False)
    auto = toy_recipe(precision="auto")
    run = Run.open(tmp_path, auto)
    assert run.recipe.stages["prior"].precision == "auto"
    assert not Trainer(build(auto).prior, auto.stages["prior"], run.stage("prior"), "none", {}).bf16
    other = replace(auto, stages={n: replace(s, ema=0.5) for n, s in auto.stages.items()})
    with pytest.raises(ValueError, match=r"stages\.prior\.ema was 0\.9, now 0\.5|stages\.tokenizer\.ema"):
        Run.open(tmp_path, other)
