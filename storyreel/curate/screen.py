"""What `curate` shows on stderr: films, hours of footage an hour, the share that is kept, the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from storyreel.screen_text import guard_stderr, one_line, rich_console


class CurationScreen:
    """Use as a context manager around a run. Without a terminal it only says what went wrong."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._live: Any = None
        self._task: Any = None
        self._sizes: Sequence[int] = ()
        self._done = self._total = 0
        self._bytes = 0
        self._seconds = self._selected = self._spans = 0.0
        self._started = time.monotonic()
        self._frames: dict[int, int] = {}

    def __enter__(self) -> CurationScreen:
        if not self.quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
            self._live = Progress(*columns, console=rich_console(), transient=True)
            self._live.start()
            guard_stderr()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def say(self, line: str) -> None:
        """One line for a person; line breaks in file names do not break it."""
        if self.quiet:
            return
        if self._live:
            self._live.console.print(one_line(line), markup=False, highlight=False, soft_wrap=True)
        else:
            print(one_line(line), file=sys.stderr, flush=True)

    def begin_films(self, total: int, sizes: Sequence[int]) -> None:
        """`total` films of which those with `sizes` bytes are still to be measured."""
        self._sizes, self._total, self._done = sizes, total, total - len(sizes)
        self._started = time.monotonic()
        self._begin("films", total, self._done)

    def film_beat(self, index: int, frames: int) -> None:
        self._frames[index] = frames
        self._show(self.films_line())

    def film_done(self, index: int, seconds: float, selected: float, spans: float) -> None:
        """seconds of footage; of them in spans, and in spans that the thresholds keep."""
        self._frames.pop(index, None)
        self._done, self._bytes = self._done + 1, self._bytes + self._sizes[index]
        self._seconds, self._selected, self._spans = (
            self._seconds + seconds,
            self._selected + selected,
            self._spans + spans,
        )
        if self._live:
            self._live.advance(self._task)
        self._show(self.films_line())

    def films_line(self) -> str:
        spent = max(time.monotonic() - self._started, 1e-6)
        parts = [f"{self._done}/{self._total} films"]
        if self._seconds:
            parts.append(f"{self._seconds / spent:.1f} h of footage/h")
        if self._spans:
            parts.append(f"{self._selected / self._spans:.0%} kept")
        if self._frames:
            parts.append(f"frame {sum(self._frames.values()):,}")
        left = sum(self._sizes) - self._bytes
        if self._bytes:
            parts.append(f"{_clock(spent * left / self._bytes)} left")
        return ", ".join(parts)

    def begin(self, what: str, total: int) -> None:
        """Another bar: `advance` counts."""
        self._begin(what, total, 0)
        self._done, self._total = 0, total

    def advance(self, count: int = 1) -> None:
        self._done += count
        if self._live:
            self._live.advance(self._task, count)
        self._show(f"{self._done}/{self._total}")

    def _begin(self, what: str, total: int, done: int) -> None:
        if self._live:
            if self._task is not None:
                self._live.remove_task(self._task)
            self._task = self._live.add_task(what, total=total, completed=done, note="")

    def _show(self, note: str) -> None:
        if self._live:
            self._live.update(self._task, note=note)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
