"""Killed at any moment, the same command again ends with the bytes of a run that was never killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from stub_films import film, stub_measure
from test_pipeline import VIRTUAL, run, snapshot

from storyreel.curate.pipeline import CurationSettings, Execution, curate
from storyreel.curate.thresholds import Thresholds


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_9_loses_and_repeats_nothing(tmp_path: Path, seed: int):
    for number in range(6):
        scores = [{}, {"text_share": 0.2}, {"motion_flow": 0.0, "motion_difference": 0.0}, {}]
        film(tmp_path / "in" / f"{number}.mp4", scores=scores, seed=number, refuse=number == 4 or None)
    (tmp_path / "in" / "0.txt").write_text("a caption\n")
    script = Path(__file__).parent / "killer_films.py"
    args = [sys.executable, str(script), str(tmp_path / "in"), str(tmp_path / "out"), "10", str(seed)]
    done = subprocess.run(args, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["kills"]) == 10
    assert len(set(told["kills"])) > 2, "kills at several stages"
    whole = snapshot(tmp_path / "out" / "whole")
    assert len(whole) > 15
    for number in range(told["runs"]):
        assert snapshot(tmp_path / "out" / f"killed-{number}") == whole


def test_two_workers_write_what_one_does(tmp_path: Path):
    for number in range(5):
        film(tmp_path / "in" / f"{number}.mp4", seed=number, slow=0.2 if number == 0 else 0)
    run(tmp_path / "in", tmp_path / "one")
    run(tmp_path / "in", tmp_path / "two", where=Execution(workers=2))
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


@pytest.mark.alone
def test_ray_writes_what_local_does_though_a_worker_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("ray", reason="ray is an extra")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where its processes find stub_films
    (tmp_path / "marks").mkdir()
    for number in range(6):
        kills = 1 if number == 2 else 0
        film(tmp_path / "in" / f"{number}.mp4", seed=number, kill_parent=kills, marks=str(tmp_path / "marks"))
    settings = CurationSettings(export=VIRTUAL)
    ray = Execution("ray", workers=2)
    curate([tmp_path / "in"], tmp_path / "ray", settings, Thresholds(), where=ray, job=stub_measure)
    tries = sorted(f.name for f in (tmp_path / "marks").iterdir())
    assert tries.count("2-0") + tries.count("2-1") == 2, "the film of the killed worker was measured again"
    run(tmp_path / "in", tmp_path / "local")
    assert snapshot(tmp_path / "ray") == snapshot(tmp_path / "local")
