"""The command line as a whole: its help, its version, and completion in shells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from storyreel.cli import VERBS, main

ROOT = Path(__file__).parents[2]


def program(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "storyreel", *args], capture_output=True, text=True, timeout=600, cwd=ROOT,
        env={**os.environ, **environment},
    )  # fmt: skip


def completed(words: str) -> list[str]:
    environment = {"_STORYREEL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    return program(**environment).stdout.split()


def test_verbs_options_and_choices_are_completed():
    assert completed("storyreel ge") == ["generate"]
    assert completed("storyreel data ma") == ["make"]
    assert completed("storyreel generate --fr") == ["--frames", "--from"]
    assert completed("storyreel generate --fit c") == ["crop"]
    assert completed("storyreel evaluate ") == ["benchmark", "compare", "train-judge"]
    assert completed("storyreel evaluate tr") == ["train-judge"]
    assert completed("storyreel evaluate nothing-like-it") == []  # the shell completes files
    assert completed("storyreel evaluate train-judge --st") == ["--steps"]
    assert completed("storyreel curate ") == ["filter", "ablate"]
    assert completed("storyreel curate f") == ["filter"]
    assert "_STORYREEL_COMPLETE" in program(_STORYREEL_COMPLETE="source_bash").stdout


def test_the_version(capsys: pytest.CaptureFixture[str]):
    for flag in ("-V", "--version"):
        with pytest.raises(SystemExit) as stopped:
            main([flag])
        assert stopped.value.code == 0
        assert capsys.readouterr().out.startswith("storyreel ")


def test_help_names_all_verbs_and_nothing_typed_is_wrong_usage(capsys: pytest.CaptureFixture[str]):
    for args, code in ((["--help"], 0), (["-h"], 0), ([], 2)):
        with pytest.raises(SystemExit) as stopped:
            main(args)
        assert (stopped.value.code or 0) == code
        out = capsys.readouterr().out
        assert all(f"\n  {verb} " in out for verb in VERBS)
