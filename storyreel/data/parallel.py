"""Run one function over many items in worker processes, in order, with a progress bar."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from storyreel.screen_text import guard_stderr, rich_console

A = TypeVar("A")
B = TypeVar("B")


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


class _Context(SpawnContext):
    Process = _Worker  # pyright: ignore[reportAssignmentType]


@contextmanager
def progress(title: str, total: int | None, unit: str = "clips") -> Iterator[Callable[[int], None]]:
    """A bar on stderr; yields `advance(n)`. Silent where stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit} {{task.fields[rate]}}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=rich_console(), transient=True, disable=not sys.stderr.isatty()) as bar:
        if sys.stderr.isatty():
            guard_stderr()
        task = bar.add_task(title, total=total, rate="")

        def advance(n: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, advance=n, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance


def run(function: Callable[[A], B], items: Iterable[A], *, workers: int, threads: bool = False) -> Iterator[B]:
    """`function(item)` for each item, in order, at most `2 * workers` in flight.

    Processes unless `threads`. With `workers` 1 everything happens right here. Processes cannot unpickle
    what the caller's own script defines. An exception of `function` is raised here; what has not begun is dropped.
    """
    if workers <= 1:
        yield from map(function, items)
        return
    pool: Executor
    if threads:
        pool = ThreadPoolExecutor(workers)
    else:
        pool = ProcessPoolExecutor(workers, mp_context=_Context(), initializer=_begin)
    flying: deque[Future[B]] = deque()
    try:
        for item in items:
            flying.append(pool.submit(function, item))
            if len(flying) >= 2 * workers:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
