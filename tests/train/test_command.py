"""`storyreel train` as a person calls it: a recipe and a dataset folder in, a model folder out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import storyreel
from storyreel.cli import main
from storyreel.clip import Clip
from storyreel.data.folder import write_folder
from storyreel.model import load_model
from storyreel.run import StageRun
from storyreel.train.command import resolve

SHORT = [
    "--set=stages.tokenizer.steps=3",
    "--set=stages.prior.steps=3",
    "--set=stages.tokenizer.data.batch=2",
    "--set=stages.prior.data.batch=2",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "noise"
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (6, 16, 16, 3)).astype(np.uint8) for _ in range(5)]
    rows = [(Clip(f, caption=f"noise number {i}"), {"split": "train"}) for i, f in enumerate(frames)]
    write_folder(path, rows, workers=1)
    return path


def call(*args: object) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(a) for a in args])
    return int(done.value.code or 0)


def test_trains_resumes_and_exports(tmp_path, data, capsys):
    threads = torch.get_num_threads()
    out = tmp_path / "run"
    first = ["train", "phenaki_tiny", "--data", data, "-o", out, *SHORT, "--threads", 1]
    assert call(*first, "--stage", "tokenizer") == 0
    assert not (out / "model").exists()
    assert call(*first) == 0
    said = capsys.readouterr().err
    assert "tokenizer step 3/3 loss" in said
    assert "prior step 3/3 loss" in said
    system, recipe, info = load_model(out / "model")
    assert (system.name, recipe.name) == ("phenaki", "phenaki_tiny")
    assert info["training"]["steps"] == {"tokenizer": 3, "prior": 3}
    assert info["training"]["data"][0]["clips"] == 5
    assert "storyreel train phenaki_tiny" in (out / "model/README.md").read_text()
    for stage in ("tokenizer", "prior"):
        assert len((out / stage / "log.jsonl").read_text().splitlines()) == 3
        assert "clips_per_second" in (out / stage / "timing.jsonl").read_text()
        assert list((out / stage / "tensorboard").iterdir())
        sheet = Image.open(out / stage / "samples/0000003.png")
        assert sheet.width > sheet.height / 4 > 0

    digest = info["digest"]
    assert call(*first, "--quiet") == 0  # nothing to do
    assert capsys.readouterr().err == ""
    assert load_model(out / "model")[2]["digest"] == digest
    assert call(*first[:-2], "--set", "stages.prior.steps=5", "--quiet") == 0
    assert load_model(out / "model")[2]["training"]["steps"] == {"tokenizer": 3, "prior": 5}

    again = ["train", "phenaki_tiny", "--data", f"{data},2.5", "-o", tmp_path / "two", *SHORT, "--quiet"]
    assert call(*again, "--set=stages.tokenizer.optim.lr=0.0", "--stage=tokenizer", "--init", out / "model") == 0
    begun = StageRun(tmp_path / "two/tokenizer", "tokenizer").final_tensors()
    given = load_model(out / "model")[0].stages["tokenizer"].state_dict()
    for name, tensor in begun.items():
        torch.testing.assert_close(tensor, given[name])
    torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["phenaki_tinny"], "did you mean 'phenaki_tiny'"),
        (["nothing_like_it"], "no 'nothing_like_it'; there are "),
        (["phenaki_tiny", "--set", "stages.tokeniser.steps=3"], "did you mean 'tokenizer'"),
        (
            ["phenaki_tiny", "--set", "stages.prior.steps=many"],
            "stages.prior.steps: expected a whole number, got 'many'",
        ),
        (["phenaki_tiny", "--set", "stages.prior.steps=1.5"], "stages.prior.steps: expected a whole number"),
        (["phenaki_tiny", "--set", "stages.prior.precision=fp8"], "expected one of auto, fp32, bf16, got 'fp8'"),
        (["phenaki_tiny", "--set", "stages.prior.optim=3"], "stages.prior.optim has fields of its own"),
        (["phenaki_tiny", "--set", "seed"], "--set seed: expected field=value"),
        (
            ["phenaki_tiny", "--data", "DATA,heavy"],
            "the weight after the comma: expected a number above 0, got 'heavy'",
        ),
        (["phenaki_tiny", "--data", "DATA,-1"], "the weight after the comma: expected a number above 0"),
        (["phenaki_tiny", "--data", "no-such-folder"], "no-such-folder"),
        (["phenaki_tiny", "--stage", "tail"], "--stage tail: this recipe has tokenizer, prior"),
        (["phenaki_tiny", "--stage", "prior"], "stage 'tokenizer' is not finished; train it first"),
        (["phenaki_tiny", "--device", "abacus"], "--device: expected cpu, cuda, ... or auto, got 'abacus'"),
        (["phenaki_tiny", "--init", "no-such-model"], "no-such-model: expected a model folder"),
        (["phenaki_tiny", "-o", "/proc/run"], "/proc/run"),
    ],
)
def test_bad_input_gets_one_line(tmp_path, data, capsys, args, said):
    args = [a.replace("DATA", str(data)) for a in args]
    if "--data" not in args:
        args += ["--data", str(data)]
    if "-o" not in args:
        args += ["-o", str(tmp_path / "run")]
    assert call("train", *args) == 1
    err = capsys.readouterr().err
    assert err.startswith("storyreel: error: ")
    assert err.count("\n") == 1
    assert said in err
    assert not (tmp_path / "run/model").exists()


DRY = "changes nothing with --dry-run"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-o", "RUN"], "--data: expected a dataset folder"),
        (["--data", "DATA"], "--out: expected a run folder"),
        (["--data", "DATA", "-o", "RUN", "--parallel", "magic"], "--parallel: expected ddp or fsdp, got 'magic'"),
        (
            ["--data", "DATA", "-o", "RUN", "--threads", "0"],
            "--threads: expected a whole number from 1 to 10000",
        ),
        (["--data", "DATA", "-o", "RUN", "--minutes", "0"], "--minutes: expected a number above 0 and at most"),
        (
            ["--data", "DATA", "-o", "RUN", "--stages-at-once", "--stage", "prior"],
            "--stages-at-once: trains all stages; stage names one of them",
        ),
        (["--dry-run", "--minutes", "3"], f"--minutes: {DRY}"),
        (["--dry-run", "--stage", "prior"], f"--stage: {DRY}"),
        (["--dry-run", "--parallel", "fsdp"], f"--parallel: {DRY}"),
    ],
)
def test_a_setting_that_does_not_apply_is_wrong_usage(tmp_path, data, capsys, args, said):
    args = [arg.replace("DATA", str(data)).replace("RUN", str(tmp_path / "run")) for arg in args]
    assert call("train", "phenaki_tiny", *args) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_recipe_is_missing():
    assert call("train") == 2


def test_from_python(tmp_path, data, capsys, monkeypatch):
    """`storyreel.train` takes what the command takes; a recipe that is a value, as well."""
    settings = [each.removeprefix("--set=") for each in SHORT]
    out = tmp_path / "run"
    assert storyreel.train("phenaki_tiny", data, out, sets=settings, stage="tokenizer", threads=1) is None
    assert capsys.readouterr() == ("", "")
    assert storyreel.train(resolve("phenaki_tiny", settings), [data], out, threads=1) == out / "model"
    assert load_model(out / "model")[2]["training"]["steps"] == {"tokenizer": 3, "prior": 3}
    assert storyreel.train("phenaki_tiny", data, out, sets=settings) == out / "model"  # nothing to do

    for wrong, said in [
        ({"threads": 0}, "threads: expected a whole number from 1 to 10000, got 0"),
        ({"stages_at_once": True, "stage": "prior"}, "stages_at_once: trains all stages; stage names one of them"),
        ({"step": 3}, "does not know the setting 'step'; there are recipe, data, out"),
        ({"text": tmp_path}, "is no packed text encoder"),
    ]:
        with pytest.raises(ValueError, match=re.escape(said)):
            storyreel.train("phenaki_tiny", data, tmp_path / "other", **wrong)
    with pytest.raises(ValueError, match="data: expected a dataset folder"):
        storyreel.train("phenaki_tiny", [], tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_run_of_another_recipe(tmp_path, data, capsys):
    first = ["train", "phenaki_tiny", "--data", data, "-o", tmp_path, *SHORT, "--quiet", "--stage", "tokenizer"]
    assert call(*first) == 0
    assert call(*first, "--set", "stages.prior.optim.lr=0.5", "--set", "system.prior.depth=1") == 1
    err = capsys.readouterr().err
    assert "was begun with another recipe: system.prior.depth was" in err
    assert "stages.prior.optim.lr was" in err
    assert json.loads((tmp_path / "recipe.json").read_text())["stages"]["prior"]["optim"]["lr"] != 0.5


def test_ctrl_c_is_130(tmp_path, data, monkeypatch):
    from storyreel.train.report import Reporter

    def press(self, record, extra):
        raise KeyboardInterrupt

    monkeypatch.setattr(Reporter, "__call__", press)
    assert call("train", "phenaki_tiny", "--data", data, "-o", tmp_path, *SHORT) == 130


def test_a_text_encoder_of_another_width_than_the_network_is_one_line(tmp_path, data, capsys):
    first = ["train", "phenaki_tiny", "--data", data, "-o", tmp_path / "run", *SHORT, "--threads", 1]
    assert call(*first, "--set=text=hash:48") == 1
    err = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "text: hash:48: its states are 48 wide, and the network reads 32; change the recipe's text_dim" in err


def test_missing_captions_are_told_before_the_first_stage(tmp_path, capsys):
    """The tokenizer reads none and could train for hours; the prior after it needs them."""
    frames = np.zeros((6, 16, 16, 3), np.uint8)
    write_folder(tmp_path / "silent", [(Clip(frames), {"split": "train"})], workers=1)
    out = tmp_path / "run"
    assert call("train", "phenaki_tiny", "--data", tmp_path / "silent", "-o", out, *SHORT) == 1
    assert "has no captions, which training on text needs" in capsys.readouterr().err
    assert not out.exists()
    assert call("train", "phenaki_tiny", "--data", tmp_path / "silent", "-o", out, *SHORT, "--stage", "tokenizer") == 0
