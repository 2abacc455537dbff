"""journeys/gpu.sh from beginning to end at toy size, as on a machine that has PyTorch and little else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from storyreel.cli import main
from storyreel.model import load_model

ROOT = Path(__file__).parents[1]
BARE = """
import sys
blocked = {"av", "pyarrow", "platformdirs", "sklearn", "scipy", "transformers", "huggingface_hub", "pandas"}
finders = list(sys.meta_path)
class Rest:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            return None
        found = (finder.find_spec(name, path, target) for finder in finders)
        return next((spec for spec in found if spec is not None), None)
sys.meta_path[:] = [Rest()]
assert sys.argv[1:3] == ["-m", "storyreel"]
from storyreel.cli import main
main(sys.argv[3:])
"""


@pytest.fixture
def bare(tmp_path) -> Path:
    """A python that lacks what such a machine lacks; it runs `-m storyreel` alone."""
    (tmp_path / "bare.py").write_text(BARE)
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path / "bare.py"}" "$@"\n')
    python.chmod(0o755)
    return python


def run(bare: Path, tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    own = dict(PYTHON=str(bare), OUT=str(tmp_path / "out"), KIT=str(tmp_path / "kit"), DEVICE="cpu", CLIPS="24")
    env = {**os.environ, "PYTHONPATH": str(ROOT), **own, **more}
    env.pop("STORYREEL_CACHE", None)
    return subprocess.run(["sh", "-e", str(ROOT / "journeys/gpu.sh")], env=env, capture_output=True, text=True)


def test_check_train_export_archive(bare, tmp_path):
    more = dict(TRAIN="--set=stages.prior.data.batch=2")
    done = run(bare, tmp_path, MODELS="phenaki_tiny", MINUTES="0.25", **more)
    assert done.returncode == 0, done.stderr
    parts = sorted((tmp_path / "out").glob("phenaki_tiny.tar.gz.*"))
    assert parts
    assert all(part.stat().st_size <= 15_000_000 for part in parts)
    (tmp_path / "whole.tar.gz").write_bytes(b"".join(part.read_bytes() for part in parts))
    with tarfile.open(tmp_path / "whole.tar.gz") as tar:
        tar.extractall(tmp_path / "home", filter="data")
    _, recipe, info = load_model(tmp_path / "home/phenaki_tiny")
    assert recipe.name == "phenaki_tiny"
    assert min(info["training"]["steps"].values()) >= 1


def test_what_fails_is_named(bare, tmp_path):
    done = run(bare, tmp_path, MODELS="phenaki_sprites", MINUTES="0.1", CHECK="no")
    assert done.returncode == 1
    assert "sheets.tar.xz: no such folder" in done.stderr
    assert "gpu.sh: failed: phenaki_sprites" in done.stderr


def test_the_sheets_are_packed_by_a_verb(tmp_path, lpc, capsys):
    with pytest.raises(SystemExit) as done:
        main(["data", "sheets", "--source", str(lpc), "-o", str(tmp_path / "s.tar.xz")])
    assert done.value.code == 0
    assert (tmp_path / "s.tar.xz").stat().st_size < 4 * 2**20
    with tarfile.open(tmp_path / "s.tar.xz") as tar:
        assert "AUTHORS.txt" in tar.getnames()
    with pytest.raises(SystemExit) as done:
        main(["data", "sheets", "--source", str(tmp_path), "-o", str(tmp_path / "t.tar.xz")])
    assert done.value.code == 1
    assert "holds no body/male/light.png" in capsys.readouterr().err
    assert json.dumps(sorted(p.name for p in tmp_path.iterdir())) == '["s.tar.xz"]'
