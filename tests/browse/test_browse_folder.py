"""The folder in which browse keeps videos that it cut: it goes with the server, and after one that was killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from storyreel.browse.pictures import DatasetPictures

KILLED = """
import os
from pathlib import Path
from storyreel.browse.pictures import DatasetPictures
kept = DatasetPictures(Path("."))
os._exit(9)
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_it_goes_when_it_is_closed(place: Path):
    pictures = DatasetPictures(place)
    assert len(list(place.iterdir())) == 1
    pictures.close()
    assert not list(place.iterdir())


def test_what_a_killed_server_left_goes_with_the_next_start(place: Path):
    (place / "mine").mkdir()
    done = subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "TMPDIR": str(place)}, check=False)
    assert done.returncode == 9
    left = {path.name for path in place.iterdir()} - {"mine"}
    assert len(left) == 1
    pictures = DatasetPictures(place)
    there = {path.name for path in place.iterdir()} - {"mine"}
    assert len(there) == 1
    assert not there & left
    pictures.close()
    assert [path.name for path in place.iterdir()] == ["mine"]
