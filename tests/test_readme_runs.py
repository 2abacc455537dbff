"""Every command of the README is run, one after the other as somebody who pastes them would, in an empty folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.movies.movies import write_movie
from tests.test_readme import ROOT, blocks

SERVERS = ("browse", "serve")
WRITTEN = {  # what a command writes, by what the README calls it
    "archer.gif": ("archer.gif",),
    "wizard.webp": ("wizard.webp",),
    "skeleton.png": ("skeleton.png", "skeleton.json"),
    "pirate.png": ("pirate.png", "pirate.json", "pirate.LICENSE.txt"),
    "story.mp4": ("story.mp4",),
    "runs/mine": ("runs/mine/model/model.json",),
    "-o board": ("board/leaderboard.json",),
    "-o report": ("report/report.html",),
}
QUICK = {  # a whole character takes minutes, and four candidates of many steps a while
    "STORYREEL_SHEET_CANDIDATES": "1",
    "STORYREEL_SHEET_STEPS": "2",
    "STORYREEL_GENERATE_CANDIDATES": "2",
    "STORYREEL_GENERATE_STEPS": "4",
}


def lines(block: str) -> list[str]:
    """The commands of a shell block, without comments and without set-up, which whoever runs the tests has done."""
    found = [line for raw in block.splitlines() if (line := re.sub(r"\s+# .*$", "", raw).strip())]
    return [line for line in found if line.split()[0] not in ("make", "export")]


BLOCKS = [block for block in blocks(ROOT / "README.md", "sh") if lines(block)]


def test_the_blocks_have_all_that_is_looked_for():
    assert sum(len(lines(block)) for block in BLOCKS) >= 12
    assert [name for name in WRITTEN if sum(name in block for block in BLOCKS) != 1] == []


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_what_the_readme_prints_works_when_it_is_pasted(number: int, tmp_path: Path) -> None:
    (tmp_path / "footage").mkdir()
    write_movie(tmp_path / "footage" / "one.mp4", seed=5)
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "STORYREEL_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        **QUICK,
    }
    for line in lines(BLOCKS[number]):
        words = line.split()
        if words[0] == "storyreel" and words[1] in SERVERS:
            served(line, tmp_path, env)
        else:
            ran = subprocess.run(line, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
            assert ran.returncode == 0, f"{line}\n{ran.stdout[-1000:]}\n{ran.stderr[-2000:]}"
    for name in WRITTEN:
        for file in WRITTEN[name] if name in BLOCKS[number] else ():
            assert (tmp_path / file).stat().st_size, file


def served(line: str, folder: Path, env: dict[str, str]) -> None:
    """A page that is served until it is stopped: it says where."""
    with (folder / "served.log").open("w+") as log:
        process = subprocess.Popen(
            line, shell=True, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True
        )
        said = ""
        try:
            for _ in range(600):
                if "http://127.0.0.1" in (said := (folder / "served.log").read_text()) or process.poll() is not None:
                    break
                time.sleep(0.1)
            assert "http://127.0.0.1" in said, f"{line}\n{said}"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def test_the_python_of_the_readme_runs(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    for code in blocks(ROOT / "README.md", "python"):
        ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr[-2000:]
    assert (tmp_path / "orc.mp4").stat().st_size
