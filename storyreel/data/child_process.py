"""Child processes that end with their parent, and one that runs a function on one item after another until it dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

A = TypeVar("A")
STARTING = 300.0  # seconds that a fresh process may need for its imports: a minute was too little on a busy machine
_report: Callable[[int], None] = lambda number: None  # noqa: E731  # in a child: to the parent


_starting = threading.local()


class _Worker(SpawnProcess):
    """A fresh process that does not run the caller's script again, so that scripts need no `__main__` guard."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with _uninterrupted():
            _starting.worker = True
            try:
                return SpawnProcess._Popen(process_obj)  # pyright: ignore[reportAttributeAccessIssue]
            finally:
                _starting.worker = False


def _without_the_script(name: str) -> dict[str, Any]:
    """What a fresh process is told of this one; in a thread that starts a worker, nothing of the script."""
    data = _preparation_data(name)
    if getattr(_starting, "worker", False):
        data = {key: value for key, value in data.items() if not key.startswith("init_main_from")}
    return data


_preparation_data = spawn.get_preparation_data
spawn.get_preparation_data = _without_the_script


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


class LostError(Exception):
    """A child died or hung; the text says which. killed: by SIGKILL, as the system does when memory runs out."""

    def __init__(self, why: str, killed: bool = False) -> None:
        super().__init__(why)
        self.killed = killed


class Child:
    """A process that runs `function` on one item after another. It is started when it is first needed, and again after
    it was lost. The function and the items are picklable.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.pipe: Any = None  # to wait for, with `multiprocessing.connection.wait`
        self._process: Any = None
        self._ready = False

    def send(self, item: Any) -> None:
        """Begin the item. LostError: the child died meanwhile."""
        if self._process is None:
            context = _Context()
            self.pipe, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self.function), daemon=True)
            process.start()
            self._process, self._ready = process, False
            theirs.close()
        try:
            self.pipe.send(item)
        except OSError:
            raise self._lost() from None

    def receive(self, patience: float | None = None) -> tuple[str, Any]:
        """The next that it says: ("ready", 0), ("at", number that the function reported) or ("done", its result).

        patience: seconds without a word after which the child is ended; None waits. LostError: it died or was ended.
        """
        process, pipe = self._process, self.pipe  # another thread may stop it at any moment
        try:
            seconds = patience if self._ready or patience is None else STARTING
            if not pipe.poll(seconds):
                self.stop()
                raise LostError(f"{'hangs: no frame' if self._ready else 'does not start'} in {seconds:g} s")
            self._ready = True
            return pipe.recv()
        except (EOFError, OSError):
            raise self._lost(process) from None

    def stop(self) -> None:
        """Kill it; a `receive` under way ends with LostError."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join(5)

    def _lost(self, process: Any = None) -> LostError:
        process = process or self._process
        process.join(5)
        code = process.exitcode
        self.stop()
        if code is None or code >= 0:
            return LostError(f"exit code {code}")
        return LostError(f"signal {-code}", killed=-code == signal.SIGKILL)


def report(number: int) -> None:
    """For a function that a `Child` runs: tells the parent how far it has come. Elsewhere it does nothing."""
    _report(number)


def _serve(pipe: Any, function: Callable[[Any], Any]) -> None:
    """The child: one item after another, until the parent goes away."""
    global _report
    _begin()
    from storyreel.engine import wait_calmly

    wait_calmly()
    _report = lambda number: pipe.send(("at", number))  # noqa: E731
    pipe.send(("ready", 0))
    with suppress(EOFError, ConnectionError):
        while True:
            pipe.send(("done", function(pipe.recv())))
