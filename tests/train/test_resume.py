"""A run that was stopped and resumed equals one that was not, bit for bit."""

from pathlib import Path

import pytest
from toy import build, toy_loader, toy_recipe

from storyreel.run import Run
from storyreel.train import train_system


def train(path: Path, recipe, *, stop_at: int | None = None, stage: str = "prior", **more) -> Run:
    run = Run.open(path, recipe)

    def on_step(record, extra):
        if stop_at is not None and extra["stage"] == stage and record["step"] == stop_at:
            raise KeyboardInterrupt

    train_system(lambda: build(recipe), run, toy_loader, on_step=on_step, **more)
    return run


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(path)): p.read_bytes()
        for p in sorted(path.rglob("*"))
        if p.suffix in (".safetensors", ".jsonl")
    }


@pytest.mark.parametrize(("stage", "at"), [("tokenizer", 1), ("tokenizer", 7), ("prior", 3), ("prior", 12)])
def test_resume_equals_uninterrupted(tmp_path, stage, at):
    train(tmp_path / "whole", toy_recipe())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", toy_recipe(), stop_at=at, stage=stage)
    train(tmp_path / "cut", toy_recipe())
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert len(contents(tmp_path / "whole")) > 8
