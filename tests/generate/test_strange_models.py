"""Model folders from strangers: listed as bad, refused in one line, never built before their weights are looked at."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_model import tiny, tiny_folder  # noqa: F401

from storyreel.cli import main
from storyreel.model import load_model, pack_model
from storyreel.outline import build_to_fit, outline
from storyreel.tensor_header import read_header

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
import model_folders
from watched import campaign


@pytest.fixture
def copy(tiny_folder: Path, tmp_path: Path) -> Path:  # noqa: F811
    return Path(shutil.copytree(tiny_folder, tmp_path / "models" / "strange"))


def edit(folder: Path, path: str, value: Any) -> None:
    document = json.loads((folder / "model.json").read_text())
    *keys, last = path.split(".")
    at = document
    for key in keys:
        at = at[key]
    at[last] = value
    (folder / "model.json").write_text(json.dumps(document))


SIZES = [
    ("tokenizer.num_codes", 10**9, "expected a whole number"),
    ("tokenizer.num_codes", 9_000_000, "expected"),
    ("prior.steps", 10**9, "expected a whole number"),
    ("prior.dim", 1_000_000, "expected"),
    ("prior.mlp", 999_999, "expected"),
    ("prior.depth", 1_000, "expected|lacks|more than"),
    ("prior.latent_frames", 10**6, "expected"),
    ("prior.text_dim", 10**6, "expected"),
    ("tokenizer.levels", [9_999_999] * 900, "has unknown"),
]


@pytest.mark.parametrize(("field", "value", "said"), SIZES)
def test_sizes_that_the_weights_do_not_have_cost_nothing(copy, field, value, said):
    edit(copy, f"recipe.system.{field}", value)
    began = time.process_time()
    with pytest.raises(ValueError, match=said) as told:
        load_model(copy)
    assert time.process_time() - began < 10
    assert "\n" not in str(told.value)


def test_what_no_file_holds_is_bounded_too(copy):
    edit(copy, "recipe.system.tokenizer.adversarial", 0.1)
    edit(copy, "recipe.system.tokenizer.discriminator", 100_000)
    with pytest.raises(ValueError, match="too much to be true"):
        load_model(copy)


def test_a_network_is_an_outline_first_and_the_same_afterwards():
    def build() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Conv2d(4, 5, 3), torch.nn.Embedding(7, 8))

    shapes = {name: t.shape for name, t in build().state_dict().items()}
    drawn = outline(build, 5, "here")
    assert all(t.is_meta for t in drawn.state_dict().values())
    assert {name: t.shape for name, t in drawn.state_dict().items()} == shapes
    with pytest.raises(ValueError, match=r"here: lacks '0\.weight' and 4 more"):
        build_to_fit(build, {}, "here")

    def endless() -> torch.nn.Module:
        return torch.nn.ModuleList(torch.nn.Identity() for _ in range(10**9))  # pyright: ignore[reportArgumentType]

    with pytest.raises(ValueError, match="a network of more than 4116 parts; its weights are 5"):
        outline(endless, 5, "here")


BAD = [
    ("model.json", b"[" * 100_000, "is not JSON"),
    ("model.json", b'{"storyreel": ' + b"9" * 5_000 + b"}", "is not JSON"),
    ("model.json", b"\xff\xfe", "is not JSON"),
    ("model.json", b"[]", "expected a JSON object"),
]


def listed(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["models", *args])
    assert not stopped.value.code
    return capsys.readouterr()


@pytest.mark.parametrize(("name", "content", "reason"), BAD)
def test_a_bad_folder_is_listed_as_bad_with_its_reason(copy, capsys, monkeypatch, name, content, reason):
    monkeypatch.setenv("STORYREEL_MODELS", str(copy.parent))
    (copy / name).write_bytes(content)
    out, err = listed(capsys)
    assert "phenaki-sprites" in out
    assert "skipped strange, which is bad: " in err
    assert reason in err
    document = json.loads(listed(capsys, "--json")[0])
    (bad,) = document["bad"]
    assert bad["name"] == "strange"
    assert reason in bad["reason"]


def test_whatever_one_folder_does_the_others_are_listed(copy, capsys, monkeypatch):
    from storyreel.generate import registry

    real = registry.describe

    def describe(folder: Path) -> dict[str, Any]:
        if folder.name == "strange":
            raise TypeError("deep\ninside")
        return real(folder)

    monkeypatch.setattr(registry, "describe", describe)
    monkeypatch.setenv("STORYREEL_MODELS", str(copy.parent))
    out, err = listed(capsys)
    assert "phenaki-sprites" in out
    assert "strange, which is bad: TypeError: deep\\ninside" in err


def test_a_card_of_any_bytes_is_shown_and_packed(copy, capsys, tmp_path):
    (copy / "README.md").write_bytes(b"# \x1b[2J\xff\xe2\x80\xae title\n")
    with pytest.raises(SystemExit):
        main(["models", "show", str(copy)])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert out.startswith("# \\x1b[2J")
    assert pack_model(copy, tmp_path / "small").is_dir()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names on this system")
@pytest.mark.parametrize("name", ["model.json", "README.md", "prior/model.safetensors"])
def test_a_pipe_or_an_endless_device_is_refused_and_does_not_hang(copy, name):
    file = copy / name
    for make in (lambda: os.mkfifo(file), lambda: file.symlink_to("/dev/zero")):
        file.unlink()
        make()
        with pytest.raises(SystemExit) as stopped:
            main(["models", "show", str(copy)])
        assert stopped.value.code == 1


def test_the_header_of_weights_is_read_without_them(copy):
    header = read_header(copy / "prior" / "model.safetensors")
    assert header["norm.weight"].shape == (64,)
    assert header["norm.weight"].is_floating_point


def test_a_text_encoder_of_another_width_is_named(copy):
    from storyreel import load

    edit(copy, "recipe.text", "hash:48")
    with pytest.raises(ValueError, match="text encoder hash:48 is 48 wide, and the network reads 32"):
        load(copy)


def test_sixty_broken_folders_through_every_door(tmp_path: Path):
    """The campaign of docs/reliability.md, in small."""
    report = campaign("model_doors", model_folders.begin(tmp_path), range(60))
    assert report.files == 60
    assert report.faults == []
