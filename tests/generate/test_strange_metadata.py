"""`generate --from` a file of somebody else: nothing in its metadata opens a file of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_model import tiny, tiny_folder  # noqa: F401

from storyreel.cli import main
from storyreel.clip import Clip
from storyreel.options.generation import GenerateOptions
from storyreel.options.input_clip import INPUTS, InputClip


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A picture that is nobody's business, at a path that a stranger may guess."""
    path = tmp_path / "private.png"
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def call(capsys: pytest.CaptureFixture[str], *args: Any) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(arg) for arg in args])
    return int(stopped.value.code or 0), capsys.readouterr().err


def strange(tmp_path: Path, **asked: Any) -> Path:
    """A clip whose metadata asks for these things."""
    meta = {"model": "tiny", "digest": "", "seed": 0, "index": 0, "asked": {"prompt": "an orc", **asked}}
    return Clip(np.zeros((2, 16, 16, 3), np.uint8), meta=meta).save(tmp_path / "strange.mkv", scale=None)


@pytest.mark.parametrize("kind", INPUTS)
def test_a_path_in_the_metadata_is_not_opened(kind: str, tiny: Path, private: Path, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setattr(InputClip, "read", lambda value, kind: pytest.fail(f"opened {value}"))
    sha256 = InputClip.of_clip(Clip(np.asarray(Image.open(private))[None])).sha256
    for value in (str(private), {"path": str(private), "sha256": sha256}, [str(private)]):
        file = strange(private.parent, **{kind: value})
        code, err = call(capsys, "generate", "--from", file, "-o", "out.mkv")
        assert code == 1
        assert f"with --{kind.replace('_', '-')}" in err
        assert "Traceback" not in err
        assert len(err.strip().splitlines()) == 1
        assert not Path("out.mkv").exists()


def test_what_the_user_gives_is_taken(tiny: Path, private: Path, capsys):  # noqa: F811
    file = strange(private.parent, image="/nowhere.png")
    code, err = call(capsys, "generate", "--from", file, "--image", private, "-o", "out.mkv")
    assert code == 0, err
    note = Clip.open("out.mkv").meta["options"]["image"]
    assert note["name"] == "private.png"
    assert str(private.parent) not in str(Clip.open("out.mkv").meta)


def test_folders_in_the_metadata_are_not_opened(tiny: Path, tiny_folder: Path, tmp_path: Path, capsys):  # noqa: F811
    file = strange(tmp_path)
    clip = Clip.open(file)
    clip.replace(meta={**clip.meta, "model": str(tiny_folder)}).save(file, scale=None)
    code, err = call(capsys, "generate", "--from", file, "-o", "out.mkv")
    assert (code, "names its model by a path" in err) == (1, True)
    assert call(capsys, "generate", "--from", file, "-m", "tiny", "-o", "out.mkv")[0] == 0
    file = strange(tmp_path, candidates=2, encoder=str(tmp_path))
    code, err = call(capsys, "generate", "--from", file, "-o", "out.mkv")
    assert (code, "encoder: the metadata names a folder" in err) == (1, True)


def test_an_encoder_is_written_by_its_name(tmp_path: Path):
    asked = GenerateOptions(prompt="an orc", candidates=2, encoder=tmp_path / "mine")
    assert asked.as_json()["encoder"] == "mine"
    assert GenerateOptions(prompt="an orc", candidates=2, encoder="sprites").as_json()["encoder"] == "sprites"
