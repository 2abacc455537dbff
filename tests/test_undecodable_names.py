"""Folders and files whose names are no UTF-8, as old disks have them, through verb after verb."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest

from storyreel.cli import main

NAME = os.fsdecode(b"b\xff")
TRAINED = [f"--set=stages.{stage}.{what}=1" for stage in ("tokenizer", "prior") for what in ("steps", "data.batch")]


def run_verb(argv: list[str]) -> int:
    with pytest.raises(SystemExit) as done:
        main(argv)
    return int(done.value.code or 0)


def said(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Stdout and stderr of a command that must succeed."""
    code = run_verb([str(arg) for arg in argv])
    out = capsys.readouterr()
    assert code == 0, out.err
    return out.out + out.err


@pytest.mark.skipif(sys.platform == "darwin", reason="its disks take UTF-8 alone")
def test_every_verb_takes_names_that_are_no_utf_8(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path / "cache"))
    place = tmp_path / NAME
    said(capsys, "data", "make", "digits", "-o", place / NAME, "--clips", 3, "--size", 32, "--workers", 1)
    said(capsys, "data", "check", place / NAME)
    said(capsys, "data", "export", place / NAME, "-o", place / "shards")
    said(capsys, "evaluate", place / NAME, "--metrics", "flicker", "-o", place / "report", "--workers", 0, "-q")
    said(capsys, "evaluate", "compare", place / "report", place / "report")
    for data in (NAME, "shards"):
        run = place / f"run of {data}"
        told = said(capsys, "train", "phenaki_tiny", "--data", place / data, "-o", run, "--quiet", *TRAINED)
        assert ("no curves for TensorBoard" in told) == bool(importlib.util.find_spec("tensorboard"))
        assert ("\\udcff" in (run / "model/README.md").read_text(encoding="utf-8")) == (data == NAME)
    said(capsys, "models", "pack", run, "-o", place / "packed")
    clips = sorted((place / NAME / "clips").iterdir())
    for folder in (NAME, "b"):
        (tmp_path / "clips" / folder).mkdir(parents=True)
        for clip in clips:
            (tmp_path / "clips" / folder / f"{NAME}{clip.name}").write_bytes(clip.read_bytes())
    said(capsys, "evaluate", tmp_path / "clips" / NAME, "--metrics", "flicker", "-o", place / "2", "--workers", 0, "-q")
    files = [clip["file"] for clip in json.loads((place / "2/report.json").read_text())["per_clip"]]
    assert files == [f"{NAME}{clip.name}" for clip in clips]
    said(capsys, "study", "create", tmp_path / "clips" / NAME, tmp_path / "clips/b", "-o", place / "study")
    said(capsys, "study", "export", place / "study", "-o", place / "votes.csv")


def test_a_file_that_cannot_be_read_is_named_though_its_name_is_no_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for number in range(2):
        (tmp_path / f"{NAME}{number}.mkv").write_bytes(b"no film")
    assert (
        run_verb(
            ["evaluate", str(tmp_path), "--metrics", "flicker", "-o", str(tmp_path.with_name("r")), "--workers", "0"]
        )
        == 1
    )
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("storyreel: error: ")
    assert "b\\udcff0.mkv" in line
