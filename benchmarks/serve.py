"""Videos of one model in batches, against one at a time: the same queue, made twice by the server's worker.

    make bench-serve         or: python benchmarks/serve.py [MODEL] [--videos 16] [--candidates 1] [--device cuda]

Prints seconds of the wall and of the processor for each, and the ratio; exits 1 where a video differs in a single
pixel. A worker asks for batches where its model makes them: `Model.batch_of`. Both take turns, so that whatever else
the machine does falls on both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from storyreel import read
from storyreel.serve import batches
from storyreel.serve.studio import Studio
from storyreel.serve.worker import VideoWorker

WORDS = ["king", "wizard", "knight", "lizard", "skeleton", "elf", "pirate", "queen"]  # of as many tokens each


class Queue:
    """A folder with a queue, and a worker that has made one video there."""

    def __init__(self, folder: Path, model: str, device: str | None) -> None:
        folder.mkdir()
        self.studio = Studio(folder, [model])
        served = next(iter(self.studio.models.values()))
        self.worker = VideoWorker(folder, folder.name, {served.name: str(served.folder)}, lambda event: None, device)
        self.wall = self.processor = 0.0

    def make(self, requests: list[dict[str, object]], together: bool) -> None:
        """All of them, in batches or not; the seconds are added up."""
        for request in requests:
            self.studio.create(request)
        wall, processor = time.perf_counter(), time.process_time()
        while (video := self.worker.table.take(self.worker.claim)) is not None:
            batches.make_together(self.worker, video) if together else self.worker.make(video)
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor

    def clips(self) -> list[bytes]:
        """Pixels of all videos, in the order of the queue."""
        found = self.studio.table.list(newest=False)
        assert all(video.status == "completed" for video in found), [video.error_message for video in found]
        return [read(self.studio.files.place(video.id) / "clip.mkv").frames.tobytes() for video in found]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="phenaki-sprites")
    parser.add_argument("--videos", type=int, default=16)
    parser.add_argument("--candidates", type=int, default=1, help="a batch has one of each video")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device")
    given = parser.parse_args()
    batches.PAYS.add("cpu")  # where they do not pay: to see it
    requests = [
        {"prompt": f"a {WORDS[n % len(WORDS)]} walks", "seed": n, "candidates": given.candidates}
        for n in range(given.videos)
    ]
    with tempfile.TemporaryDirectory() as folder:
        queues = {name: Queue(Path(folder) / name, given.model, given.device) for name in ("alone", "together")}
        for queue in queues.values():
            queue.make(requests[:1], together=False)
            queue.wall = queue.processor = 0.0
        for number in range(given.rounds):
            part = requests[number :: given.rounds]
            for name, queue in queues.items():
                queue.make(part, together=name == "together")
        alone, together = queues.values()
        for name, queue in queues.items():
            each = f"{queue.wall / given.videos:6.2f} s a video, {queue.processor / given.videos:6.2f} of the processor"
            print(f"{given.model}, {name:9} {each}", flush=True)
        ratio = (
            f"{alone.wall / together.wall:.2f} by the wall, {alone.processor / together.processor:.2f} by the processor"
        )
        print(f"in batches, videos a second to one at a time: {ratio}")
        same = alone.clips() == together.clips()
        print("the same pixels" if same else "PIXELS DIFFER")
        for queue in queues.values():
            queue.studio.close()
            queue.worker.table.close()
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
