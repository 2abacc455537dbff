"""What `generate` shows on stderr while it works: a bar, and on a terminal a tiny moving picture."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from storyreel.screen_text import guard_stderr, one_line, rich_console

if TYPE_CHECKING:
    from storyreel.clip import Clip
    from storyreel.generate.batch import JobResult
    from storyreel.systems.base import Progress

WIDE = 40  # columns of the preview
PREVIEW_SHARE = 0.1  # of the time that may go into previews


class GenerationScreen:
    """Use it as a context manager around a run; `progress` and `done` are the callbacks."""

    def __init__(self, total: int, *, quiet: bool = False) -> None:
        self.total, self.quiet = total, quiet
        self.live: Any = None
        self._finished = 0
        self._started = time.monotonic()
        self._spent = 0.0
        self._shown = 0.0
        self._picture: Any = ""

    def __enter__(self) -> GenerationScreen:
        if not self.quiet and sys.stderr.isatty():
            from rich.live import Live
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Bars(*columns)
            self._videos = self._bars.add_task("videos", total=self.total, visible=self.total > 1)
            self._steps = self._bars.add_task("loading the model", total=None)
            console = rich_console()
            # stdout stays as it is: it may be a pipe that somebody reads paths from.
            self.live = Live(console=console, transient=True, redirect_stdout=False, get_renderable=self._render)
            self.live.start(refresh=True)  # at once: a small model is loaded before the next tenth of a second
            guard_stderr()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.live:
            self.live.stop()

    def say(self, line: str) -> None:
        """One line for a person, on stderr."""
        if self.quiet:
            return
        if self.live:
            self.live.console.print(one_line(line), markup=False, highlight=False, soft_wrap=True)
        else:
            print(one_line(line), file=sys.stderr, flush=True)

    def progress(self, step: Progress) -> None:
        if not self.live:
            return
        self._bars.update(self._steps, completed=step.done, total=step.total, description=step.what)
        now = time.monotonic()
        rested = now - self._shown > 0.2 and self._spent < PREVIEW_SHARE * (now - self._started)
        if step.preview and rested:
            try:
                self._picture = picture(step.preview())
            except ValueError:
                self._picture = ""
            self._shown = time.monotonic()
            self._spent += self._shown - now

    def done(self, done: JobResult) -> None:
        self._finished += 1
        if self.live:
            self._bars.update(self._videos, completed=self._finished)
            self._bars.reset(self._steps, total=None, description="sampling")
        if done.error is not None:
            where = f"{done.job.where}: " if done.job.where else ""
            print(one_line(f"storyreel: error: {where}{done.error}"), file=sys.stderr, flush=True)
            return
        if self.total > 1:
            self.say(f"[{self._finished}/{self.total}] {done.job.path}{' (was there)' if done.reused else ''}")
        if done.clip is not None and "standing" in done.clip.meta:
            self.say("storyreel: note: standing still: one frame of a walk is held")
        if done.clip is not None and (ranked := done.clip.meta.get("candidates")):
            of, by = len(ranked["scores"]), ranked["encoder"]
            self.say(f"storyreel: candidate {ranked['chosen'] + 1} of {of} is kept, ranked by {by}")

    def _render(self) -> Any:
        from rich.console import Group

        return Group(self._picture, self._bars) if self._picture else self._bars


def picture(clip: Clip, seconds: float | None = None) -> Any:
    """The frame that plays now, as half-block characters two pixels each."""
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    moment = time.monotonic() if seconds is None else seconds
    frame = clip.over().frames[int(moment * clip.fps) % len(clip)]
    stride = max(1, -(-frame.shape[1] // WIDE))
    frame = frame[::stride, ::stride]
    text = Text(end="")
    for y in range(0, frame.shape[0] - 1, 2):
        for upper, lower in zip(frame[y].tolist(), frame[y + 1].tolist(), strict=True):
            text.append("▀", Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
        text.append("\n")
    return text
