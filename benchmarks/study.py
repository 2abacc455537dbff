"""The human study under load: the report of 100,000 votes, and 50 raters who vote at once.

    make bench-study                 or: python benchmarks/study.py

Targets: the report (reading included) in under 5 s; every acknowledged vote in the file. Raters of the test suite's own
simulation; wall clock and processor time are both told, for a machine that does other things too.
"""

from __future__ import annotations

import http.client
import json
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "study"))

from running import serving
from simulated import ballots, make_study, store

from storyreel.study.ballots import read_ballots
from storyreel.study.report import report

VOTES, RATERS = 100_000, 50


def report_seconds(folder: Path) -> tuple[float, float]:
    """(wall, processor) seconds of reading and reporting three models on 300 prompts by 1000 raters."""
    study = make_study(folder, prompts=300, models=3)
    store(study, ballots(study, VOTES, 1000, np.random.default_rng(0), [0.5, 0.0, -0.5]))
    wall, processor = time.perf_counter(), time.process_time()
    made = report(study, read_ballots(study))
    assert made["all"]["votes"] == VOTES
    return time.perf_counter() - wall, time.process_time() - processor


def rate_all(port: int, times: list[float]) -> None:
    """One rater from the first page to the last; appends the seconds that each vote took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(method: str, path: str, body: object = None, token: str = "") -> dict[str, object]:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = connection.getresponse()
        said = json.loads(reply.read())
        assert reply.status == 200, said
        return said

    token = str(ask("POST", "/api/join", {})["token"])
    state = ask("GET", "/api/state", token=token)
    while isinstance(trial := state["trial"], dict):
        began = time.perf_counter()
        state = ask("POST", "/api/vote", {"trial": trial["id"], "answer": "left", "watched": 1}, token)
        times.append(time.perf_counter() - began)


def voting(folder: Path) -> tuple[int, float, list[float]]:
    """(votes in the file, seconds, seconds of each vote) when all raters vote as fast as they can."""
    study = make_study(folder, prompts=10, raters=RATERS)
    times: list[float] = []
    with serving(study) as server:
        port = server.port
        threads = [threading.Thread(target=rate_all, args=(port, times)) for _ in range(RATERS)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - began
    db = sqlite3.connect(study.votes_file)
    kept = db.execute("SELECT COUNT(*) FROM votes").fetchone()[0]
    db.close()
    return kept, seconds, times


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        wall, processor = report_seconds(Path(folder) / "large")
        print(f"report of {VOTES:,} votes: {wall:.2f} s, of the processor {processor:.2f} s (target: under 5 s)")
        kept, seconds, times = voting(Path(folder) / "busy")
        slow = 1000 * float(np.quantile(times, 0.99))
        print(f"{RATERS} raters at once: {len(times)} votes acknowledged, {kept} in the file, in {seconds:.1f} s")
        print(f"a vote takes {1000 * float(np.median(times)):.0f} ms, 99 % of them at most {slow:.0f} ms")
        sys.exit(0 if processor < 5 and kept == len(times) else 1)


if __name__ == "__main__":
    main()
