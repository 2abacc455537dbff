"""Training in so many minutes: shares, steps that are written down, an end in time, and a model at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from toy import ToyLoader, build, toy_recipe

from storyreel.cli import main
from storyreel.model import load_model
from storyreel.run import Run
from storyreel.train.budget import Budget, Shares, TimeBudget, Timing, saved_steps, time_stages, with_steps
from storyreel.train.stages import train_system

DIGITS = "digits:?clips=24&size=32&digits=1"


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def toy(tokenizer, prior):
    return with_steps(toy_recipe(), {"tokenizer": tokenizer, "prior": prior})


def test_shares_follow_steps_times_seconds(tmp_path):
    budget = Budget(10.0, clock=Clock())
    times = {"tokenizer": Timing(0.2), "prior": Timing(0.1)}
    planned = budget.plan(toy(1000, 4000), tmp_path, times)
    tokenizer, prior = (planned.stages[name].steps for name in times)
    assert prior == pytest.approx(4 * tokenizer, abs=4)
    assert 0.88 * 600 < tokenizer * 0.2 + prior * 0.1 < 0.96 * 600
    later = budget.plan(toy(1000, 4000), tmp_path, times | {"prior": Timing(0.1, 0.01)}, clips=10_000)
    assert later.stages["prior"].steps < prior * 0.85  # 100 s of preparing are taken off


def test_too_short_says_what_would_do(tmp_path):
    budget = Budget(0.05, clock=Clock())
    times = {"tokenizer": Timing(4.0), "prior": Timing(0.5)}
    with pytest.raises(
        ValueError, match=r"too short for one step of each stage \(a step takes: tokenizer 4 s"
    ) as error:
        budget.plan(toy(10, 10), tmp_path, times)
    enough = float(str(error.value).split("at least ")[1].split(",")[0])
    planned = Budget(enough, clock=Clock()).plan(toy(10, 10), tmp_path, times)
    assert all(stage.steps >= 1 for stage in planned.stages.values())
    with pytest.raises(ValueError, match="--minutes: expected more than 0, got 0"):
        Budget(0)


class Slow(ToyLoader):
    """Each batch takes `seconds` of the clock."""

    clock = Clock()
    seconds = 0.0

    def prefetch(self, start):
        for batch in super().prefetch(start):
            self.clock.now += self.seconds
            yield batch


def train(path, recipe, begin):
    run = Run.open(path, recipe)

    def loader(name, settings, stage, prepare, key):
        return Slow(settings.data, prepare)

    chosen = (lambda name, batches: begin(run, name, batches)) if begin else None
    return train_system(lambda: build(recipe), run, loader, begin=chosen)


def test_a_stage_is_cut_when_its_time_is_up_and_resumes_as_it_was(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(Slow, "clock", clock)
    monkeypatch.setattr(Slow, "seconds", 1.0)
    said = []
    budget = Budget(1.0, clock=clock)
    shares = Shares(budget, {"tokenizer": Timing(1.0), "prior": Timing(0.5)})
    monkeypatch.setattr("storyreel.train.budget.seconds_a_batch", lambda loader: 0.0)
    recipe = budget.plan(toy(30, 30), tmp_path, shares.times)
    system = train(tmp_path, recipe, lambda run, name, loader: shares.begin(run, name, loader, said.append))
    assert system is not None
    assert clock.now - 100 <= 61
    finals = {name: json.loads((tmp_path / name / "final.json").read_text())["step"] for name in shares.times}
    assert saved_steps(tmp_path) == finals
    before = {name: (tmp_path / name / "final.safetensors").read_bytes() for name in finals}
    kept = with_steps(recipe, saved_steps(tmp_path))
    assert train(tmp_path, kept, None) is not None
    assert {name: (tmp_path / name / "final.safetensors").read_bytes() for name in finals} == before


def test_pace():
    clock = Clock()
    pace = TimeBudget(deadline=130.0, every=10.0, clock=clock)
    assert not pace.due()
    clock.now = 111.0
    assert pace.due()
    assert not pace.due()
    assert not pace.over()
    clock.now = 130.0
    assert pace.over()


def test_every_stage_of_a_system_can_be_timed():
    from storyreel import recipes

    recipe = recipes.get("phenaki_tiny")
    torch.manual_seed(0)
    times = time_stages(recipe.system.build(), recipe, ["tokenizer", "prior"])
    assert list(times) == ["tokenizer", "prior"]
    assert all(timing.step > 0 for timing in times.values())
    assert times["prior"].prepared > 0


def call(*args):
    with pytest.raises(SystemExit) as done:
        main([str(a) for a in args])
    return int(done.value.code or 0)


SMALL = [f"--set=stages.{s}.{k}" for s in ("tokenizer", "prior") for k in ("data.batch=2", "sample_every=0")]


def test_minutes_end_in_time_with_a_model(tmp_path, capsys):
    command = ["train", "phenaki_tiny", "--data", DIGITS, "-o", tmp_path / "run", *SMALL]
    began = time.monotonic()
    assert call(*command, "--minutes", 0.25) == 0
    took = time.monotonic() - began
    recipe = json.loads((tmp_path / "run/recipe.json").read_text())
    _, saved, info = load_model(tmp_path / "run/model")
    steps = {name: stage["steps"] for name, stage in recipe["stages"].items()}
    assert info["training"]["steps"] == steps == {name: stage.steps for name, stage in saved.stages.items()}
    assert all(count >= 1 for count in steps.values())
    assert took < 300, "a quarter of a minute, on a machine that may be busy"
    digest = info["digest"]
    assert call(*command, "--minutes", 0.25) == 0  # nothing is left to do
    assert load_model(tmp_path / "run/model")[2]["digest"] == digest
    assert call(*command[:-4], "--minutes", 0.00001, "-o", tmp_path / "other") == 1
    assert "too short for one step of each stage" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


SIDE_BY_SIDE = """
import sys
from dataclasses import replace
import storyreel
from storyreel import recipes
recipe = recipes.get("imagen_video_tiny")
stages = {name: replace(recipe.stages[name], steps=int(steps), sample_every=0)
          for name, steps in (each.split("=") for each in sys.argv[2:])}
storyreel.train(replace(recipe, stages=stages), "digits:?clips=24&size=32&digits=1", sys.argv[1],
                stages_at_once=len(stages) > 1, threads=2, quiet=False)
"""


def heed_interrupts() -> None:
    """A test run in the background ignores SIGINT, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_stages_side_by_side_stopped_and_resumed(tmp_path):
    from storyreel.run import StageRun

    def start(*steps):
        command = [sys.executable, "-c", SIDE_BY_SIDE, str(tmp_path / "run"), *steps]
        with said.open("w") as file:  # a pipe that nobody reads would fill up, and stop them
            return subprocess.Popen(command, stderr=file, preexec_fn=heed_interrupts)

    said = tmp_path / "stderr.txt"
    process = start("base=1000000", "tsr1=1000000")
    logs, limit = {name: tmp_path / "run" / name / "log.jsonl" for name in ("base", "tsr1")}, time.monotonic() + 300
    while not all(log.exists() and log.stat().st_size for log in logs.values()) and time.monotonic() < limit:
        assert process.poll() is None, said.read_text()
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(300) != 0
    counts = {name: len(log.read_text().splitlines()) for name, log in logs.items()}
    for name, count in counts.items():
        assert (tmp_path / "run" / name / f"checkpoint-{count}").is_dir()

    resumed = start(*(f"{name}={count + 1}" for name, count in counts.items()))
    assert resumed.wait(300) == 0, said.read_text()
    finals = {name: StageRun(tmp_path / "run" / name, name).final() or {} for name in counts}
    assert {name: final["step"] for name, final in finals.items()} == {n: c + 1 for n, c in counts.items()}


def test_only_stages_that_stand_alone_train_side_by_side(tmp_path, capsys):
    assert call("train", "phenaki_tiny", "--data", DIGITS, "-o", tmp_path / "no", "--stages-at-once") == 1
    assert "stage 'tokenizer' of phenaki_tiny does not stand alone" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_export_of_an_unfinished_run(tmp_path, capsys):
    from storyreel.tensor_file import read_tensors

    run = tmp_path / "run"
    command = ["train", "phenaki_tiny", "--data", DIGITS, "-o", run, *SMALL, "--quiet"]
    assert call("models", "export", tmp_path, "-o", tmp_path / "m") == 1
    assert "is no run" in capsys.readouterr().err
    assert call(*command, "--stage", "tokenizer", "--set", "stages.tokenizer.steps=4") == 0
    assert call("models", "export", run, "-o", tmp_path / "m") == 1
    assert "stage 'prior' has no checkpoint with a step yet" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()
    steps = ["--set", "stages.tokenizer.steps=4", "--set", "stages.prior.steps=5"]
    assert call(*command, *steps, "--set", "stages.prior.checkpoint_every=3") == 0
    (run / "prior/final.json").unlink()  # as if it had been stopped
    (run / "prior/final.safetensors").unlink()
    assert call("models", "export", run, "-o", tmp_path / "m") == 0
    assert "tokenizer 4 of 4 steps, prior 5 of 5 steps" in capsys.readouterr().out
    system, recipe, info = load_model(tmp_path / "m")
    average = read_tensors(run / "prior/checkpoint-5/ema.safetensors")
    own = system.stages["prior"].state_dict()
    assert average
    for name, tensor in average.items():
        torch.testing.assert_close(own[name], tensor.half().float())
    assert info["training"]["data"][0]["name"] == "digits?clips=24&seed=0"
    assert "digit" in info["training"]["words"]
    assert recipe.name == "phenaki_tiny"
    before = (tmp_path / "m/prior/model.safetensors").stat().st_size
    assert call("models", "export", run, "-o", tmp_path / "p", "--packed") == 0
    assert (tmp_path / "p/prior/model.safetensors").stat().st_size < 0.75 * before
    assert call("models", "export", run, "-o", tmp_path / "q", "--max-mb", 0.01) == 1
    assert "more than the 0.01 MB allowed; raise it with --max-mb" in capsys.readouterr().err
    assert not (tmp_path / "q").exists()
