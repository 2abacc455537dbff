"""What every benchmark tells of the machine, and where it writes what it found."""

from __future__ import annotations

import json
import platform
from datetime import date
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "results"


def machine(threads: int, peer: str = "") -> str:
    """Processor, threads, versions and load; `peer`: what ours is compared with, and its version."""
    import torch

    cpu = next((x.split(":")[1].strip() for x in _lines("/proc/cpuinfo") if x.startswith("model name")), "unknown")
    load = " ".join(_lines("/proc/loadavg")[0].split()[:3]) if _lines("/proc/loadavg") else "unknown"
    versions = [f"Python {platform.python_version()}", f"torch {torch.__version__}", *([peer] if peer else [])]
    return f"{cpu}, {threads} threads, {platform.system()}, {', '.join(versions)}, load average at the end {load}"


def write_results(name: str, title: str, page: str, **data: Any) -> None:
    """Write NAME-DATE.md, the page under its title, and NAME-DATE.json, the data, into benchmarks/results."""
    day = date.today().isoformat()
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}-{day}.md").write_text(f"# {title}, {day}\n\n{page}\n")
    (FOLDER / f"{name}-{day}.json").write_text(json.dumps({"date": day, **data}, indent=1) + "\n")


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
