"""A worker process: claims one video of the table after the other, makes it, and keeps its models loaded.

    python -m storyreel.serve.worker FOLDER CLAIM MODELS [DEVICE]

MODELS: a JSON object, name -> folder. DEVICE: "ray" computes on a Ray cluster.

A line on stdin says that there may be work. The end of stdin says that the server has stopped or died: the video that
is being made goes back into the queue. On stdout: a JSON object a line, about steps with previews, and ends.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storyreel.engine import cores, wait_calmly
from storyreel.json_file import parse_json
from storyreel.options.generation import GenerateOptions
from storyreel.serve.attempts import attempt, peak_memory
from storyreel.serve.batches import make_together
from storyreel.serve.files import VideoFiles
from storyreel.serve.settings import options_of
from storyreel.serve.steps import GoneError, StepCallback
from storyreel.serve.table import VideoRow, VideoTable

if TYPE_CHECKING:
    from storyreel.clip import Clip

MODELS = 2  # that stay loaded
RAY = "ray"  # in place of a device
PATIENCE = 10.0  # seconds that a step may take once the server is gone


class VideoWorker:
    """Makes videos until `stop`. models: name -> folder; tell: what the server is told."""

    def __init__(
        self,
        folder: Path,
        claim: str,
        models: Mapping[str, str],
        tell: Callable[[dict[str, Any]], None],
        device: str | None = None,
    ) -> None:
        self.table, self.files = VideoTable(folder, durable=False), VideoFiles(folder)
        self.claim, self.tell = claim, tell
        self.stopped, self.woken = threading.Event(), threading.Event()
        self.models = models
        self.loaded: set[str] = set()  # models that were opened at some time
        load, self.memory = _in_cluster() if device == RAY else _here(device)
        self._load = lru_cache(MODELS)(lambda name: load(models[name]))

    def load(self, name: str) -> Any:
        model = self._load(name)
        self.loaded.add(name)
        return model

    def stop(self) -> None:
        self.stopped.set()
        self.woken.set()

    def run(self) -> None:
        while not self.stopped.is_set():
            self.woken.clear()
            video = self.table.take(self.claim)
            if video is None:
                self.woken.wait(2.0)
                continue
            make_together(self, video)
        self.table.release(self.claim, self.files.facts, None)
        self.table.close()

    def make(self, video: VideoRow) -> None:
        """One video, to its end: completed, failed with the reason, or left to others."""
        from storyreel import Cancelled

        steps = StepCallback(self, video)
        began = time.monotonic()
        try:
            if video.model not in self.models:
                raise ValueError(f"The model {video.model} is not served any more.")
            steps.check("loading the model", 0)
            model = self.load(video.model)
            loading = time.monotonic() - began
            options = self.options(video, model)
            made = attempt(lambda seed: model.make(options, seed, 0, steps), model.info, options, video.seed, steps)
            cost = {"seconds": round(made.seconds, 3), "loading": round(loading, 3)}
            cost["memory"] = self.memory(model)
            self.publish(video, made.clip, made.as_json() | {"cost": cost})
        except Cancelled:
            self.cancelled(video, steps)
        except GoneError:
            return
        except (ValueError, OSError) as error:
            self.fail(video, "generation_failed", " ".join(str(error).split()))
        except MemoryError as error:
            self.fail(video, "out_of_memory", f"There was not enough memory: {error}")
        except RuntimeError as error:
            if "memory" not in str(error):
                raise
            self.fail(video, "out_of_memory", "There was not enough memory; ask for a smaller size or fewer frames.")

    def options(self, video: VideoRow, model: Any) -> GenerateOptions:
        return options_of(video, self.files).with_candidates(model.default_candidates)

    def publish(
        self, video: VideoRow, clip: Clip, more: Mapping[str, Any], error: tuple[str, str] | None = None
    ) -> None:
        """Write the files, and let them appear together with the new status. more: what the table keeps as well."""
        result = result_of(clip, video, partial=error is not None) | dict(more)
        prepared = self.files.prepare(video.id, clip, video.format, video.scale, result)
        try:
            if not self.table.finish(video.id, self.claim, result=result, error=error, publish=prepared.publish):
                raise GoneError
        finally:
            prepared.discard()

    def cancelled(self, video: VideoRow, steps: StepCallback) -> None:
        """What is made so far stays."""
        error = ("cancelled", "It was cancelled.")
        if steps.stopping:
            self.table.release(self.claim, self.files.facts, None)
            return
        try:
            if steps.best is not None:
                self.publish(video, steps.best.clip, steps.best.as_json(), error)
                return
            if steps.preview is not None:
                clip = steps.preview().replace(caption=str(video.settings.get("prompt", "")))
                self.publish(video, clip, {}, error)
                return
        except (ValueError, OSError):
            pass
        except GoneError:
            return
        self.table.finish(video.id, self.claim, error=error)

    def fail(self, video: VideoRow, code: str, message: str) -> None:
        self.table.finish(video.id, self.claim, error=(code, message[:1000]))


def result_of(clip: Clip, video: VideoRow, partial: bool = False) -> dict[str, Any]:
    """What the table keeps of a clip, JSON values."""
    from storyreel.video_io import scale_for

    height, width = clip.size
    factor = video.scale or scale_for(height, width)
    meta = {name: clip.meta[name] for name in ("drawn", "restated", "candidates", "digest") if name in clip.meta}
    return {
        "frames": len(clip), "fps": str(clip.fps), "width": width, "height": height, "transparent": clip.has_alpha,
        "seconds": f"{clip.seconds:g}", "size": f"{width * factor}x{height * factor}", **meta,
        **({"partial": True} if partial else {}),
    }  # fmt: skip


Place = tuple[Callable[[str], Any], Callable[[Any], int]]
"""Where models compute: what loads one from its folder, and the bytes of memory that it has held at most."""


def _in_cluster() -> Place:
    """In a replica of a Ray cluster, which is joined first. OSError: there is none."""
    from storyreel.serve.replica import Cluster, RemoteModel

    return partial(RemoteModel, Cluster()), lambda model: model.memory


def _here(device: str | None) -> Place:
    return partial(_load, device=device), lambda model: peak_memory(model.system.device)


def _load(folder: str, device: str | None) -> Any:
    import torch

    from storyreel.generate.model import load

    torch.set_num_threads(min(torch.get_num_threads(), cores()))
    return load(folder, device=device)


def _listen(worker: VideoWorker) -> None:
    """Wake the worker at each line; stop it at the end, and for good where a step takes too long."""
    while os.read(0, 4096):
        worker.woken.set()
    worker.stop()
    time.sleep(PATIENCE)
    worker.table.release(worker.claim, worker.files.facts, None)
    os._exit(3)


def main(argv: list[str]) -> None:
    wait_calmly()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is not for the server

    def tell(event: dict[str, Any]) -> None:
        try:
            out.write(json.dumps(event) + "\n")
            out.flush()
        except OSError:  # the server is gone
            worker.stop()

    folder, claim, models, *device = argv
    try:
        worker = VideoWorker(Path(folder), claim, parse_json(models), tell, *device)
    except OSError as error:  # no video is claimed yet: they wait until this is mended
        sys.exit(f"storyreel: {error}")
    threading.Thread(target=_listen, args=(worker,), daemon=True).start()
    try:
        worker.run()
    except KeyboardInterrupt:
        worker.table.release(worker.claim, worker.files.facts, None)


if __name__ == "__main__":
    main(sys.argv[1:])
