"""A live server for tests: `storyreel serve` as a process of its own, and a client for plain requests."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STARTING = 300.0  # seconds; machines of continuous integration may be busy


class Live:
    """A server that runs, and what it is asked."""

    def __init__(self, process: subprocess.Popen[str], folder: Path, port: int) -> None:
        self.process, self.folder, self.port = process, folder, port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def raw(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body)."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            client.request(method, path, body, headers or {})
            reply = client.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
        finally:
            client.close()

    def ask(self, method: str, path: str, said: Any = None, **headers: str) -> tuple[int, Any]:
        """(status, JSON)."""
        body = None if said is None else json.dumps(said).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {} if body is None else {"Content-Type": "application/json"}
        status, _, content = self.raw(method, path, body, {**kind, **named})
        return status, json.loads(content)

    def wait(self, id: str, *until: str) -> Any:
        """The object of a video once its status is one of these."""
        end = time.monotonic() + STARTING
        while time.monotonic() < end:
            video = self.ask("GET", f"/v1/videos/{id}")[1]
            if video["status"] in (until or ("completed", "failed")):
                return video
            time.sleep(0.05)
        raise TimeoutError(f"{id}: {video}")

    def workers(self) -> list[int]:
        """Process numbers of the workers."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid and fields[0] != "Z":
                found.append(int(entry.parent.name))
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def begin(folder: Path, models: Sequence[str | Path], *more: str) -> Live:
    """Start a server in `folder` and wait until it answers."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "storyreel", "serve", *map(str, models), "-o", str(folder), "--port", "0", *more]
    log = folder.with_suffix(".log").open("a")
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, text=True)
    log.close()
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("http://"):
        raise RuntimeError(f"the server did not start: {folder.with_suffix('.log').read_text()[-2000:]}")
    return Live(process, folder, int(line.strip().rstrip("/").rpartition(":")[2]))


@contextmanager
def running(folder: Path, models: Sequence[str | Path], *more: str) -> Iterator[Live]:
    live = begin(folder, models, *more)
    try:
        yield live
    finally:
        if live.process.poll() is None:
            live.stop()
