"""What a person sees of a training run: a bar or plain lines on stderr, timing.jsonl, and what loggers show."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storyreel.notebook import Bar, is_notebook
from storyreel.screen_text import guard_stderr, rich_console
from storyreel.storage import appending
from storyreel.train.loggers import Loggers


class Reporter:
    """An `on_step` for `train_stage`. Use as a context manager; it draws a bar on a terminal, and elsewhere a line
    every 30 seconds."""

    def __init__(
        self, run: Path, *, quiet: bool = False, log: Sequence[str] = (), active: bool = True, bar: bool = True
    ):
        """log: services of `storyreel.train.loggers`, beside TensorBoard where it is installed."""
        self.run, self.quiet, self.active, self.every = run, quiet, active, 30.0
        self.may_draw = bar
        self.notebook: Bar | None = None
        self.log = [*(["tensorboard"] if importlib.util.find_spec("tensorboard") else []), *log]
        self.bar: Any = None
        self.task: Any = None
        self.loggers: Loggers | None = None
        self.stage = ""
        self.pace = 0.0  # clips/s, a moving average
        self.last_line = self.last_timing = 0.0
        self.began = time.time()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *error: object) -> None:
        self._close_stage()

    def tell(self, line: str) -> None:
        if self.active:
            print(f"storyreel: {line}", file=sys.stderr, flush=True)

    def __call__(self, record: dict[str, Any], extra: dict[str, Any]) -> None:
        if not self.active:
            return
        if extra["stage"] != self.stage:
            self._open_stage(extra["stage"], record["step"], extra["steps"])
        pace = extra["clips"] / max(extra["seconds"], 1e-9)
        self.pace = pace if not self.pace else 0.95 * self.pace + 0.05 * pace
        loss = next((v for k, v in record.items() if k == "loss" or k.endswith("/loss")), None)
        left = (extra["steps"] - record["step"]) * extra["clips"] / self.pace
        self._show(record["step"], extra["steps"], loss, left)
        now = time.time()
        if now - self.last_timing > 10 or record["step"] == extra["steps"]:
            self.last_timing = now
            line = {"step": record["step"], "clips_per_second": round(self.pace, 3), "unix": round(now, 1)}
            with appending(self.run / self.stage / "timing.jsonl") as file:
                file.write((json.dumps(line) + "\n").encode())
        if self.loggers is not None:
            self._log(self.loggers, record, extra["steps"])

    def _log(self, loggers: Loggers, record: dict[str, Any], steps: int) -> None:
        step = record["step"]
        if step % 10 == 0 or step == steps:
            values = {name: value for name, value in record.items() if name != "step" and value is not None}
            loggers.numbers({**values, "clips_per_second": self.pace}, step)
        if (sheet := self.run / self.stage / "samples" / f"{step:07d}.png").is_file():
            loggers.picture(sheet, step)

    def _show(self, step: int, steps: int, loss: float | None, left: float) -> None:
        if self.quiet:
            return
        text = "nan" if loss is None else f"{loss:.4g}"
        if self.notebook is not None:
            self.notebook.show(step, f"loss {text}, {self.pace:.3g} clips/s, {clock(left)} left")
        elif self.bar is not None:
            self.bar.update(
                self.task, completed=step, total=steps, loss=text, pace=f"{self.pace:.3g}", left=clock(left)
            )
        elif time.time() - self.last_line > self.every or step == steps:
            self.last_line = time.time()
            line = f"{self.stage} step {step}/{steps} loss {text} {self.pace:.3g} clips/s {clock(left)} left"
            print(line, file=sys.stderr, flush=True)

    def _open_stage(self, stage: str, step: int, steps: int) -> None:
        self._close_stage()
        self.stage, self.pace = stage, 0.0
        self.notebook = Bar(stage, steps) if self.may_draw and not self.quiet and is_notebook() else None
        if not self.quiet and self.may_draw and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("loss {task.fields[loss]}  {task.fields[pace]} clips/s  {task.fields[left]} left"),
                console=rich_console(),
            )
            self.task = self.bar.add_task(stage, total=None, loss="", pace="", left="")
            self.bar.start()
            guard_stderr()
        if "tensorboard" in self.log and not str(self.run).isprintable():
            self.log.remove("tensorboard")
            self.tell(f"{self.run}: no curves for TensorBoard, which opens no folder with such a name")
        if self.log:
            self.loggers = Loggers.open(self.log, self.run, stage, step, self.tell)

    def _close_stage(self) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.loggers is not None:
            self.loggers.close()
        self.bar = self.loggers = None
        self.stage = ""


def clock(seconds: float) -> str:
    """3 s, 12 min, 4.5 h, 3.2 days."""
    for size, word in ((86400 * 2, "days"), (3600 * 1.5, "h"), (90, "min")):
        if seconds > size:
            return f"{seconds / {'days': 86400, 'h': 3600, 'min': 60}[word]:.3g} {word}"
    return f"{seconds:.0f} s"
