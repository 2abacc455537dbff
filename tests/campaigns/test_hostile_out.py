"""No hostile place for what a verb writes changes a byte that was there; and the campaign would see it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_out import CASES, Case, faults_of, uncovered

SCRIPT = Path(__file__).parent / "hostile_out.py"


def test_every_verb_of_the_command_line_has_a_case():
    assert uncovered() == []


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
