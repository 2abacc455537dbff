"""Contenders in processes of their own, and how their packages get here."""

from __future__ import annotations

import importlib.metadata
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parents[1] / ".peers"


@dataclass
class Result:
    runs: list[dict[str, float]] = field(default_factory=list)
    peak: float = 0.0  # MB
    parameters: int = 0
    failed: str = ""

    @property
    def seconds(self) -> list[float]:
        return [run["seconds"] for run in self.runs]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


class Child:
    """One contender at one task, warmed up, in a process of its own; it works when told to."""

    def __init__(self, script: str, *arguments: str | int):
        """script: of this folder. arguments: the task, who does it and how, as the script takes them."""
        self.result = Result()
        command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hear()  # warm

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                self.result.failed = told.get("failed", "")
                return told
        self.result.failed = self.result.failed or f"the process ended with {self.process.wait()}"
        return {}

    def say(self, word: str) -> dict[str, Any]:
        if self.result.failed:
            return {}
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.hear()

    def repeat(self) -> None:
        told = self.say("go")
        if "seconds" in told:
            self.result.runs.append(told)

    def end(self) -> Result:
        told = self.say("end")
        self.result.peak, self.result.parameters = told.get("peak", 0.0), told.get("parameters", 0)
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait()
        return self.result


def alternate(children: dict[str, Child], reps: int, what: str) -> dict[str, Result]:
    """Repeat each of them in turn, so often, so that a busy moment of the machine hits everybody; then end them."""
    for turn in range(reps):
        print(f"{what}: {turn + 1} of {reps}", file=sys.stderr)
        for child in children.values():
            child.repeat()
    return {name: child.end() for name, child in children.items()}


def install(packages: Sequence[str]) -> None:
    """The peer and the pure Python that it imports, without dependencies, so that torch stays what it is; what is
    installed for this Python is taken from there."""
    there = {each.name.lower() for each in PEERS.glob("*.dist-info")}
    names = {p: f"{p.replace('-', '_').replace('==', '-')}.dist-info".lower() for p in packages}
    packages = [p for p in packages if names[p] not in there and not _is_here(*p.split("=="))]
    if not packages:
        return
    print(f"installing {', '.join(packages)} into {PEERS}", file=sys.stderr)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade", "--target", str(PEERS), *packages]
    subprocess.run(pip, check=True)


def _is_here(name: str, version: str) -> bool:
    try:
        return importlib.metadata.version(name) == version
    except importlib.metadata.PackageNotFoundError:
        return False
