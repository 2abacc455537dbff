"""Minutes become steps once: `storyreel reproduce` measures its pace, and keeps the steps that it began with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from reproductions import curation_training, imagen_video_training, tokens
from reproductions.pace import seconds_of, steps_in
from storyreel import recipes
from storyreel.systems.phenaki import PhenakiConfig


@pytest.mark.parametrize(("seconds", "steps"), [(0.1, 600), (0.017, 3500), (0.7, 85), (100.0, 20)])
def test_minutes_become_steps(seconds: float, steps: int, tmp_path: Path):
    file = tmp_path / "nets" / "steps.txt"
    assert steps_in(1.0, file, lambda: seconds) == steps
    assert steps_in(60.0, file, lambda: pytest.fail("measured again")) == steps


def test_a_step_takes_its_time():
    system = recipes.get("phenaki_tiny").system.build()
    stage = system.stages["tokenizer"].train()
    assert 0 < seconds_of(stage, {"video": torch.rand(2, 3, 5, 16, 16)}) < 60
    assert any(p.grad is not None for p in stage.parameters()), "backwards too"


def of_tokens(minutes: float, file: Path) -> int:
    return tokens.steps_for("phenaki_tiny", minutes, file)


def of_imagen_video(minutes: float, file: Path) -> int:
    size = imagen_video_training.Size()
    return imagen_video_training.steps_for("imagen_video_tiny", (), minutes, size, file)


def of_curation(minutes: float, file: Path) -> int:
    base = recipes.get("phenaki_tiny").system
    assert isinstance(base, PhenakiConfig)
    return curation_training.steps_for(curation_training.recipe_for(base, 10), minutes, 7, file)


@pytest.mark.parametrize("steps_for", [of_tokens, of_imagen_video, of_curation])
def test_each_paper_finds_its_steps(steps_for: Callable[[float, Path], int], tmp_path: Path):
    file = tmp_path / "steps.txt"
    steps = steps_for(1.0, file)
    assert 20 <= steps < 100_000
    assert steps_for(60.0, file) == steps == int(file.read_text())
