"""Run one function over many items in worker processes, in order, with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from storyreel.screen_text import guard_stderr, rich_console

A = TypeVar("A")
B = TypeVar("B")
LINE_EVERY = 30.0  # seconds, of the progress in a log
DEATHS = 3  # of worker processes, one after the other
_NOTHING: Any = object()


def default_workers() -> int:
    """As many as there are cores for this process."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        return os.cpu_count() or 1


class _Worker(SpawnProcess):
    """A fresh process that does not run the caller's script again, so that scripts need no `__main__` guard."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        main = sys.modules["__main__"]
        kept = {name: getattr(main, name, None) for name in ("__file__", "__spec__")}
        with _uninterrupted():
            try:
                for name in kept:
                    setattr(main, name, None)
                return SpawnProcess._Popen(process_obj)  # pyright: ignore[reportAttributeAccessIssue]
            finally:
                for name, value in kept.items():
                    setattr(main, name, value)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """What starts in here never sees Ctrl-C: stopping workers is the parent's part."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """In each worker: nobody outlives a parent that was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def process(function: Callable[[A], object], argument: A) -> SpawnProcess:
    """`function(argument)` begun in a fresh process, which never sees Ctrl-C and does not outlive this one."""
    made = _Worker(target=_call, args=(function, argument))
    made.start()
    return made


def _call(function: Callable[[A], object], argument: A) -> None:
    _begin()
    function(argument)


class _Context(SpawnContext):
    Process = _Worker  # pyright: ignore[reportAssignmentType]


@contextmanager
def progress(title: str, total: int | None, unit: str = "clips") -> Iterator[Callable[[int], None]]:
    """A bar on stderr; yields `advance(n)`. A line every half minute where stderr is no terminal."""
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


def run(function: Callable[[A], B], items: Iterable[A], *, workers: int, threads: bool = False) -> Iterator[B]:
    """`function(item)` for each item, in order, at most `2 * workers` in flight.

    Processes unless `threads`. With `workers` 1 everything happens right here. Processes cannot unpickle
    what the caller's own script defines. An exception of `function` is raised here; what has not begun is dropped.
    When a worker is killed, what was under way is done again by half as many; OSError when that happens three times
    without a result, so `function` must be safe to repeat.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    pool, waiting, deaths = _pool(workers, threads), iter(items), 0
    flying: deque[tuple[A, Future[B]]] = deque()
    try:
        while True:
            try:
                while len(flying) < 2 * workers and (following := next(waiting, _NOTHING)) is not _NOTHING:
                    flying.append((following, _failed()))  # so that it is not lost when the pool is broken
                    flying[-1] = (following, pool.submit(function, following))
                if not flying:
                    return
                result = flying[0][1].result()
            except BrokenProcessPool:
                deaths, workers = deaths + 1, max(1, workers // 2)
                if deaths == DEATHS:
                    raise OSError(
                        f"a worker process was killed {deaths} times, perhaps for want of memory; what is done is "
                        "kept: run the same command again, with fewer workers"
                    ) from None
                pool.shutdown(wait=True, cancel_futures=True)
                pool = _pool(workers, threads)
                flying = deque((item, f if _is_done(f) else pool.submit(function, item)) for item, f in flying)
                continue
            deaths = 0
            flying.popleft()
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int, threads: bool) -> Executor:
    if threads:
        return ThreadPoolExecutor(workers)
    return ProcessPoolExecutor(workers, mp_context=_Context(), initializer=_begin)


def _failed() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(BrokenProcessPool())
    return future


def _is_done(future: Future[Any]) -> bool:
    """Whether it has a result, or an error of the function's own."""
    return future.done() and not future.cancelled() and not isinstance(future.exception(), BrokenProcessPool)
