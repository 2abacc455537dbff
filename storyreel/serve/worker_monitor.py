"""Watches one worker process a device: starts it when there is work, replaces it when it dies, hears what it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from storyreel.json_file import parse_json
from storyreel.serve.studio import Studio

LINE = 8 << 20  # bytes that a line of a worker may have
QUICK = 5.0  # seconds; a worker that dies sooner, with nothing made, waits before it is started again
LONGEST_WAIT = 30.0  # seconds
STOPPING = 12.0  # seconds that a worker may take to end


class Hub:
    """What is news of videos: whoever waits is woken, and the last preview of each video is kept while it is made."""

    def __init__(self) -> None:
        self.previews: dict[str, tuple[int, str]] = {}  # id -> number of the step, an animated WebP as base64
        self._waiting: set[asyncio.Event] = set()
        self.closing = False

    def news(self) -> None:
        for event in self._waiting:
            event.set()

    def close(self) -> None:
        """Let streams of events end."""
        self.closing = True
        self.news()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield event
        finally:
            self._waiting.discard(event)


class WorkerMonitor:
    """The worker of one device, while the server runs. error: why the last one died, until one has made something."""

    def __init__(self, studio: Studio, hub: Hub, device: str | None) -> None:
        self.studio, self.hub, self.device = studio, hub, device
        self.process: Process | None = None
        self.error: str | None = None
        self._work, self._wait = asyncio.Event(), 0.0
        self._begun: set[str] = set()  # videos that its worker makes
        self._stopping = False

    def wake(self) -> None:
        """There may be work."""
        self._work.set()
        stdin = self.process.stdin if self.process is not None and self.process.returncode is None else None
        if stdin is not None and not stdin.is_closing() and not self._stopping:
            with contextlib.suppress(OSError, RuntimeError):
                stdin.write(b"\n")

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await self._work.wait()
                await self._life()
                if self._wait:
                    await asyncio.sleep(self._wait)
        finally:
            await self._end()

    async def _life(self) -> None:
        """One worker, from its start to its death."""
        claim, began, made = secrets.token_hex(8), time.monotonic(), False
        command = [sys.executable, "-m", "storyreel.serve.worker", str(self.studio.folder), claim]
        command.append(json.dumps({name: str(model.folder) for name, model in self.studio.models.items()}))
        package = str(Path(__file__).parents[2])
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))}
        self.process = await asyncio.create_subprocess_exec(
            *command, *([self.device] if self.device else []), stdin=PIPE, stdout=PIPE, limit=LINE, env=env,
            start_new_session=True,  # Ctrl-C is for the server, which ends its workers itself
        )  # fmt: skip
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError):  # a line that is too long: the worker is replaced
            async for line in self.process.stdout:
                made = self._heard(line) or made
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        died = _how(await self.process.wait())
        self.process = None
        release = self.studio.table.release
        await asyncio.to_thread(release, claim, self.studio.files.facts, died)
        await asyncio.to_thread(self.studio.files.sweep)
        for id in self._begun:
            self.hub.previews.pop(id, None)
        self._begun.clear()
        self.hub.news()
        quick = not made and time.monotonic() - began < QUICK
        self._wait = min(LONGEST_WAIT, 2 * self._wait or 1.0) if quick else 0.0
        self.error = None if made else died
        if not self.studio.table.counts().get("queued"):
            self._work.clear()

    def _heard(self, line: bytes) -> bool:
        """Pass on what a worker says; whether it has ended a video."""
        try:
            message: dict[str, Any] = parse_json(line)
        except ValueError:
            return False
        if message["event"] == "begin":
            self._begun.add(message["id"])
        if message["event"] == "step" and message.get("preview"):
            self.hub.previews[message["id"]] = (message["done"], message["preview"])
        if message["event"] == "end":
            self.hub.previews.pop(message["id"], None)
            self._begun.discard(message["id"])
            self.error = None
        self.hub.news()
        return message["event"] == "end"

    async def _end(self) -> None:
        """Let the worker put its video back into the queue, and end."""
        self._stopping, process = True, self.process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOPPING)
        except TimeoutError:
            process.kill()
            await process.wait()


def _how(code: int) -> str:
    """ "was killed by SIGKILL, perhaps for want of memory"."""
    if code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    return f"was killed by {name}" + (", perhaps out of memory" if name == "SIGKILL" else "")
