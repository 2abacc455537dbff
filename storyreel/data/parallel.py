"""Run one function over many items in worker processes, in order, with a progress bar."""

from __future__ import annotations

import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from typing import Any, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from storyreel.data.child_process import Child, LostError
from storyreel.notebook import Bar, is_notebook
from storyreel.screen_text import guard_stderr, rich_console

A = TypeVar("A")
B = TypeVar("B")
LINE_EVERY = 30.0  # seconds, of the progress in a log
DEATHS = 3  # of the worker processes of one item


@contextmanager
def progress(title: str, total: int | None, unit: str = "clips") -> Iterator[Callable[[int], None]]:
    """A bar on stderr, or of a notebook; yields `advance(n)`. A line every half minute where there is neither."""
    if is_notebook():
        yield _in_notebook(title, total)
        return
    if not sys.stderr.isatty():
        yield _lines(title, total, unit)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit} {{task.fields[rate]}}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=rich_console(), transient=True) as bar:
        guard_stderr()
        task = bar.add_task(title, total=total, rate="")

        def advance(n: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, advance=n, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance


def _in_notebook(title: str, total: int | None) -> Callable[[int], None]:
    bar, done = Bar(title, total), 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        bar.show(done)

    return advance


def _lines(title: str, total: int | None, unit: str) -> Callable[[int], None]:
    begun = shown = time.monotonic()
    done, whole = 0, "" if total is None else f" of {total:,}"

    def advance(n: int) -> None:
        nonlocal done, shown
        done, now = done + n, time.monotonic()
        if now - shown >= LINE_EVERY:
            shown = now
            print(f"{title}: {done:,}{whole} {unit}, {done / (now - begun):,.0f}/s", file=sys.stderr, flush=True)

    return advance


@dataclass(frozen=True)
class Death:
    """What is known of an item whose worker process died, each of DEATHS times.

    at: the number that the function had last reported (`child_process.report`). why: how it died, in words.
    killed: by SIGKILL, as the system does when memory runs out: it may pass at another time.
    """

    at: int
    why: str
    killed: bool

    def __str__(self) -> str:
        perhaps = ", perhaps out of memory" if self.killed else ""
        return f"ended the process that decoded it {DEATHS} times of {DEATHS} ({self.why}){perhaps}"


def run(
    function: Callable[[A], B],
    items: Iterable[A],
    *,
    workers: int,
    threads: bool = False,
    without: Callable[[A, Death], A] | None = None,
) -> Iterator[B]:
    """`function(item)` for each item, in order, at most `2 * workers` in flight.

    Processes unless `threads`. With `workers` 1 everything happens right here, unless `without` is given. Processes
    cannot unpickle what the caller's own script defines. An exception of `function` is raised here; what has not
    begun is dropped. When a worker dies, its item is tried again, DEATHS times in all and at last with nothing beside
    it; so `function` must be safe to repeat. Then `without` gives the item that is left when the part is taken out
    that ends its processes; OSError where it is not given or nothing was reported.
    """
    if threads and workers > 1:
        return in_threads(function, items, workers, ahead=2 * workers)
    if workers <= 1 and (threads or without is None):
        return map(function, items)
    return _Run(function, items, max(1, workers), without).results()


def in_threads(function: Callable[[A], B], items: Iterable[A], workers: int, *, ahead: int) -> Iterator[B]:
    """`function(item)` for each item, in order, at most `ahead` begun or done and not yet taken."""
    pool, waiting = ThreadPoolExecutor(workers), iter(items)
    flying: deque[Future[B]] = deque()
    try:
        while True:
            while len(flying) < ahead and (following := next(waiting, pool)) is not pool:
                flying.append(pool.submit(function, following))  # pyright: ignore[reportArgumentType]
            if not flying:
                return
            yield flying.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass
class _Job:
    number: int
    item: Any
    deaths: int = 0
    at: int | None = None


class _Run:
    """The processes of one `run`, and what each of them is doing."""

    def __init__(self, function: Callable[[A], B], items: Iterable[A], workers: int, without: Any) -> None:
        self.jobs = (_Job(number, item) for number, item in enumerate(items))
        self.without = without
        self.window = 2 * workers
        self.limit = workers  # jobs at once: half as many after each one that was killed
        self.idle = [Child(partial(_answer, function)) for _ in range(workers)]
        self.busy: dict[Child, _Job] = {}
        self.again: deque[_Job] = deque()
        self.done: dict[int, tuple[bool, Any]] = {}
        self.next = 0  # number of the first job whose result has not been given

    def results(self) -> Iterator[Any]:
        try:
            while True:
                while self.next in self.done:
                    good, value = self.done.pop(self.next)
                    self.next += 1
                    if not good:
                        raise value
                    yield value
                while len(self.busy) < self.limit and (job := self._following()) is not None:
                    self._begin(job)
                if not self.busy:
                    if not self.again and self.next not in self.done:
                        return
                    continue
                pipes = {child.pipe: child for child in self.busy}
                for pipe in wait(list(pipes)):
                    self._hear(pipes[pipe])  # pyright: ignore[reportArgumentType]
        finally:
            self._end()

    def _following(self) -> _Job | None:
        if self.again:
            alone = self.again[0].deaths == DEATHS - 1
            return None if alone and self.busy else self.again.popleft()
        if any(job.deaths == DEATHS - 1 for job in self.busy.values()):
            return None
        begun = self.next + len(self.done) + len(self.busy)
        return next(self.jobs, None) if begun - self.next < self.window else None

    def _begin(self, job: _Job) -> None:
        child = self.idle.pop()
        self.busy[child] = job
        job.at = None
        try:
            child.send(job.item)
        except LostError as lost:
            self._died(child, lost)

    def _hear(self, child: Child) -> None:
        try:
            kind, value = child.receive()
        except LostError as lost:
            self._died(child, lost)
            return
        if kind == "at":
            self.busy[child].at = value
        elif kind == "done":
            self.done[self.busy.pop(child).number] = value
            self.idle.append(child)

    def _died(self, child: Child, lost: LostError) -> None:
        """The job of a child is put back, or what is left of it. OSError when it has died too often."""
        job = self.busy.pop(child)
        self.idle.append(child)
        job.deaths += 1
        if lost.killed:
            self.limit = max(1, self.limit // 2)
        if job.deaths == DEATHS:
            if self.without is None or job.at is None:
                raise OSError(
                    f"a worker process was killed {DEATHS} times ({lost}), perhaps out of memory; what is done is "
                    "kept: run the same command again, with fewer workers"
                )
            job.item, job.deaths = self.without(job.item, Death(job.at, str(lost), lost.killed)), 0
        self.again.append(job)

    def _end(self) -> None:
        """What has begun is finished, as it may be writing a file."""
        for child in self.busy:
            with suppress(LostError):
                while child.receive()[0] != "done":
                    pass
        for child in (*self.idle, *self.busy):
            child.stop()


def _answer(function: Callable[[A], B], item: A) -> tuple[bool, Any]:
    """(True, the result), or (False, the error), in whose notes the place is told."""
    try:
        return True, function(item)
    except Exception as error:
        error.add_note("".join(traceback.format_exception(error)))
        return False, error
