"""Two doors for the test of the watch: one kills its process, the other does nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from watched import Door


def doors() -> dict[str, Door]:
    return {"dies": _dies, "reads": lambda path: None}


def _dies(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
