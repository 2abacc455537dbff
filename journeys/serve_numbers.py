"""How soon the studio answers: four numbers of a live server, and how many seconds of the processor each took.

    python journeys/serve_numbers.py [MODEL]

1. the first clip, from the request for the page to the file of the video, in a server that was just started;
2. a further clip, once the model is loaded;
3. memory of the server before the first video, PSS (what it shares with others counted in part) and RSS;
4. from a step of the sampler to its preview at the client.
Seconds of the processor are those of the server and its worker. On a busy machine they say more than those of the wall.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

PROMPT = "an orc in plate armor walking, facing left"


class Server:
    def __init__(self, model: str, folder: Path) -> None:
        command = [sys.executable, "-m", "storyreel", "serve", model, "-o", str(folder), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().strip().rstrip("/").rpartition(":")[2])

    def ask(self, method: str, path: str, said: Any = None) -> bytes:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        line.request(method, path, said and json.dumps(said), {"Content-Type": "application/json"} if said else {})
        reply = line.getresponse()
        content = reply.read()
        assert reply.status == 200, content
        return content

    def processor(self) -> float:
        """Seconds that the server and its workers have computed."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if self.process.pid in (int(stat.parent.name), int(fields[1])):
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> dict[str, float]:
        """MB: Pss and Rss."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return {name: int(kb) * 1024 / 1e6 for name, kb in re.findall(r"^(Pss|Rss):\s+(\d+)", text, re.MULTILINE)}

    def clip(self, seed: int) -> None:
        self.ask("POST", "/v1/videos/sync", {"prompt": PROMPT, "seed": seed})


def previews(server: Server, seed: int) -> list[float]:
    """Seconds from when a step shows in the object of a video until its preview has come."""
    id = json.loads(server.ask("POST", "/v1/videos", {"prompt": PROMPT, "seed": seed}))["id"]
    noted: dict[int, float] = {}
    came: dict[int, float] = {}
    ended = threading.Event()

    def listen() -> None:
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
        line.request("GET", f"/v1/videos/{id}/events")
        name = ""
        for row in line.getresponse():
            if row.startswith(b"event: "):
                name = row[7:].strip().decode()
            elif name == "preview" and (step := re.match(rb'data: {"step": (\d+)', row)):
                came.setdefault(int(step[1]), time.monotonic())
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    while not ended.wait(0.01):
        step = json.loads(server.ask("GET", f"/v1/videos/{id}"))["storyreel"]["step"]
        if found := re.search(r"(\d+)/\d+$", step):
            noted.setdefault(int(found[1]), time.monotonic())
    return [came[step] - noted[step] for step in sorted(came.keys() & noted.keys())]


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "phenaki-sprites"
    with tempfile.TemporaryDirectory() as folder:
        server = Server(model, Path(folder) / "studio")
        try:
            memory = server.memory()
            for name, limit, seed in (("first clip, from a cold page", 8, 0), ("a further clip", 3, 1)):
                wall, processor = time.monotonic(), server.processor()
                if seed == 0:
                    for path in ("/", "/studio.js", "/studio.css", "/v1/models", "/v1/videos"):
                        server.ask("GET", path)
                server.clip(seed)
                wall, processor = time.monotonic() - wall, server.processor() - processor
                print(f"{name:30} {wall:6.2f} s, {processor:6.2f} of the processor (limit {limit} s)", flush=True)
            late = previews(server, 2)
            print(f"{'the server before the first':30} {memory['Pss']:6.1f} MB, RSS {memory['Rss']:.1f} (limit 120 MB)")
            worst = max(late, default=float("nan"))
            print(f"{'a preview after its step':30} {worst:6.2f} s at most, of {len(late)} (limit 1 s)")
        finally:
            server.process.send_signal(signal.SIGTERM)
            server.process.wait()


if __name__ == "__main__":
    main()
