"""Runs the doors of a campaign on one file after another in a process that may hang, die or run out of memory.

A door is a function of a path. It may return, raise ValueError or OSError of one line, or end with SystemExit; all
else is a fault: another exception, more than `SECONDS` of the processor, no answer within `PATIENCE`, more memory than
`MEMORY` above what the idle process holds, a death.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS)]  # the package beside it, here and in the child, installed or not

SECONDS = 10.0  # of the processor, which a busy machine does not change
PATIENCE = 90.0
MEMORY = 1 << 30  # bytes
STARTING = 240.0
RECYCLED = 500  # files after which a fresh process takes over: a slow leak is not one file's fault
SHOWN = 50  # faults that are printed
Door = Callable[[Path], Any]
Mutation = Callable[[int], tuple[Path, str]]
"""The number of a broken file -> (where it lies now, how it was broken)."""


@dataclass
class Report:
    """What became of a campaign: how often each door ended how, and each fault."""

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[dict[str, Any]] = field(default_factory=list)
    seconds: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0

    def line(self) -> str:
        of = {name: self.outcomes[name] for name in sorted(self.outcomes)}
        told = {"files": self.files, "calls": sum(of.values()), **of, "faults": len(self.faults)}
        return json.dumps({**told, "slowest_s": round(self.slowest, 2), "largest_mib": self.largest >> 20})


class Watched:
    """A child that runs `module.doors()`; started again when it hung or died."""

    def __init__(self, module: str, seconds: float = PATIENCE) -> None:
        self.module, self.seconds = module, seconds
        self.process: subprocess.Popen[bytes] | None = None
        self.done = 0

    def run(self, path: Path, report: Report, **about: Any) -> None:
        """Every door on one file; what they do goes into the report."""
        report.files += 1
        tried: list[str] = []
        while True:
            process = self._started()
            self._send({"path": os.fsencode(path).hex(), "without": tried})
            while True:
                line = self._line(self.seconds)
                if line is None or line == b"":
                    said = {"fault": f"no answer in {self.seconds:g} s" if line is None else self._death()}
                    self.close()
                    report.outcomes["fault"] += 1
                    report.faults.append({**about, "door": tried[-1] if tried else "?", **said})
                    break
                said = json.loads(line)
                if "begun" in said:
                    tried.append(said["begun"])
                    continue
                if "end" in said:
                    self.done += 1
                    if self.done % RECYCLED == 0:
                        self.close()
                    return
                report.seconds[said["door"]] += said["seconds"]
                report.slowest = max(report.slowest, said["seconds"])
                report.largest = max(report.largest, said["memory"])
                report.outcomes[said["outcome"]] += 1
                if said["outcome"] == "fault":
                    report.faults.append({**about, "door": said["door"], "fault": said["said"]})
            assert process is not self.process  # a fresh one takes the doors that are left

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            command = [sys.executable, str(Path(__file__)), self.module]
            quiet = None if os.environ.get("CAMPAIGN_DEBUG") else subprocess.DEVNULL
            pipe, own = subprocess.PIPE, {**os.environ, "MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1"}
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, bufsize=0, env=own)
            if not self._line(STARTING):
                raise RuntimeError(f"the worker of {self.module} does not start")
        return self.process

    def _send(self, value: Any) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(value).encode() + b"\n")

    def _line(self, seconds: float) -> bytes | None:
        """The next line; None when there is none in time, b"" when the process is gone."""
        assert self.process is not None
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        return self.process.stdout.readline()

    def _death(self) -> str:
        assert self.process is not None
        return f"the process died: {self.process.wait()}"


def serve(doors: dict[str, Door]) -> None:
    """The child: reads paths on stdin, runs the doors, says how each ended on stdout."""
    import resource

    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a verb prints is nobody's answer

    def tell(**said: Any) -> None:
        out.write(json.dumps(said).encode() + b"\n")

    base, size = _status("VmRSS"), _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (size + 4 * MEMORY, resource.RLIM_INFINITY))
    tell(ready=True)
    for line in sys.stdin:
        asked = json.loads(line)
        path = Path(os.fsdecode(bytes.fromhex(asked["path"])))
        for name, door in doors.items():
            if name in asked["without"]:
                continue
            tell(begun=name)
            Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
            begun = time.process_time()
            outcome, said = judged(door, path)
            seconds, memory = time.process_time() - begun, max(0, _status("VmHWM") - base)
            if outcome != "fault" and seconds > SECONDS:
                outcome, said = "fault", f"took {seconds:.1f} s"
            if outcome != "fault" and memory > MEMORY:
                outcome, said = "fault", f"took {memory >> 20} MiB"
            tell(door=name, outcome=outcome, said=said, seconds=seconds, memory=memory)
        tell(end=True)


def judged(door: Door, path: Path) -> tuple[str, str]:
    """("read", "refused" or "fault", what was said)."""
    from storyreel.read_errors import is_short

    try:
        door(path)
        return "read", ""
    except (ValueError, OSError) as error:
        if is_short(error):
            return "fault", f"ran out: {error}"
        if "\n" in str(error):
            return "fault", f"several lines: {error!r}"
        return "refused", str(error)
    except BaseException:
        return "fault", "".join(traceback.format_exc().splitlines(keepends=True)[-6:])


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) << 10
    return 0


def campaign(doors: str, mutation: Mutation, numbers: range, every: int = 0) -> Report:
    """The doors of a module on each mutation. every: how many files lie between two lines of counts on stderr."""
    report, worker = Report(), Watched(doors)
    try:
        for number in numbers:
            path, way = mutation(number)
            worker.run(path, report, number=number, way=way)
            if every and report.files % every == 0:
                print(report.line(), file=sys.stderr, flush=True)
    finally:
        worker.close()
    return report


def main(text: str | None, doors: str, begin: Callable[[Path], Mutation], count: int) -> int:
    """The command line of a campaign: prints the line of counts and each fault; gives the exit status."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--list", type=Path, help="file for the faults, lines of JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        numbers = range(options.first, options.first + options.count)
        report = campaign(doors, begin(Path(folder)), numbers, every=max(1, count // 40))
    if options.list:
        options.list.write_text("".join(json.dumps(fault) + "\n" for fault in report.faults))
    print(report.line())
    print(json.dumps({door: round(seconds, 1) for door, seconds in report.seconds.most_common()}), file=sys.stderr)
    for fault in report.faults[:SHOWN]:
        print(json.dumps(fault))
    return 1 if report.faults else 0


if __name__ == "__main__":
    import importlib

    serve(importlib.import_module(sys.argv[1]).doors())
