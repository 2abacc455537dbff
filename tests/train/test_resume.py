"""A run that was stopped and resumed equals one that was not, bit for bit."""

import json
import subprocess
import sys
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


def test_killed_twenty_times_equals_uninterrupted(tmp_path):
    """Issue: kill -9 twenty times at random moments; the log and the weights are those of an uninterrupted run."""
    seed = 20
    command = [sys.executable, str(Path(__file__).parent / "killer.py"), str(tmp_path), "20", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-2000:]}"
    told = json.loads(done.stdout)
    assert len(told["kills"]) == 20
    assert len({tuple(k) for k in told["kills"]}) >= 5, "the kills fell on too few different moments"
    for run in range(told["runs"]):
        assert contents(tmp_path / f"killed-{run}") == contents(tmp_path / "whole"), f"seed {seed}, {told}"
    assert len(contents(tmp_path / "whole")) > 8
