"""Thresholds as the command that makes them so, and that command at work beside the page."""

from __future__ import annotations

import shlex
import subprocess
import sys
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

from storyreel.curate.score import Limit
from storyreel.curate.thresholds import Thresholds


def changes(old: Thresholds, new: Thresholds) -> list[str]:
    """NAME=VALUE for each `--set` that leads from `old` to `new`, in an order in which no step is nonsense."""
    found: list[str] = []
    for field in fields(Thresholds):
        was, now = getattr(old, field.name), getattr(new, field.name)
        parts = [part.name for part in fields(now) if getattr(was, part.name) != getattr(now, part.name)]
        if isinstance(now, Limit) and now.min is not None and was.max is not None and now.min > was.max:
            parts.sort(key=lambda part: part != "max")  # the lower limit must not pass the upper one on the way
        found += [f"{field.name}.{part}={_as_text(getattr(now, part))}" for part in parts]
    return found


def _as_text(value: float | None) -> str:
    return "none" if value is None else repr(float(value))


def words_of(dataset: Path, old: Thresholds, new: Thresholds) -> list[str]:
    """What comes behind `storyreel`."""
    sets = [word for change in changes(old, new) for word in ("--set", change)]
    return ["curate", "filter", str(dataset), *sets]


def command_of(dataset: Path, old: Thresholds, new: Thresholds) -> str:
    return shlex.join(["storyreel", *words_of(dataset, old, new)])


class Running:
    """`storyreel curate filter` in a process of its own, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._status = {"state": "idle", "line": ""}

    def start(self, words: list[str]) -> bool:
        """Whether it was begun; not while another one runs."""
        with self._lock:
            if self._status["state"] == "running":
                return False
            self._status = {"state": "running", "line": ""}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "storyreel", *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        threading.Thread(target=self._wait, args=(self._process,), daemon=True).start()
        return True

    def _wait(self, process: subprocess.Popen[str]) -> None:
        out, err = process.communicate()
        lines = (out if process.returncode == 0 else err).strip().splitlines() or [f"ended with {process.returncode}"]
        line = lines[0] if process.returncode == 0 else lines[-1]
        with self._lock:
            self._status = {"state": "done" if process.returncode == 0 else "failed", "line": line}

    def now(self) -> dict[str, Any]:
        with self._lock:
            return dict(self._status)

    def close(self) -> None:
        """Waits for it: a dataset is not left half chosen."""
        process = self._process
        if process is not None and process.poll() is None:
            process.wait()
