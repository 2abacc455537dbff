"""Kills the server of `storyreel serve`, and its worker, with SIGKILL while many clients queue videos.

    python tests/campaigns/serve_kills.py [--jobs 500] [--clients 50] [--kills 10] [--seed 1]

Clients queue videos of a toy model, each with an Idempotency-Key, and send again what was not answered. Meanwhile the
worker is killed so often, and so is the server, which is started again in its folder. Afterwards each key is one video;
each video has ended once, in the order of its queue; what was acknowledged is there; a video that failed names the two
workers that died of it; table and files agree, every file can be read whole, and nothing temporary is left. Prints a
line of counts, and the faults. Exits 1 if there is one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), str(TESTS / "serve")]

from live import Live, begin  # noqa: E402
from tiny_model import make_tiny  # noqa: E402

from storyreel.storage import is_temporary  # noqa: E402

PATIENCE = 1800.0  # seconds until all videos must have ended


@dataclass
class Campaign:
    """What is queued, who queues it, and how often is killed."""

    box: Path
    jobs: int
    clients: int
    kills: int
    rng: random.Random
    told: dict[str, str] = field(default_factory=dict)  # key -> id that was acknowledged
    faults: list[str] = field(default_factory=list)
    workers_killed: int = 0
    servers_killed: int = 0
    live: Live | None = None

    def run(self) -> None:
        folder = self.box / "studio"
        self.models = [make_tiny(self.box / "models" / "tiny")]
        self.live = begin(folder, self.models)
        threads = [threading.Thread(target=self.client, args=(number,)) for number in range(self.clients)]
        for thread in threads:
            thread.start()
        turns = ["worker", "server"] * self.kills
        self.rng.shuffle(turns)
        for turn in turns:
            self.kill_worker() if turn == "worker" else self.kill_server(folder)
        for thread in threads:
            thread.join()
        self.wait()
        if code := self.live.stop():
            self.faults.append(f"the last server ended with exit code {code}")
        self.faults += self.wrong(folder)

    def client(self, number: int) -> None:
        """Queue every so manieth video, again and again until the server says that it has it."""
        for job in range(number, self.jobs, self.clients):
            key = f"job-{job}"
            body = {"prompt": f"an orc walks left {job}", "seed": job, "num_frames": 2, "steps": 2}
            while key not in self.told:
                try:
                    assert self.live is not None
                    status, answer = self.live.ask("POST", "/v1/videos", body, Idempotency_Key=key)
                except (OSError, http.client.HTTPException, ValueError):
                    time.sleep(0.05)  # the server is gone
                    continue
                if status != 200:
                    self.faults.append(f"{key}: {status} {answer}")
                    return
                self.told[key] = answer["id"]

    def kill_worker(self) -> None:
        """The one that is there at a random moment, as long as something is to be made."""
        assert self.live is not None
        killed, end = self.workers_killed, time.monotonic() + 120
        while self.workers_killed == killed and time.monotonic() < end and self.waiting():
            time.sleep(self.rng.uniform(0, 6))
            for worker in self.live.workers():
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
                    self.workers_killed += 1

    def kill_server(self, folder: Path) -> None:
        assert self.live is not None
        time.sleep(self.rng.uniform(0, 4))
        self.live.kill()
        self.servers_killed += 1
        self.live = begin(folder, self.models)

    def waiting(self) -> bool:
        """Whether something is still to be made."""
        try:
            assert self.live is not None
            queue = self.live.ask("GET", "/readyz")[1]["queue"]
        except (OSError, http.client.HTTPException, ValueError):
            return True
        return len(self.told) < self.jobs or bool(queue.get("queued", 0) + queue.get("in_progress", 0))

    def wait(self) -> None:
        end = time.monotonic() + PATIENCE
        while self.waiting():
            if time.monotonic() > end:
                self.faults.append("not all videos have ended")
                return
            time.sleep(0.2)

    def wrong(self, folder: Path) -> list[str]:
        """What is not as it should be on the disk."""
        db = sqlite3.connect(folder / "studio.sqlite3")
        db.row_factory = sqlite3.Row
        rows: list[Any] = db.execute("SELECT * FROM videos ORDER BY place").fetchall()
        faults = [] if db.execute("PRAGMA integrity_check").fetchone()[0] == "ok" else ["the database is damaged"]
        db.close()
        found = {row["idempotency_key"]: row for row in rows}
        faults += [
            f"{key}: acknowledged as {id}, is not there" for key, id in self.told.items() if found[key]["id"] != id
        ]
        if len(rows) != self.jobs or len(found) != self.jobs:
            faults.append(f"{len(rows)} videos of {self.jobs}")
        faults += [f"{row['id']}: {row['status']}" for row in rows if row["status"] not in ("completed", "failed")]
        self.failed = [row for row in rows if row["status"] == "failed"]
        faults += [f"{r['id']}: {r['error_message']}" for r in self.failed if r["error_code"] != "worker_died"]
        ends = [row["completed_at"] for row in rows]
        faults += [f"{rows[i]['id']}: ended out of order" for i in range(1, len(ends)) if ends[i] < ends[i - 1]]
        made = {row["id"] for row in rows if row["status"] == "completed"}
        there = {file.name for file in (folder / "videos").iterdir()}
        faults += [
            f"{id}: {'is completed, has no' if id in made else 'is not completed, has'} files" for id in made ^ there
        ]
        for row in rows:
            if row["id"] in made & there:
                faults += self.unreadable(folder / "videos" / row["id"], row)
        left = [file for file in folder.rglob("*") if is_temporary(file.name) or file.name.endswith(("-wal", "-shm"))]
        return faults + [f"temporary left: {file.relative_to(folder)}" for file in left]

    def unreadable(self, folder: Path, row: Any) -> list[str]:
        from storyreel import read, read_meta

        try:
            meta, clip = read_meta(folder / "video.mp4") or {}, read(folder / "clip.mkv")
            frames = len(read(folder / "video.mp4"))
        except (ValueError, OSError) as error:
            return [str(error)]
        same = (meta.get("prompt"), meta.get("seed")) == (json.loads(row["settings"])["prompt"], row["seed"])
        return [] if same and frames == len(clip) == 2 else [f"{folder.name}: holds another video"]

    def line(self) -> str:
        told = (
            f"{len(self.told)} videos queued by {self.clients} clients, {self.workers_killed} kills of workers, "
            f"{self.servers_killed} of servers, {len(self.failed)} videos failed of two deaths, "
            f"{len(self.faults)} faults"
        )
        return "\n  ".join([told, *self.faults[:20]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="storyreel-kills-") as folder:
        rng = random.Random(given.seed)
        campaign = Campaign(Path(folder).resolve(), given.jobs, given.clients, given.kills, rng)
        campaign.run()
    print(campaign.line(), flush=True)
    return 1 if campaign.faults else 0


if __name__ == "__main__":
    sys.exit(main())
