"""`-` is stdin or stdout: a sentence, a story or prompts come in, a video goes out."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_model import tiny, tiny_folder  # noqa: F401

from storyreel import Clip
from storyreel.cli import main

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture
def call(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch):
    """`generate` with the model tiny, and a text on stdin -> (exit code, stdout, stderr)."""

    def run(*args: Any, stdin: str | bytes = "") -> tuple[int, bytes, str]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(SystemExit) as stopped:
            main(["generate", *map(str, args), "-m", "tiny", "-q"])
        out, err = capfdbinary.readouterr()
        return int(stopped.value.code or 0), out, err.decode()

    return run


def test_the_prompt_comes_from_stdin(call):
    code, out, err = call("-", "-o", "a.mkv", stdin="an orc\nwalks left\n")
    assert (code, out) == (0, b"a.mkv\n"), err
    assert Clip.open("a.mkv").caption == "an orc walks left"
    assert call("-", "-o", "b.mkv", stdin=" \n")[0] == 1, "nothing came"
    assert not Path("b.mkv").exists()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".gif", ".webp", ".apng"])
def test_the_video_goes_to_stdout_and_nothing_else(call, suffix):
    code, out, err = call("an orc", "-o", "-", "--format", suffix, "--steps", 1)
    assert (code, err) == (0, "")
    assert [file for file in Path().iterdir() if file.name != "config.toml"] == [], "no file is left here"
    Path(f"there{suffix}").write_bytes(out)
    assert call("an orc", "-o", f"a{suffix}", "--steps", 1)[0] == 0
    assert Path(f"a{suffix}").read_bytes() == out


def test_stdin_to_stdout(call):
    code, out, _ = call("-", "-o", "-", "--format", "mkv", stdin="an orc")
    assert code == 0
    Path("a.mkv").write_bytes(out)
    assert Clip.open("a.mkv").caption == "an orc"


def test_prompts_come_from_stdin(call):
    code, out, err = call("--prompts", "-", stdin="an orc\n# a comment\na woman walks\n")
    assert code == 0, err
    assert {Path(line).parent for line in out.decode().split()} == {Path("out/stdin")}
    assert sorted(Clip.open(line).caption for line in out.decode().split()) == ["a woman walks", "an orc"]
    rows = "\n".join(json.dumps({"prompt": "an orc", "seed": seed}) for seed in (1, 2))
    code, out, err = call("--prompts", "-", "-o", "folder", stdin=rows)
    assert code == 0, err
    first, second = (Clip.open(line).frames for line in out.decode().split())
    assert not np.array_equal(first, second)
    assert "stdin, line 2" in call("--prompts", "-", stdin='{"prompt": "an orc"}\n{"steps": 0}\n')[2]


def test_a_story_comes_from_stdin(call):
    assert call("--story", "-", "-o", "a.mkv", stdin="0.5s: an orc\n0.5s: a woman\n")[0] == 0
    assert Clip.open("a.mkv").caption == "an orc, then a woman"


def test_stdin_is_text_of_bounded_size(call):
    for args in (["-"], ["--prompts", "-"], ["--story", "-"]):
        code, _, err = call(*args, "-o", "folder/", stdin=b"an orc \xff")
        assert (code, "stdin: expected text in UTF-8" in err) == (1, True)
        code, _, err = call(*args, "-o", "folder/", stdin="an orc\n" * 600_000)
        assert (code, "stdin: expected text of at most 4000000 bytes" in err) == (1, True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("an orc", "-o", "-", "--count", 2), "stdout takes one video; expected a folder"),
        (("--prompts", "-", "-o", "-"), "stdout takes one video"),
        (("an orc", "-o", "-", "--json"), "stdout holds the video"),
        (("an orc", "-o", "-", "--format", "png"), "a .png has a .json beside it"),
        (("-", "--prompts", "-"), "PROMPT is given as well"),
        (("-", "--story", "-"), "PROMPT is given as well"),
    ],
)
def test_what_streams_cannot_hold_is_wrong_usage(call, args, message):
    code, out, err = call(*args, stdin="an orc")
    assert (code, out) == (2, b"")
    assert message in " ".join(err.split())
