"""Work that may die or hang, in a child process that is watched: what kills the child does not end the run.

A film can crash a decoder (a signal), eat all memory, or make it loop for ever. So each worker is a process of its own
that reports how far it has come; one that dies, or says nothing for `patience` seconds, is replaced, and its film is
tried again, `tries` times in all. What cannot be read at all (ValueError) is not tried again: it would be no other.
A package that is missing (ImportError) is no film's fault, and ends the run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

from storyreel.data.child_process import Child, LostError, report
from storyreel.read_errors import is_passing, one_line, printable

Beat = Callable[[int], None]
"""Called in the worker with how many frames are done so far."""
Job = Callable[[Any, Beat], Any]
"""What a worker runs: `function(item, beat)`; importable by name, item and result picklable."""
PAUSE = 0.5  # seconds before another try after an error that may pass
BEAT = 0.2  # seconds between two reports, at least


@dataclass(frozen=True)
class Outcome:
    """What became of one item: its result, or the error of the last of `tries` tries.

    passing: the error is of the machine (no memory, an unreachable disk) and says nothing of the item.
    """

    result: Any = None
    error: str | None = None
    tries: int = 1
    passing: bool = False


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long a worker may say nothing, seconds, and how often a film is tried."""

    patience: float = 120.0
    tries: int = 3

    def __post_init__(self) -> None:
        if self.patience <= 0 or self.tries < 1:
            raise ValueError(f"patience and tries: expected more than 0, got {self.patience} and {self.tries}")


class FilmWorker:
    """One child process, started when it is first needed and again after it was lost."""

    def __init__(self, function: Job) -> None:
        self.child = Child(partial(_answer, function))
        self.stopped = False

    def call(self, item: Any, watch: RetryPolicy, on_beat: Beat = lambda frames: None) -> Outcome:
        """What became of the item. ImportError: the worker lacks a package."""
        error, kind = "", ""
        for number in range(1, watch.tries + 1):
            try:
                kind, value = self._ask(item, watch.patience, on_beat)
            except LostError as lost:
                hung = str(lost).startswith(("hangs", "does not"))
                how = "was killed, perhaps out of memory" if lost.killed else "died"
                error = str(lost) if hung else f"the process that read it {how} ({lost})"
                kind = "passing" if lost.killed else "lost"
            else:
                if kind == "done":
                    return Outcome(value, tries=number)
                error = value
                if kind == "missing":
                    raise ImportError(value)
                if kind == "unreadable":
                    return Outcome(error=error, tries=number)
            if self.stopped:
                break
            if kind == "passing" and number < watch.tries:
                time.sleep(number * PAUSE)
        return Outcome(error=error, tries=watch.tries, passing=kind == "passing")

    def stop(self) -> None:
        """Kill the child; a call that is under way ends with an error."""
        self.stopped = True
        self.child.stop()

    def _ask(self, item: Any, patience: float, on_beat: Beat) -> tuple[str, Any]:
        self.child.send(item)
        while True:
            kind, value = self.child.receive(patience)
            if kind == "done":
                return value
            if kind == "at":
                on_beat(value)


def _answer(function: Job, item: Any) -> tuple[str, Any]:
    """In the child: ("done", result), or (what kind of error it is, one line)."""
    last = 0.0

    def beat(frames: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= BEAT:
            last = now
            report(frames)

    try:
        return "done", function(item, beat)
    except ImportError as error:
        return "missing", " ".join(str(error).split())
    except ValueError as error:
        return "unreadable", one_line(error)
    except Exception as error:  # a bug of a library on strange input is that film's error, not the run's
        kind = "passing" if is_passing(error) else "failed"
        return kind, printable(" ".join(f"{type(error).__name__}: {error}".split()))


def run_watched(
    function: Job,
    items: Sequence[Any],
    *,
    workers: int,
    watch: RetryPolicy,
    on_result: Callable[[int, Outcome], None],
    on_beat: Callable[[int, int], None] = lambda index, frames: None,
) -> None:
    """Each item in one of `workers` watched processes; `on_result(index, outcome)` in this thread, as they finish."""
    count = max(1, min(workers, len(items)))
    idle = [FilmWorker(function) for _ in range(count)]
    everyone, lock = list(idle), threading.Lock()

    def call(index: int) -> Outcome:
        with lock:
            worker = idle.pop()
        try:
            return worker.call(items[index], watch, partial(on_beat, index))
        finally:
            with lock:
                idle.append(worker)

    pool = ThreadPoolExecutor(count, thread_name_prefix="storyreel-watch")
    waiting = iter(range(len(items)))
    flying: dict[Future[Outcome], int] = {}
    try:
        while True:
            while len(flying) < count and (index := next(waiting, None)) is not None:
                flying[pool.submit(call, index)] = index
            if not flying:
                return
            for done in wait(flying, return_when=FIRST_COMPLETED).done:
                on_result(flying.pop(done), done.result())
    finally:
        for worker in everyone:
            worker.stop()
        pool.shutdown(wait=True, cancel_futures=True)


_mine: dict[Any, FilmWorker] = {}


def call_watched(function: Job, watch: RetryPolicy, item: Any) -> Outcome:
    """For engines that run tasks elsewhere: one watched child in each of their processes, used again and again."""
    worker = _mine.setdefault(function, FilmWorker(function))
    return worker.call(item, watch)
