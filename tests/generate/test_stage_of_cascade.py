"""A cascade stops after the stage that was asked for; other systems say that they cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_model import make_tiny, tiny, tiny_folder  # noqa: F401

import storyreel
from storyreel import Clip
from storyreel.options.generation import GenerateOptions

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def cascade(tmp_path_factory: pytest.TempPathFactory):
    return storyreel.load(make_tiny(tmp_path_factory.mktemp("shelf") / "cascade", "imagen_video_tiny"))


def test_it_stops_after_the_stage(cascade):
    (clip,) = cascade("an orc", stage="ssr1", steps=1)
    assert clip.frames.shape == (3, 8, 8, 3)
    assert clip.fps == 3
    assert clip.meta["options"] == {"prompt": "an orc", "steps": 1, "stage": "ssr1"}
    asked = GenerateOptions.from_json(clip.meta["options"])
    assert np.array_equal(cascade.make(asked, 0).frames, clip.frames), "made again from what the file says"
    assert len(cascade("an orc", stage="ssr1", seconds=0.7, steps=1)[0]) == 2, "by the frame rate of the stage"
    assert cascade("an orc", stage="ssr3", steps=1)[0].frames.shape == cascade("an orc", steps=1)[0].frames.shape


def test_a_stage_that_is_not_there(cascade, tiny):  # noqa: F811
    with pytest.raises(
        ValueError, match=r"^stage: cascade does not stop after 'ssr9'; expected one of base, tsr1, ssr1"
    ):
        cascade("an orc", stage="ssr9")
    with pytest.raises(ValueError, match=r"^stage: expected text of at most 4096 characters, got 3$"):
        cascade("an orc", stage=3)
    with pytest.raises(ValueError, match=r"^stage: tiny does not stop after 'base'; it makes whole videos only"):
        storyreel.load("tiny")("an orc", stage="base")


def test_on_the_command_line(cascade, tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny):  # noqa: F811
    from storyreel.cli import main

    folder = tmp_path / "model"
    make_tiny(folder, "imagen_video_tiny")
    with pytest.raises(SystemExit) as end:
        main(["generate", "an orc", "-m", str(folder), "--stage", "base", "--steps", "1", "-o", "a.png", "-q"])
    assert end.value.code == 0
    assert len(Clip.open(Path("a.png"))) == 2
    with pytest.raises(SystemExit) as end:
        main(["generate", "an orc", "-m", "tiny", "--stage", "base", "-o", "b.png", "-q"])
    assert end.value.code == 1
    assert "stage: tiny does not stop after 'base'" in capsys.readouterr().err
    assert not Path("b.png").exists()


def test_a_size_is_asked_for(cascade, tiny):  # noqa: F811
    (clip,) = cascade("an orc", size="24x16", stage="base", steps=1)
    assert clip.frames.shape == (2, 4, 6, 3)
    assert clip.meta["options"]["size"] == "24x16"
    assert GenerateOptions.from_json(clip.meta["options"]).size == (24, 16)
    with pytest.raises(ValueError, match=r"^size: expected width and height, such as 1280x768, got '24'"):
        cascade("an orc", size="24")
    with pytest.raises(ValueError, match=r"^size: tiny makes its own size alone"):
        storyreel.load("tiny")("an orc", size="24x16")
