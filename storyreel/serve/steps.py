"""What a worker does after each step of a video: it notes how far that is, hears of a cancel, and shows a preview."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storyreel.clip import Clip
    from storyreel.serve.attempts import Attempt
    from storyreel.serve.table import VideoRow
    from storyreel.serve.worker import VideoWorker
    from storyreel.systems.base import Progress

PREVIEW_SHARE = 0.05  # of the time that may go into previews
PREVIEW_FRAMES = 32  # at most, the last ones
PREVIEW_SIDE = 160  # pixels that a preview's longer side has at least


class GoneError(Exception):
    """The video is not this worker's any more."""


class StepCallback:
    """Called after each step of a generation. Raises Cancelled where it was cancelled, or the server stops."""

    def __init__(self, worker: VideoWorker, video: VideoRow, share: float = PREVIEW_SHARE) -> None:
        self.worker, self.video, self.share = worker, video, share
        self.preview: Callable[[], Clip] | None = None
        self.number, self.count = 0, int(video.settings.get("max_tries", 1))
        self.best: Attempt | None = None
        self.stopping = self.cancelled = self.gone = False
        self._began, self._spent = time.monotonic(), 0.0

    def check(self, what: str, progress: int) -> None:
        from storyreel import Cancelled

        if self.worker.stopped.is_set():
            self.stopping = True
            raise Cancelled
        answer = self.worker.table.report(self.video.id, self.worker.claim, progress, what)
        if answer == "cancel":
            raise Cancelled
        if answer == "gone":
            raise GoneError

    def __call__(self, step: Progress) -> None:
        self.preview = step.preview or self.preview
        what = f"{step.what} {step.done}/{step.total}"
        if self.count > 1:
            what = f"try {self.number + 1} of at most {self.count}: {what}"
        done = (self.number + step.done / max(1, step.total)) / self.count
        self.check(what, min(99, round(100 * done)))
        message: dict[str, Any] = {"event": "step", "id": self.video.id, "done": self.number * step.total + step.done}
        now = time.monotonic()
        if step.preview is not None and self._spent <= self.share * (now - self._began):
            with suppress(ValueError):  # nothing that could be shown yet
                message["preview"] = _picture(step.preview())
            self._spent += time.monotonic() - now
        self.worker.tell(message)


def _picture(clip: Clip) -> str:
    """The end of a clip as an animated WebP, in base64."""
    from PIL import Image

    frames = clip.replace(frames=clip.frames[-PREVIEW_FRAMES:]).over().frames
    factor = max(1, -(-PREVIEW_SIDE // max(frames.shape[1:3])))
    pictures = [
        Image.fromarray(frame).resize((frame.shape[1] * factor, frame.shape[0] * factor), 0) for frame in frames
    ]
    out = io.BytesIO()
    pictures[0].save(
        out, "WEBP", save_all=True, append_images=pictures[1:], duration=max(20, round(1000 / clip.fps)), loop=0,
        quality=60, method=0,
    )  # fmt: skip
    return base64.b64encode(out.getvalue()).decode()
