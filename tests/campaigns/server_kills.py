"""Kills the servers of `study` and `browse` with SIGKILL while people vote and decide, and starts them again.

    python tests/campaigns/server_kills.py [--kills 40] [--seed 1] [study] [browse]

A life is a fork of this process that serves on a free port; several clients send votes or edits at once, and the server
is killed at a random moment after the first of them was acknowledged. After each death everything that was acknowledged
is on the disk as it was sent, besides it at most what was under way, and nothing half-written is read; the next life
sweeps what was left, and goes on. Prints a line for each server: kills, answers acknowledged, faults. Exits 1 if there
is a fault.
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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS), *(str(TESTS / name) for name in ("study", "curate", "browse"))]

from storyreel.storage import is_temporary  # noqa: E402

CLIENTS = 6
LONGEST = 0.4  # seconds that a server lives on after the first answer
STARTING = 60.0  # seconds


@dataclass
class Count:
    kills: int = 0
    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        told = f"{self.kills} kills, {self.acknowledged} answers acknowledged, {len(self.faults)} faults"
        return "\n  ".join([told, *self.faults[:20]])


@dataclass
class Served:
    """A server to be killed. work: what a client with a number does until the server is gone, or `tell`, which takes
    what was acknowledged, says to stop. wrong: what is not as it should be on the disk, given all of that.
    """

    name: str
    folder: Path
    server: Callable[[], Any]
    work: Callable[[Line, int, Callable[[str, Any], bool]], None]
    wrong: Callable[[dict[str, Any]], list[str]]


class Line:
    """A connection to the server, as a browser has one."""

    def __init__(self, port: int) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.token = ""

    def ask(self, path: str, said: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        self.http.request("GET" if said is None else "POST", path, None if said is None else json.dumps(said), headers)
        reply = self.http.getresponse()
        return reply.status, json.loads(reply.read())


# -- the study -----------------------------------------------------------------------------------------------


def study(box: Path, rng: random.Random) -> Served:
    from running import StudyServer
    from simulated import make_study

    made = make_study(box / "study", prompts=60, raters=400)

    def work(line: Line, number: int, tell: Callable[[str, Any], bool]) -> None:
        line.token = line.ask("/api/join", {})[1]["token"]
        state = line.ask("/api/state")[1]
        while trial := state.get("trial"):
            answer = ("left", "right", "tie")[rng.randrange(3)]
            status, state = line.ask("/api/vote", {"trial": trial["id"], "answer": answer, "watched": 1.5})
            if status != 200:
                raise RuntimeError(f"a vote was refused: {status} {state}")
            if not tell(trial["id"], answer):
                return

    def wrong(told: dict[str, Any]) -> list[str]:
        db = sqlite3.connect(made.votes_file)
        whole = db.execute("PRAGMA integrity_check").fetchone()[0]
        rows = db.execute("SELECT public, answer FROM votes JOIN trials ON trials.id = trial").fetchall()
        db.close()
        found = dict(rows)
        lost = [trial for trial, answer in told.items() if found.get(trial) != answer]
        more = len(found) - len(told)
        faults = [] if whole == "ok" else [f"the database: {whole}"]
        return faults + [f"lost or changed: vote {t}" for t in lost] + ([f"{more} votes too many"] if more < 0 else [])

    return Served("study", made.folder, lambda: StudyServer(made), work, wrong)


# -- browse --------------------------------------------------------------------------------------------------


def browse(box: Path, rng: random.Random) -> Served:
    from curated import BrowseServer, stub_set

    from storyreel.curate.edits import edits_file, read_edits

    dataset = stub_set(box, [[{} for _ in range(4)] for _ in range(CLIENTS)])
    clips: list[str] = []

    def work(line: Line, number: int, tell: Callable[[str, Any], bool]) -> None:
        if not clips:
            clips.extend(sorted(clip["clip"] for clip in line.ask("/api/clips", {})[1]["clips"]))
        mine = clips[number::CLIENTS]  # nobody else edits these
        while True:
            clip, words = mine[rng.randrange(len(mine))], f"words {rng.random()} é"
            status, said = line.ask("/api/edit", {"clip": clip, "caption": words})
            if status != 200:
                raise RuntimeError(f"an edit was refused: {status} {said}")
            if not tell(clip, words):
                return

    def wrong(told: dict[str, Any]) -> list[str]:
        found = read_edits(dataset)
        content = edits_file(dataset).read_bytes()
        lines = content[: content.rfind(b"\n") + 1].splitlines()
        last: dict[str, list[str]] = {}
        for text in lines:
            edit = json.loads(text)
            last.setdefault(edit["clip"], []).append(edit["caption"])
        # the last that was acknowledged, or the one after it, which was under way
        lost = [clip for clip, words in told.items() if words not in last.get(clip, [])[-2:]]
        lost += [clip for clip, many in last.items() if found[clip]["caption"] != many[-1]]
        told.update({clip: many[-1] for clip, many in last.items()})
        return [f"lost: the edit of {clip}" for clip in lost]

    return Served("browse", dataset, lambda: BrowseServer(dataset), work, wrong)


# -- lives ---------------------------------------------------------------------------------------------------


def begin(served: Served) -> tuple[int, int]:
    """(process, port) of a fork that serves until it is killed, or stops on SIGTERM as on Ctrl-C."""
    told, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            server = served.server()
            os.write(theirs, str(server.port).encode())
            os.close(theirs)
            server.run()
        except SystemExit:
            os._exit(0)
        except BaseException as error:
            print(f"{served.name}: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)
    os.close(theirs)
    with os.fdopen(told) as file:
        port = file.read()
    return child, int(port or 0)


def life(served: Served, told: dict[str, Any], moment: float, count: Count) -> None:
    """One server, its clients, and its death `moment` seconds after the first answer."""
    child, port = begin(served)
    if not port:
        os.waitpid(child, 0)
        raise RuntimeError(f"{served.name} does not start again")
    first, faults = threading.Event(), count.faults

    def client(number: int) -> None:
        line = Line(port)

        def tell(key: str, value: Any) -> bool:
            told[key] = value
            count.acknowledged += 1
            first.set()
            return True

        try:
            served.work(line, number, tell)
        except (OSError, http.client.HTTPException):
            return  # the server is gone
        except Exception as error:
            faults.append(repr(error))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    if not first.wait(STARTING):
        faults.append("no answer from a server that was started again")
    time.sleep(moment)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for thread in threads:
        thread.join()
    count.kills += 1


def kill(served: Served, kills: int, rng: random.Random) -> Count:
    """Kill a server so often, then let it answer once more and end by itself; what became of it."""
    count, told = Count(), dict[str, Any]()
    (served.folder / "notes.txt").write_text("mine, not storyreel's")
    before = _names(served.folder)
    while count.kills < kills and not count.faults:
        life(served, told, rng.uniform(0, LONGEST), count)
        count.faults += [f"after {count.kills} kills: {each}" for each in served.wrong(told)]
    child, port = begin(served)

    def once(key: str, value: Any) -> bool:
        told[key] = value
        return False

    served.work(Line(port), 0, once)
    os.kill(child, signal.SIGTERM)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        count.faults.append("the last server did not end by itself")
    after = _names(served.folder)
    passing = ("-wal", "-shm", "-journal")
    left = [name for name in after if is_temporary(Path(name).name) or name.endswith(passing)]
    count.faults += [*served.wrong(told), *(f"temporary left: {name}" for name in left)]
    count.faults += [f"gone: {name}" for name in before - after if not name.endswith(passing)]
    return count


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


SERVERS = {"study": study, "browse": browse}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", choices=[*SERVERS, []], default=[])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given, faults = parser.parse_args(), 0
    for name in given.servers or SERVERS:
        rng = random.Random(f"{given.seed} {name}")
        with tempfile.TemporaryDirectory(prefix="storyreel-kills-") as folder:
            count = kill(SERVERS[name](Path(folder).resolve(), rng), given.kills, rng)
        print(f"{name}: {count.line()}", flush=True)
        faults += len(count.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
