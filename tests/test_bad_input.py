"""What bad input gets: one clear line on stderr, a non-zero exit code, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_model import tiny, tiny_folder  # noqa: F401

from storyreel import Clip
from storyreel.cli import main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def refused(capsys, tiny, tmp_path):  # noqa: F811
    """Run `storyreel ARGS`: it must fail with one line on stderr, which is returned, and leave no new file."""

    def run(*args: object) -> str:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as stopped:
            main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        assert stopped.value.code == 1
        assert out == ""
        assert err.startswith("storyreel: error: ")
        assert err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return run


def test_an_unknown_model_gets_the_nearest_name(refused):
    assert "model 'tinny' is not known; did you mean 'tiny'?" in refused("generate", "an orc", "-m", "tinny")


def test_an_empty_prompt(refused):
    for prompt in ("", "   "):
        assert "prompt: it is empty; expected a sentence" in refused("generate", prompt, "-m", "tiny")


def test_an_absurdly_long_prompt(refused):
    assert "has 401 tokens; text encoder hash:32 takes at most 256" in refused("generate", "orc " * 400, "-m", "tiny")
    assert "has 39999 characters" in refused("generate", "orc " * 10_000, "-m", "tiny")


def test_a_prompt_in_words_that_the_model_cannot_know_still_generates_and_says_so_once(capsys, tiny):  # noqa: F811
    Path("p.txt").write_text("blue cheese\ngreen cheese\n")
    with pytest.raises(SystemExit) as stopped:
        main(["generate", "--prompts", "p.txt", "-m", "tiny", "-o", "made", "-q"])
    assert not stopped.value.code
    assert len(list(Path("made").glob("*.mp4"))) == 2
    with pytest.raises(SystemExit):
        main(["generate", "--prompts", "p.txt", "-m", "tiny", "-o", "again"])
    assert capsys.readouterr().err.count("its card lists what it knows: storyreel models show tiny") == 1


def test_an_image_that_is_none(refused):
    Path("a.png").write_text("not a picture")
    assert "a.png" in refused("generate", "an orc", "-m", "tiny", "--image", "a.png")
    Path("b.png").write_bytes(b"")
    assert "b.png" in refused("generate", "an orc", "-m", "tiny", "--image", "b.png")
    assert "absent.png" in refused("generate", "an orc", "-m", "tiny", "--image", "absent.png")


def test_an_image_of_a_hundred_megapixels(refused):
    from PIL import Image

    Image.new("1", (10_000, 10_000)).save("huge.png")
    message = refused("generate", "an orc", "-m", "tiny", "--image", "huge.png")
    assert "huge.png" in message
    assert "pixels" in message


def test_a_clip_to_go_on_from_that_is_none(refused):
    Path("a.mp4").write_bytes(b"\0" * 1000)
    assert "a.mp4" in refused("generate", "an orc", "-m", "tiny", "--extend", "a.mp4")


@pytest.mark.parametrize("seconds", ["0", "-1", "-0.0"])
def test_a_story_with_no_or_negative_durations(refused, seconds):
    Path("s.txt").write_text(f"1s: an orc\n{seconds}s: a woman\n")
    message = refused("generate", "--story", "s.txt", "-m", "tiny")
    assert f"s.txt, line 2: expected a duration over 0 seconds, got {seconds}" in message


def test_frames_that_the_model_cannot_make(refused):
    assert "makes 1 to 4096 frames, got 5000" in refused("generate", "an orc", "-m", "tiny", "--frames", 5000)
    assert "frames: expected a whole number from 1" in refused("generate", "an orc", "-m", "tiny", "--frames", 0)
    assert "seconds: expected a number above 0" in refused("generate", "an orc", "-m", "tiny", "--seconds", -2)


def test_a_folder_that_cannot_be_written_to(refused):
    Path("file").write_text("")
    assert "file" in refused("generate", "an orc", "-m", "tiny", "-o", "file/a.mp4")
    message = refused("generate", "an orc", "-m", "tiny", "-o", "/proc/a.mp4")
    assert "/proc: cannot be written to" in message


def test_an_unknown_format(refused):
    assert "unknown format '.avi'; expected one of .mp4" in refused("generate", "an orc", "-m", "tiny", "-o", "a.avi")


def test_transparency_where_there_is_none(refused):
    message = refused("generate", "an orc", "-m", "tiny", "-o", "a.mp4", "--transparent")
    assert ".mp4 has no transparency; expected one of .webm" in message
    assert "no matte" in refused("generate", "an orc", "-m", "tiny", "-o", "a.webm", "--transparent")


FULL_DISK = """
import contextlib, io, json, resource, sys
from storyreel.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))
told = {}
for suffix in sys.argv[1:]:
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(["generate", "an orc", "-m", "tiny", "-o", f"old.{suffix}", "--scale", "32"])
        except SystemExit as stopped:
            code = stopped.code
    told[suffix] = [code, out.getvalue(), err.getvalue()]
print(json.dumps(told))
"""


def test_a_full_disk(tiny, tmp_path):  # noqa: F811
    """A process that may write no more than a kilobyte a file meets the same error in the same places."""
    pytest.importorskip("resource")
    suffixes = ["mp4", "webm", "gif", "webp", "apng", "png", "mkv"]
    for suffix in suffixes:
        Clip(np.zeros((1, 4, 4, 3), np.uint8), 8, "before").save(tmp_path / f"old.{suffix}", scale=None)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FULL_DISK, *suffixes]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    for suffix, (code, out, err) in json.loads(done.stdout).items():
        assert (code, out) == (1, ""), suffix
        assert err.startswith("storyreel: error: "), suffix
        assert err.count("\n") == 1, suffix
        assert f"old.{suffix}: could not be written" in err
        assert (tmp_path / f"old.{suffix}").read_bytes() == before[tmp_path / f"old.{suffix}"]
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.fixture
def copy(tiny, tmp_path) -> Path:  # noqa: F811
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def test_a_truncated_model_file(refused, copy):
    file = next(copy.rglob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])
    assert file.name in refused("generate", "an orc", "-m", copy)


def test_a_tampered_model_file(refused, copy):
    file = next(copy.rglob("*.safetensors"))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert file.name in refused("generate", "an orc", "-m", copy)


def test_a_pickle_where_a_model_was_expected(refused):
    import pickle

    Path("model.pt").write_bytes(pickle.dumps({}))
    assert "model.pt" in refused("generate", "an orc", "-m", "model.pt")


def test_a_file_without_an_origin(refused):
    Clip(np.zeros((2, 8, 8, 3), np.uint8)).save("a.gif")
    assert "a.gif: does not say what made it" in refused("generate", "--from", "a.gif")


def test_a_spoilt_origin(refused):
    Clip(np.zeros((2, 8, 8, 3), np.uint8), meta={"model": "tiny", "asked": {"prompt": "x", "steps": "rm"}}).save(
        "a.mkv"
    )
    assert "a.mkv: steps: expected a whole number" in refused("generate", "--from", "a.mkv")
    Clip(np.zeros((2, 8, 8, 3), np.uint8), meta={"model": "tiny", "asked": {"prompt": "x"}, "seed": "1"}).save("b.mkv")
    assert "b.mkv: seed: expected a whole number" in refused("generate", "--from", "b.mkv")
