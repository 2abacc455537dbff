"""`storyreel check`: what runs is timed, what does not is named, and the exit code says which it was."""

from __future__ import annotations

import json
import mmap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fake_cuda import fake_cuda
from tiny_model import tiny, tiny_folder  # noqa: F401
from typer.testing import CliRunner

from storyreel import recipes
from storyreel.cli.check import app
from storyreel.device_check import Check, Peak, random_batch, shipped_models, shipped_recipes, table
from storyreel.systems.base import Loss
from storyreel.systems.phenaki import MaskGit

CPU = torch.device("cpu")


def call(*args: str):
    return CliRunner().invoke(app, list(args))


def test_a_recipe_and_a_model(tiny):  # noqa: F811
    done = call("--device", "cpu", "--recipes", "phenaki_tiny", "--models", "tiny", "--quick")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert "PyTorch" in lines[0]
    assert [line.split()[:2] for line in lines[2:5]] == [
        ["ok", "phenaki_tiny/tokenizer"], ["ok", "phenaki_tiny/prior"], ["ok", "tiny"],
    ]  # fmt: skip
    assert lines[-1] == "3 of 3 passed"
    assert done.stderr.splitlines() == [
        "storyreel check: phenaki_tiny/tokenizer", "storyreel check: phenaki_tiny/prior", "storyreel check: tiny",
    ]  # fmt: skip


def test_one_document(tiny):  # noqa: F811
    options = ("--device", "cpu", "--recipes", "encoder_tiny", "--models", "none", "--batch", "4", "--train-steps", "2")
    done = call(*options, "--json", "--quiet")
    assert done.exit_code == 0, done.output
    assert not done.stderr
    [row] = json.loads(done.stdout)["rows"]
    assert row["name"] == "encoder_tiny/dual"
    assert row["passed"]
    assert row["batch"] == 4
    assert row["ms"] > 0
    assert row["clips_per_second"] == pytest.approx(4000 / row["ms"])
    assert row["peak"] > 1e6


@pytest.mark.parametrize("harm", ["error", "nan"])
def test_what_fails_is_named_and_the_rest_goes_on(monkeypatch, harm):
    def loss(self, batch, tick):
        if harm == "error":
            raise RuntimeError("a kernel\nthat is not there")
        return Loss(self.space.sum() * float("nan"))

    monkeypatch.setattr(MaskGit, "loss", loss)
    done = call("--device", "cpu", "--recipes", "phenaki_tiny,encoder_tiny", "--models", "none", "--quick", "--quiet")
    assert done.exit_code == 1
    first, second, third = done.stdout.splitlines()[2:5]
    assert first.startswith("ok   phenaki_tiny/tokenizer")
    assert second.startswith("FAIL phenaki_tiny/prior")
    assert ("RuntimeError: a kernel that is not there" if harm == "error" else "the loss is nan") in second
    assert third.startswith("ok   encoder_tiny/dual")
    assert done.stdout.splitlines()[-1] == "2 of 3 passed, 1 failed"


def test_out_of_memory_says_what_to_try(monkeypatch):
    def loss(self, batch, tick):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(MaskGit, "loss", loss)
    rows = list(Check(device=CPU, recipes=("phenaki_tiny",), models=(), quick=True).rows())
    assert [bool(row.error) for row in rows] == [False, True]
    assert "out of memory; a smaller --batch" in rows[1].error


def test_on_a_gpu(tiny):  # noqa: F811
    """One that is not there, but would refuse what a GPU refuses."""
    with fake_cuda():
        check = Check(device=torch.device("cuda"), recipes=("phenaki_tiny",), models=("tiny",), quick=True)
        rows = list(check.rows())
        assert [row.error for row in rows] == [""] * 3
        assert "a GPU that is not there" in table(rows, check.device)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--recipes", "phenaki_tinny"), "did you mean 'phenaki_tiny'"),
        (("--models", "nothing-like-it"), "'nothing-like-it' is not known"),
        (("--train-steps", "0"), "--train-steps: expected at least 1, got 0"),
        (("--batch", "0"), "--batch: expected at least 1, got 0"),
        (("--device", "abacus"), "--device: expected cpu, cuda, ... or auto, got 'abacus'"),
        (("--device", "cuda:7"), "finds no CUDA device here; expected cpu or auto"),
    ],
)
def test_bad_input(args, said):
    done = call(*args)
    assert done.exit_code == 1
    assert isinstance(done.exception, ValueError)
    assert said in str(done.exception)


def test_all_that_ships_is_tried():
    names = shipped_recipes()
    assert {"phenaki_sprites", "imagen_video_distilled", "make_a_video_sprites", "encoder_digits"} <= set(names)
    assert not [name for name in names if name.endswith(("_paper", "_small", "_24gb", "_tiny"))]
    models = shipped_models()
    assert {"phenaki-sprites", "godiva-digits", "make-a-video-sprites"} <= set(models)
    assert not [name for name in models if name.startswith(("encoder-", "judge-"))]


def test_random_batches_are_as_a_loader_gives_them():
    recipe = recipes.get("godiva_tiny")
    system = recipe.system.build()
    data = replace(recipe.stages["generator"].data, image_share=0.5)
    batch = random_batch(system.stages["generator"], data, system.text_dim)
    assert batch["video"].shape == (data.batch, data.channels, data.frames, data.size, data.size)
    assert batch["video"].abs().max() <= 1
    assert (batch["length"] == 1).sum() == round(data.batch / 2)
    assert not batch["text"][~batch["text_mask"]].any()
    assert batch["text_mask"][:, 0].all()


def test_the_peak_is_that_since_it_was_made():
    peak = Peak(CPU)
    before = peak.bytes()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
    size = max(before - resident, 0) + 2**27  # where a peak cannot be forgotten, beyond the old one
    with mmap.mmap(-1, size) as held:  # not malloc, which may have as much left over from other tests
        held.write(bytes(size))
        assert peak.bytes() - before > 100e6
