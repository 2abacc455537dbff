"""Worker processes: in order, stopped by Ctrl-C without noise, gone when their parent is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from storyreel.data import parallel
from storyreel.data.parallel import run

SCRIPT = """
import sys, time
from storyreel.data.parallel import run
for done in run(time.sleep, [0.05] * 2000, workers=2):
    print(".", flush=True)
"""  # without a __main__ guard, as scripts are


@pytest.mark.parametrize("threads", [True, False])
def test_results_come_in_order(threads):
    items = [f"({x} * {x}, __import__('os').getpid())" for x in range(6)]
    found = list(run(eval, items, workers=2, threads=threads))
    assert [value for value, _ in found] == [0, 1, 4, 9, 16, 25]
    assert (os.getpid() in {pid for _, pid in found}) == threads


def test_errors_come_through():
    with pytest.raises(ValueError, match="invalid literal"):
        list(run(int, ["1", "2", "seven", "4"] * 5, workers=2))


def start():
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background ignores it
    )
    assert process.stdout is not None
    assert process.stdout.readline() == ".\n"
    return process


def test_an_interruption_ends_it_without_noise_of_workers():
    process = start()
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
    _, err = process.communicate(timeout=600)
    assert process.returncode != 0
    assert err.count("Traceback") == 1


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds children in /proc")
def test_workers_do_not_outlive_a_killed_parent():
    process = start()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.kill()
    process.wait()
    for _ in range(600):
        if not any(_running(pid) for pid in children):
            return
        time.sleep(0.1)
    pytest.fail("workers are still there")


def _running(pid):
    """A zombie that nobody collects has ended, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except OSError:
        return False


def test_a_log_gets_a_line_of_progress_now_and_then(monkeypatch, capsys):
    now = iter([0.0, 10.0, 31.0, 40.0, 62.0])
    monkeypatch.setattr(parallel.time, "monotonic", lambda: next(now))
    with parallel.progress("reading", 2000, "captions") as advance:
        for _ in range(4):
            advance(310)
    assert capsys.readouterr().err.splitlines() == [
        "reading: 620 of 2,000 captions, 20/s", "reading: 1,240 of 2,000 captions, 20/s",
    ]  # fmt: skip


def test_the_script_is_hidden_from_workers_and_from_nobody_else(monkeypatch: pytest.MonkeyPatch):
    """A module that another thread imports meanwhile, or another worker that starts, finds the script as it is."""
    from multiprocessing import spawn
    from multiprocessing.context import SpawnProcess

    from storyreel.data.child_process import _Worker

    seen, inside, ended = [], threading.Event(), threading.Event()

    def slow(process: object) -> None:
        seen.append(spawn.get_preparation_data("worker"))
        inside.set()
        ended.wait(60)

    monkeypatch.setattr(sys.modules["__main__"], "__file__", "script.py", raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
    monkeypatch.setattr(SpawnProcess, "_Popen", staticmethod(slow))
    thread = threading.Thread(target=_Worker._Popen, args=(None,))
    thread.start()
    assert inside.wait(60)
    assert sys.modules["__main__"].__file__ == "script.py"
    assert spawn.get_preparation_data("of others")["init_main_from_path"].endswith("script.py")
    ended.set()
    thread.join()
    assert not any(key.startswith("init_main") for key in seen[0])
