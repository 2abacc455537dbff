"""Every command of the README is run, one after the other as somebody who pastes them would, in an empty folder."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.movies.movies import write_movie
from tests.test_readme import ROOT, blocks

SERVERS = ("browse", "serve")


def lines() -> list[str]:
    """What stands in its shell blocks, without comments, line by line."""
    code = "\n".join(blocks(ROOT / "README.md", "sh"))
    return [line for raw in code.splitlines() if (line := re.sub(r"\s+# .*$", "", raw).strip())]


def test_what_the_readme_prints_works_when_it_is_pasted(tmp_path: Path) -> None:
    (tmp_path / "footage").mkdir()
    write_movie(tmp_path / "footage" / "one.mp4", seed=5)
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "STORYREEL_CACHE": str(tmp_path / "cache"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    done = 0
    for line in lines():
        words = line.split()
        if words[0] in ("make", "export"):  # set-up, which whoever runs the tests has done
            continue
        if words[0] == "storyreel" and words[1] in SERVERS:
            served(line, tmp_path, env)
        else:
            ran = subprocess.run(line, shell=True, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
            assert ran.returncode == 0, f"{line}\n{ran.stdout[-1000:]}\n{ran.stderr[-2000:]}"
        done += 1
    assert done >= 12
    for name in (
        "archer.gif",
        "wizard.webp",
        "skeleton.png",
        "skeleton.json",
        "story.mp4",
        "runs/mine/model/model.json",
    ):
        assert (tmp_path / name).stat().st_size, name


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
