"""How a list of independent jobs is run: in this process, in several, or on a Ray cluster."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
OnResult = Callable[[int, Any], Any]
"""Called in the calling process with (index of the item, its result), in the order in which they are finished.

What it returns, unless that is None, is kept in place of the result: so a clip that is written need not be held.
"""


class Engine(Protocol):
    """Runs `function` on each item and gives the results in the order of the items.

    The function and the items must be picklable when they leave the process. An exception in the function ends the
    run and is raised here; so does one raised by `on_result`, which is the way to stop early.
    """

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, on_result: OnResult | None = None
    ) -> list[Result]: ...


def get_engine(name: str = "local", workers: int | None = None) -> Engine:
    """The engine "local" or "ray". workers: processes or tasks at a time; None lets the engine choose."""
    if workers is not None and workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    if name == "local":
        return Local(workers or 1)
    if name == "ray":
        return Ray(workers)
    raise ValueError(f"engine: expected local or ray, got {name!r}")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Local:
    """One worker runs in this process; more are processes of their own, which share the cores among them."""

    def __init__(self, workers: int = 1) -> None:
        self.workers = workers

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, on_result: OnResult | None = None
    ) -> list[Result]:
        if self.workers == 1 or len(items) <= 1:
            return [_reported(index, function(item), on_result) for index, item in enumerate(items)]
        workers = min(self.workers, len(items))
        others = set(multiprocessing.active_children())
        # Fresh processes: one that is forked after PyTorch has started its threads can hang.
        pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start_worker, (max(1, cores() // workers),)
        )
        try:
            results: list[Any] = [None] * len(items)
            running: dict[Future[Result], int] = {}
            waiting = iter(enumerate(items))
            while True:
                while len(running) < 2 * workers and (following := next(waiting, None)) is not None:
                    running[pool.submit(function, following[1])] = following[0]
                if not running:
                    pool.shutdown()
                    return results
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index = running.pop(future)
                    results[index] = _reported(index, future.result(), on_result)
                    del future  # and what it holds
        except BrokenProcessPool:
            raise OSError("engine local: a worker process died, perhaps out of memory; try fewer workers") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            _end(set(multiprocessing.active_children()) - others)


def _reported(index: int, result: Any, on_result: OnResult | None) -> Any:
    """What is held of a result once it has been told."""
    instead = on_result(index, result) if on_result else None
    return result if instead is None else instead


def _end(workers: Iterable[BaseProcess]) -> None:
    """Ask processes to end, and end those that have not: a pool hands a worker's SystemExit on as the result of its
    item when it comes in the middle of one, and the worker goes on waiting."""
    workers = list(workers)
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + PATIENCE
    if not all([_has_ended(worker, deadline) for worker in workers]):
        for worker in workers:
            worker.kill()
        deadline = time.monotonic() + 10 * PATIENCE  # none can refuse, but a very busy machine takes its time
        for worker in workers:
            _has_ended(worker, deadline)


def _has_ended(worker: BaseProcess, deadline: float) -> bool:
    """Whether it ends before the deadline (seconds of `time.monotonic`).

    `join` can return at once for a process that still counts as alive: while the pool's own thread is about to note
    that it has ended.
    """
    while worker.is_alive() and time.monotonic() < deadline:
        worker.join(max(0.01, deadline - time.monotonic()))
        time.sleep(0.005)
    return not worker.is_alive()


def wait_calmly() -> None:
    """Call before PyTorch is first imported: threads that wait for each other sleep instead of spinning.

    Spinning gains microseconds on an idle machine and loses seconds on a busy one (measured: a toy model on two busy
    cores, 2.3 s a video with spinning, 0.02 s without).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # the same sums wherever in memory the numbers lie


def _start_worker(threads: int) -> None:
    """Ctrl-C is the parent's to handle; the arithmetic libraries, not yet imported, learn their share of the cores."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    wait_calmly()


TRIES = 3  # to start Ray
PATIENCE = 2.0  # seconds in which a worker that is told to end may put things away


class Ray:
    """Tasks on a Ray cluster: the one that RAY_ADDRESS names, else one that is started on this machine."""

    def __init__(self, workers: int | None = None) -> None:
        try:
            self._ray: Any = importlib.import_module("ray")
        except ImportError:
            raise ValueError("engine ray: ray is not installed; run: pip install 'storyreel[ray]'") from None
        self.workers = workers

    def run(
        self, function: Callable[[Item], Result], items: Sequence[Item], *, on_result: OnResult | None = None
    ) -> list[Result]:
        started = not self._ray.is_initialized()
        if started:
            self.begin()
        try:
            return self._run(function, items, on_result)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            raise OSError(f"engine ray: {str(error).splitlines()[0]}") from None
        finally:
            if started:
                self._ray.shutdown()

    def begin(self) -> Any:
        """Start or find a cluster; the module of Ray. OSError where it cannot.

        Ray waits half a minute for its own programs, too short on a machine that is very busy, and then fails with
        whatever error comes first.
        """
        own: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
        for attempt in range(1, TRIES + 1):
            try:
                self._ray.init(log_to_driver=False, logging_level="error", **own)
                return self._ray
            except Exception as error:  # Ray raises many kinds, the plain one among them
                self._ray.shutdown()
                if attempt == TRIES:
                    reason = (str(error) or type(error).__name__).splitlines()[0]
                    raise OSError(f"engine ray: Ray did not start ({reason}); is the machine too busy?") from None

    def _run(self, function: Callable[..., Any], items: Sequence[Any], on_result: OnResult | None) -> list[Any]:
        at_a_time = self.workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        # Ray pickles functions of installed modules by name; its processes are used again, and so are loaded models.
        task = self._ray.remote(num_cpus=1)(_call)
        results: list[Any] = [None] * len(items)
        running: dict[Any, int] = {}
        waiting = iter(enumerate(items))
        while True:
            while len(running) < at_a_time and (following := next(waiting, None)) is not None:
                running[task.remote(function, following[1])] = following[0]
            if not running:
                return results
            done, _ = self._ray.wait(list(running), num_returns=1)
            index = running.pop(done[0])
            results[index] = _reported(index, self._ray.get(done[0]), on_result)
            del done


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    wait_calmly()
    return function(item)
