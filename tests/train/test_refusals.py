"""What a training run refuses, and that it loses nothing by it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_resume import contents, train
from toy import ToyConfig, ToyPrior, build, toy_loader, toy_recipe, toy_stage

from storyreel.run import Run
from storyreel.systems.base import Loss
from storyreel.train import train_stage, train_system

CHILD = Path(__file__).parent / "child.py"


class BrokenPrior(ToyPrior):
    """Breaks in step 8 (the ninth is never reached): in its loss, or in a gradient alone."""

    how = "loss"

    def loss(self, batch, tick):
        loss = super().loss(batch, tick)
        if tick.step != 7:
            return loss
        if self.how == "loss":
            return Loss(loss.total * float("nan"), {"colour": loss.total.detach() / 0})
        return Loss(loss.total + (self.blocks[1].weight[0, 0] * 0).sqrt())  # 0, with an infinite gradient


@pytest.mark.parametrize(("how", "named"), [("loss", "from colour"), ("gradient", r"bad gradient: blocks\.1\.weight")])
def test_nan_is_refused_by_name(tmp_path, how, named):
    recipe = toy_recipe()
    run = Run.open(tmp_path, recipe)

    def broken():
        system = build(recipe)
        system.prior.__class__ = BrokenPrior
        system.prior.how = how
        return system

    with pytest.raises(ValueError, match=rf"stage 'prior', step 8: .*{named}.*; the last checkpoint stays"):
        train_system(broken, run, toy_loader)
    found = run.stage("prior").load()
    assert found is not None
    assert found.step == 5
    train(tmp_path, recipe)  # mended, it goes on
    train(tmp_path / "whole", recipe)
    assert (tmp_path / "prior/final.safetensors").read_bytes() == (
        tmp_path / "whole/prior/final.safetensors"
    ).read_bytes()


def test_another_recipe_is_refused_by_field(tmp_path):
    Run.open(tmp_path, toy_recipe())
    other = replace(toy_recipe(precision="bf16"), system=ToyConfig(dim=16))
    with pytest.raises(ValueError, match=r"system\.dim was 8, now 16; stages\.tokenizer\.precision was \"fp32\""):
        Run.open(tmp_path, other)
    more = Run.open(tmp_path, toy_recipe(steps=99, checkpoint_every=3, sample_every=9, accumulate=1))
    assert json.loads((more.path / "recipe.json").read_text())["stages"]["prior"]["steps"] == 99


def test_a_field_younger_than_the_run_is_no_other_recipe(tmp_path):
    Run.open(tmp_path, toy_recipe())
    saved = json.loads((tmp_path / "recipe.json").read_text())
    del saved["system"]["dropout"], saved["stages"]["prior"]["data"]["image_share"]
    (tmp_path / "recipe.json").write_text(json.dumps(saved))
    Run.open(tmp_path, toy_recipe())
    (tmp_path / "recipe.json").write_text(json.dumps(saved))
    with pytest.raises(ValueError, match=r"system\.dropout was \"absent\", now 0\.3"):
        Run.open(tmp_path, replace(toy_recipe(), system=ToyConfig(dropout=0.3)))


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-3] ^= 64
    file.write_bytes(data)


def _pickle(file: Path) -> None:
    torch.save({"a": torch.zeros(1)}, file)


@pytest.mark.parametrize(
    ("damage", "said"),
    [(_cut, "is damaged"), (_flip, "is damaged"), (_pickle, "is a pickle"), (Path.unlink, "missing")],
)
def test_a_damaged_checkpoint_falls_back(tmp_path, damage, said):
    train(tmp_path / "whole", toy_recipe())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", toy_recipe(), stop_at=11)
    newest = tmp_path / "cut/prior/checkpoint-10"
    damage(newest / "optimizer-main.safetensors")
    told: list[str] = []
    train(tmp_path / "cut", toy_recipe(), tell=told.append)
    assert len(told) == 1
    assert said in told[0]
    assert "going back to checkpoint-5" in told[0]
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_no_whole_checkpoint_is_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, toy_recipe(), stop_at=11)
    for folder in (tmp_path / "prior").glob("checkpoint-*"):
        _cut(folder / "weights.safetensors")
    with pytest.raises(ValueError, match=r"no whole checkpoint is left in .*prior"):
        train(tmp_path, toy_recipe())


def test_a_tampered_final_is_refused(tmp_path):
    train(tmp_path, toy_recipe())
    _flip(tmp_path / "tokenizer/final.safetensors")
    with pytest.raises(ValueError, match=r"tokenizer/final\.safetensors: is damaged or was changed"):
        train(tmp_path, toy_recipe())


def test_a_stage_on_another_tokenizer_is_refused(tmp_path):
    train(tmp_path, toy_recipe())
    longer = toy_recipe()
    longer = replace(longer, stages={**longer.stages, "tokenizer": toy_stage(steps=14)})
    with pytest.raises(ValueError, match=r"stage 'prior' was begun on another tokenizer; remove .*prior"):
        train(tmp_path, longer)


def test_more_steps_go_on(tmp_path):
    train(tmp_path, toy_recipe(), only="tokenizer")
    run = train(tmp_path, toy_recipe(steps=20), only="tokenizer")
    assert (run.stage("tokenizer").final() or {})["step"] == 20
    assert len((tmp_path / "tokenizer/log.jsonl").read_text().splitlines()) == 20
    with pytest.raises(ValueError, match=r"stages\.tokenizer\.steps: 12 is fewer than the 20 already trained"):
        train(tmp_path, toy_recipe(steps=12), only="tokenizer")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(gradient_checkpointing=True), r"gradient_checkpointing: ToyTokenizer cannot"),
        (dict(accumulate=3), r"data\.batch: 4 clips cannot be split evenly"),
        (dict(ema=1.0), "ema: expected"),
    ],
)
def test_settings_that_cannot_be_followed(tmp_path, changes, said):
    with pytest.raises(ValueError, match=said):
        train(tmp_path, toy_recipe(**changes))


def test_stage_that_is_not_there_or_not_yet(tmp_path):
    with pytest.raises(ValueError, match="--stage tail: this recipe has tokenizer, prior"):
        train(tmp_path, toy_recipe(), only="tail")
    with pytest.raises(ValueError, match="stage 'tokenizer' is not finished"):
        train(tmp_path, toy_recipe(), only="prior")


def test_two_processes_cannot_train_into_one_folder(tmp_path):
    run = Run.open(tmp_path, toy_recipe())
    first = run.stage("tokenizer")
    first.open()
    system, recipe = build(toy_recipe()), toy_recipe().stages["tokenizer"]
    with pytest.raises(ValueError, match="another process is training into this folder"):
        train_stage(system.tokenizer, toy_loader("tokenizer", recipe, None, None, ""), recipe, run.stage("tokenizer"))
    first.close()


@pytest.mark.parametrize("path", ["file/run", "/proc/run"])
def test_unwritable_folder(tmp_path, path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"run"):
        Run.open(tmp_path / path, toy_recipe())


def test_full_disk_names_the_file_and_keeps_the_last_checkpoint(tmp_path):
    """A limit on the size of files stands in for the full disk: the system refuses the write in the same way."""
    recipe = replace(toy_recipe(), system=ToyConfig(dim=256))  # whose checkpoints are larger than its log
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, recipe, stop_at=7, stage="tokenizer")
    before = contents(tmp_path / "tokenizer/checkpoint-5")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(f.stat().st_size for f in (tmp_path / "tokenizer/checkpoint-5").glob("*.safetensors"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, limits[1]))
    try:
        with pytest.raises(OSError, match=r"checkpoint-10: no room to write the checkpoint .*checkpoint-5 is whole"):
            train(tmp_path, recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(tmp_path / "tokenizer/checkpoint-5") == before
    assert not list((tmp_path / "tokenizer").glob("*.tmp-*"))
    train(tmp_path, recipe)
    train(tmp_path / "whole", recipe)
    for stage in ("tokenizer", "prior"):
        assert contents(tmp_path / stage) == contents(tmp_path / "whole" / stage)


def test_log_on_a_full_disk_says_where(tmp_path, monkeypatch):
    run = Run.open(tmp_path, toy_recipe()).stage("tokenizer")
    run.path.mkdir()
    monkeypatch.setattr("storyreel.run.not_through_a_link", lambda *_: os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(OSError, match="No space left on device") as told:
        run.log({"step": 1})
    assert told.value.filename.endswith("log.jsonl")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_writes_a_checkpoint(tmp_path, number):
    command = [sys.executable, str(CHILD), str(tmp_path), "100000", "1"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "tokenizer/log.jsonl"
    end = time.monotonic() + 300
    while time.monotonic() < end and (not log.exists() or log.stat().st_size < 2000):
        time.sleep(0.05)
    child.send_signal(number)
    assert "KeyboardInterrupt" in child.communicate(timeout=600)[1]  # which the command line turns into 130
    steps = len(log.read_text().splitlines())
    found = Run.open(tmp_path, toy_recipe(steps=100000, accumulate=1)).stage("tokenizer").load()
    assert found is not None
    assert found.step == steps
