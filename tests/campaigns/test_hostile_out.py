"""No hostile place for what a verb writes changes a byte that was there; and the campaign would see it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import hostile_out
import kills
import pytest
import typer
from hostile_out import CASES, Case, faults_of, uncovered

SCRIPT = Path(__file__).parent / "hostile_out.py"


def test_every_verb_of_the_command_line_has_a_case():
    """What is named here wants a case in hostile_out.py (it writes), or a place in its READERS or INPUTS."""
    assert uncovered() == []


def test_a_verb_that_is_added_later_is_missed(monkeypatch: pytest.MonkeyPatch):
    """One with -o, one that writes nothing, and an option of an old verb that takes a path."""
    writes, looks = typer.Typer(), typer.Typer()

    @writes.command()
    def write(out: Annotated[Path, typer.Option("--out")], more: Annotated[Path, typer.Option("--log")]) -> None: ...

    @looks.command()
    def look(file: str) -> None: ...

    known = hostile_out.commands()
    added = {"write": typer.main.get_command(writes), "look": typer.main.get_command(looks)}
    monkeypatch.setattr(hostile_out, "commands", lambda: {**known, **added, "inspect": added["write"]})
    assert sorted(uncovered()) == ["inspect", "inspect --log", "look", "write", "write --log"]
    assert kills.unkilled() == ["inspect", "write"]


def test_no_verb_changes_a_foreign_byte(tmp_path: Path):
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[0])
    assert told["cases"] == len(CASES)
    assert told["calls"] > 250
    assert told["faults"] == 0


@pytest.mark.parametrize(
    ("harm", "seen"),
    [
        (lambda p: (p / "photo.jpg").write_text("gone"), "changed or removed"),
        (lambda p: (p / "photo.jpg").unlink(), "changed or removed"),
        (lambda p: (p / "more.txt").write_text("new"), "left "),
        (lambda p: None, "refused for something else: storyreel: error: no"),
    ],
)
def test_the_campaign_sees_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm, seen: str):
    (tmp_path / "theirs" / "clips").mkdir(parents=True)
    (tmp_path / "theirs" / "photo.jpg").write_text("mine")
    (tmp_path / "in").mkdir()

    def call(argv, cwd):
        if argv == [str(tmp_path / "theirs")]:
            harm(tmp_path / "theirs")
        return 1, "storyreel: error: no\n"

    monkeypatch.setattr("hostile_out.call", call)
    found = dict(faults_of(Case("any", lambda box, out: [out], ""), tmp_path))
    assert any(seen in fault for fault in found["a stranger's folder"])
