"""Models on a Ray cluster, for `storyreel serve --engine ray`.

A worker keeps the table and the files, and a replica, an actor somewhere in the cluster, computes.

A replica gets a card where the cluster has cards, else a core. Model folders have the same paths on all machines. The
worker dies with its replica, and is replaced as one that dies of a video on this machine.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from storyreel.engine import Ray, wait_calmly
from storyreel.generate import registry
from storyreel.options.generation import GenerateOptions
from storyreel.serve.worker import MODELS

if TYPE_CHECKING:
    from storyreel.clip import Clip
    from storyreel.systems.base import OnProgress, Progress

LOOK = 0.2  # seconds between two looks at how far a video is
CALLS = 3  # at once: one that makes a video, one that looks at it, one that stops it


class Replica:
    """What runs in the cluster: makes one video at a time."""

    def __init__(self) -> None:
        wait_calmly()
        from storyreel.generate.model import load

        self._load = lru_cache(MODELS)(load)
        self._step: Progress | None = None
        self._stopped = threading.Event()

    def candidates(self, folder: str) -> int:
        """Load a model; how many candidates it makes of a prompt where their number is not set."""
        return self._load(folder).default_candidates

    def make(self, folder: str, options: GenerateOptions, seed: int) -> tuple[Clip, int]:
        """The video, and the bytes of memory that this process has held at most. Cancelled after `stop`."""
        from storyreel.serve.attempts import peak_memory

        self._stopped.clear()
        self._step, model = None, self._load(folder)
        clip = model.make(options, seed, 0, self._note)
        return clip, peak_memory(model.system.device)

    def _note(self, step: Progress) -> None:
        from storyreel import Cancelled

        self._step = step
        if self._stopped.is_set():
            raise Cancelled

    def step(self) -> tuple[int, int, str] | None:
        """(done, total, what) of the video that is being made; None before its first step."""
        step = self._step
        return None if step is None else (step.done, step.total, step.what)

    def preview(self) -> Clip | None:
        """What there is of it."""
        step = self._step
        return step.preview() if step is not None and step.preview is not None else None

    def stop(self) -> None:
        self._stopped.set()


class Cluster:
    """The replica of one worker, once the cluster has a place for it: no video is claimed before."""

    def __init__(self) -> None:
        self.ray: Any = Ray().begin()
        cards = self.ray.cluster_resources().get("GPU", 0) >= 1
        kind = self.ray.remote(num_cpus=1, num_gpus=int(cards), max_concurrency=CALLS)(Replica)
        self.replica = kind.remote()
        self.get(self.replica.step.remote())

    def get(self, reference: Any) -> Any:
        """A result. What went wrong in the replica is raised here as it was there."""
        try:
            return self.ray.get(reference)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from None


class RemoteModel:
    """A model in a replica, with what a worker uses of `storyreel.generate.model.Model`. Videos are made one by one."""

    system = SimpleNamespace(device=SimpleNamespace(type="ray"))

    def __init__(self, cluster: Cluster, folder: str) -> None:
        self._cluster, self._folder, self.info = cluster, folder, registry.describe(registry.find(folder))
        self.default_candidates: int = cluster.get(cluster.replica.candidates.remote(folder))
        self.memory = 0  # bytes that the replica has held at most

    def make(self, options: GenerateOptions, seed: int, index: int, on_progress: OnProgress) -> Clip:
        cluster, replica = self._cluster, self._cluster.replica
        made, last = replica.make.remote(self._folder, options, seed), None
        try:
            while not cluster.ray.wait([made], timeout=LOOK)[0]:
                step = cluster.get(replica.step.remote())
                if step is not None and step != last:
                    on_progress(self._progress(*step))
                    last = step
        except BaseException:
            replica.stop.remote()
            cluster.ray.wait([made])
            raise
        clip, self.memory = cluster.get(made)
        return clip

    def _progress(self, done: int, total: int, what: str) -> Progress:
        from storyreel.systems.base import Progress

        def preview() -> Clip:
            found = self._cluster.get(self._cluster.replica.preview.remote())
            if found is None:
                raise ValueError("there is nothing to be seen yet")
            return found

        return Progress(done, total, what, preview)
