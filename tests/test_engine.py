"""Engines: results in order, in one process or several, and what happens when something goes wrong.

Ray is tested by a whole batch, in test_cli.py.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from storyreel.engine import Local, Ray, get_engine


def die(item: int) -> int:
    os._exit(9)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_items(workers):
    told = {}
    results = get_engine("local", workers).run(math.factorial, range(8), on_result=told.__setitem__)
    assert results == [math.factorial(n) for n in range(8)]
    assert told == dict(enumerate(results))


def test_workers_are_other_processes():
    pids = Local(2).run(_pid, range(4))
    assert os.getpid() not in pids
    assert Local(1).run(_pid, range(2)) == [os.getpid()] * 2
    assert Local(2).run(_pid, range(1)) == [os.getpid()], "one item needs no process"


def _pid(item: int) -> int:
    return os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_ends_the_run_and_is_raised_here(workers):
    with pytest.raises(ValueError, match="not defined for negative"):
        Local(workers).run(math.factorial, [1, -1, 2])


def test_the_caller_can_stop_a_run():
    before = set(multiprocessing.active_children())

    def stop(index: int, result: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Local(2).run(math.factorial, range(50), on_result=stop)
    assert not [child for child in multiprocessing.active_children() if child not in before and child.is_alive()]


def test_a_worker_that_does_not_heed_is_ended(tmp_path):
    """As one does that is told to end in the middle of an item: the pool takes its SystemExit for a result."""
    before = set(multiprocessing.active_children())

    def stop(index: int, result: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Local(2).run(_deaf, [tmp_path / "deaf", tmp_path / "waits"], on_result=stop)
    assert (tmp_path / "deaf").exists()
    assert not [child for child in multiprocessing.active_children() if child not in before and child.is_alive()]


def _deaf(path: Path) -> None:
    """The one named "deaf" stays for a minute whatever it is told; the other ends as soon as it is there."""
    if path.name == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        path.touch()
        time.sleep(60)
    while not path.with_name("deaf").exists():
        time.sleep(0.01)


def test_a_worker_that_dies_is_one_clear_error():
    with pytest.raises(OSError, match="a worker process died"):
        Local(2).run(die, range(4))


def test_what_is_no_engine_is_refused():
    with pytest.raises(ValueError, match="expected local or ray, got 'slurm'"):
        get_engine("slurm")
    with pytest.raises(ValueError, match="workers: expected at least 1"):
        get_engine("local", 0)


def test_ray_says_what_to_install_when_it_is_absent(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'storyreel\[ray\]'"):
        get_engine("ray")


class SlowRay:
    """A Ray that comes up at the n-th attempt."""

    def __init__(self, attempt: int) -> None:
        self.attempt, self.begun, self.ended = attempt, 0, 0

    def init(self, **options) -> None:
        self.begun += 1
        if self.begun < self.attempt:
            raise TypeError("expected bytes, NoneType found")

    def shutdown(self) -> None:
        self.ended += 1


@pytest.mark.parametrize(("attempt", "begun"), [(1, 1), (3, 3), (4, 3)])
def test_ray_is_started_again_where_the_machine_was_too_busy(attempt, begun):
    pytest.importorskip("ray")
    engine = Ray()
    engine._ray = SlowRay(attempt)
    if attempt > 3:
        with pytest.raises(OSError, match=r"Ray did not start .expected bytes"):
            engine.begin()
    else:
        engine.begin()
    assert (engine._ray.begun, engine._ray.ended) == (begun, begun - (attempt <= 3))
