"""The server as raters, and others, meet it: nothing is lost, nothing is forged."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from running import StudyServer, serving
from simulated import make_study

from storyreel import cli
from storyreel.ownership import MARKER
from storyreel.serve.study_routes import MAX_BODY, network_of
from storyreel.study.assign import assign
from storyreel.study.plan import NOISE, PAIR, SAME, Study
from storyreel.study.votes import Votes


class Rater:
    """One connection that speaks the API."""

    def __init__(self, port: int) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.token = ""

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} | headers
        if self.token:
            headers = {"Authorization": f"Bearer {self.token}"} | headers
        self.http.request(method, path, data, headers)
        reply = self.http.getresponse()
        text = reply.read()
        return reply.status, json.loads(text) if reply.getheader("Content-Type") == "application/json" else text

    def join(self) -> dict[str, Any]:
        status, said = self.ask("POST", "/api/join", {})
        assert status == 200, said
        self.token = said["token"]
        return self.ask("GET", "/api/state")[1]

    def vote(self, trial: str, answer: str) -> tuple[int, Any]:
        return self.ask("POST", "/api/vote", {"trial": trial, "answer": answer, "watched": 1.5})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StudyServer]:
    with serving(make_study(tmp_path / "study", prompts=4)) as server:
        yield server


def port_of(server: StudyServer) -> int:
    return server.port


def stored(study: Study) -> dict[str, str]:
    db = sqlite3.connect(study.votes_file)
    try:
        return dict(db.execute("SELECT public, answer FROM votes JOIN trials ON trials.id = trial").fetchall())
    finally:
        db.close()


def test_a_rater_sees_everything_once_and_can_come_back(server: StudyServer):
    rater = Rater(port_of(server))
    state = rater.join()
    assert (state["done"], state["total"], state["pairs"]) == (0, 12, 6)  # 4 pairs, 2 catch trials, 2 questions
    given: dict[str, str] = {}
    while state["trial"]:
        trial = state["trial"]
        assert (trial["prompt"] is None) == (trial["of"][0] == 1)  # shown for faithfulness alone
        assert not set(trial) & {"kind", "item", "models"}
        given[trial["id"]] = ("left", "tie", "right")[len(given) % 3]
        if len(given) == 5:  # another browser, the same token
            token, rater = rater.token, Rater(port_of(server))
            rater.token = token
            assert rater.ask("GET", "/api/state")[1]["trial"]["id"] == trial["id"]
        status, state = rater.vote(trial["id"], given[trial["id"]])
        assert status == 200
    assert state["done"] == 12
    assert stored(server.study) == given


def test_a_replayed_vote_counts_once_and_cannot_be_changed(server: StudyServer):
    rater = Rater(port_of(server))
    trial = rater.join()["trial"]["id"]
    first = rater.vote(trial, "left")
    assert rater.vote(trial, "left") == first
    status, said = rater.vote(trial, "right")
    assert (status, said["error"]["message"]) == (409, "this trial has another answer already")
    assert stored(server.study) == {trial: "left"}


def test_forged_votes_are_refused(server: StudyServer):
    one, other = Rater(port_of(server)), Rater(port_of(server))
    mine, theirs = one.join()["trial"]["id"], other.join()["trial"]["id"]
    assert mine != theirs
    assert one.vote(theirs, "left")[0] == 403  # a trial of another rater, under my own token
    assert one.vote("nonsense", "left")[0] == 403
    db = sqlite3.connect(server.study.votes_file)
    later = db.execute("SELECT public FROM trials WHERE rater = 1 AND position = 5").fetchone()[0]
    tokens = [row[0] for row in db.execute("SELECT token FROM raters")]
    db.close()
    assert one.vote(later, "left")[0] == 403  # mine, but not shown yet
    assert one.token not in tokens  # only a digest is stored
    stranger = Rater(port_of(server))
    assert stranger.vote(mine, "left")[0] == 401
    for token in ("x", tokens[0], one.token[:-1], "' OR 1=1 --"):
        stranger.token = token
        assert stranger.vote(mine, "left")[0] == 401
        assert stranger.ask("GET", "/api/state")[0] == 401
    assert stored(server.study) == {}
    assert len(one.token) >= 32


BAD_VOTES = [
    {"answer": "best"}, {"answer": None}, {"answer": "both_bad"}, {"trial": 3}, {"watched": "long"},
    {"watched": -1}, {"watched": 1e9}, {"watched": True},
]  # fmt: skip


def test_odd_requests_are_refused_and_the_server_goes_on(server: StudyServer):
    rater = Rater(port_of(server))
    trial = rater.join()["trial"]["id"]
    for wrong in BAD_VOTES:
        said = {"trial": trial, "answer": "left", "watched": 1.0} | wrong
        assert rater.ask("POST", "/api/vote", said)[0] == 400, wrong
    whole = {"trial": trial, "answer": "left", "watched": 1.0}
    for body, wanted in ((b"{", 400), (b"[]", 400), (b"[" * 4000, 400), (b'"' + b"x" * MAX_BODY + b'"', 413)):
        assert rater.ask("POST", "/api/vote", body)[0] == wanted
    nan = json.dumps(whole | {"watched": float("nan")}).encode()
    assert rater.ask("POST", "/api/vote", nan)[0] == 400
    assert rater.ask("POST", "/api/vote", whole, **{"Content-Type": "text/plain"})[0] == 415  # what a form can send
    assert rater.ask("POST", "/api/vote", b"", **{"Content-Length": "-5"})[0] == 400
    assert rater.ask("POST", "/api/elsewhere", {})[0] == 404
    assert rater.ask("GET", "/", None, Host="evil.example")[0] == 421  # a name that was bent to this machine
    assert rater.ask("PUT", "/api/vote", whole)[0] == 405
    assert rater.vote(trial, "left")[0] == 200


def test_only_clips_of_the_study_can_be_had(server: StudyServer):
    study = server.study
    (study.folder / "clips").mkdir()
    name = study.items[0].files[0]
    (study.folder / "clips" / name).write_bytes(b"moving pictures")
    (study.folder / "clips" / ("f" * 16 + ".mp4")).write_bytes(b"not of this study")
    rater = Rater(port_of(server))
    assert rater.ask("GET", f"/clips/{name}") == (200, b"moving pictures")
    for path in (
        "/clips/../study.json", "/clips/..%2fstudy.json", "/study.json", "/clips/", "/votes.sqlite", "//etc/passwd",
        f"/clips/{'f' * 16}.mp4", "/../../etc/passwd", "/clips/%2e%2e/votes.sqlite", "/index.html/..",
        f"/clips/{study.items[1].files[0]}",
    ):  # fmt: skip
        assert rater.ask("GET", path)[0] == 404, path


def test_links_in_a_study_show_nothing_and_change_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A study from a stranger, with links to files of the one who serves it."""
    study = make_study(tmp_path / "study", prompts=4)
    mine = tmp_path / "mine"
    mine.write_bytes(b"private")
    own = sqlite3.connect(tmp_path / "own.sqlite")
    own.execute("CREATE TABLE diary (words TEXT)")
    own.commit()
    own.close()
    before = (tmp_path / "own.sqlite").read_bytes()
    study.votes_file.symlink_to(tmp_path / "own.sqlite")
    for verb in ("serve", "report"):
        with pytest.raises(SystemExit) as done:
            cli.main(["study", verb, str(study.folder)])
        assert done.value.code == 1
        assert capsys.readouterr().err.splitlines()[-1].endswith("votes.sqlite: is a link, expected a file")
    study.votes_file.unlink()
    study.votes_file.write_bytes(before)
    with pytest.raises(ValueError, match=r"votes\.sqlite: is a database of something else"):
        Votes(study)
    assert study.votes_file.read_bytes() == before == (tmp_path / "own.sqlite").read_bytes()
    study.votes_file.unlink()
    first, second = (item.files[0] for item in study.items[:2])
    (study.folder / "clips").mkdir(exist_ok=True)
    (study.folder / "clips" / first).symlink_to(mine)
    os.mkfifo(study.folder / "clips" / second)
    with serving(study) as server:
        rater = Rater(port_of(server))
        assert rater.ask("GET", f"/clips/{first}")[0] == 404
        assert rater.ask("GET", f"/clips/{second}")[0] == 404
        (study.folder / "clips").rename(tmp_path / "elsewhere")
        (study.folder / "clips").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere" / first).unlink()
        (tmp_path / "elsewhere" / first).write_bytes(b"private")
        assert rater.ask("GET", f"/clips/{first}")[0] == 404


def test_a_folder_of_another_kind_takes_no_votes(tmp_path: Path):
    study = make_study(tmp_path / "study", prompts=4)
    (study.folder / MARKER).write_text('{"storyreel": 1, "kind": "run"}')
    with pytest.raises(ValueError, match="is the folder of a training run, expected a study"):
        Votes(study)
    assert not study.votes_file.exists()


def test_the_page_allows_nothing_from_elsewhere(server: StudyServer):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=30)
    for path in ("/", "/study.css", "/study.js"):
        connection.request("GET", path)
        reply = connection.getresponse()
        text = reply.read().decode()
        assert reply.status == 200
        assert "default-src 'none'" in str(reply.getheader("Content-Security-Policy"))
        assert "http://" not in text
        assert "https://" not in text


def test_a_vote_that_cannot_be_stored_is_not_acknowledged(server: StudyServer, capsys: pytest.CaptureFixture[str]):
    rater = Rater(port_of(server))
    trial = rater.join()["trial"]["id"]
    trigger = "CREATE TRIGGER full BEFORE INSERT ON votes BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    server.votes._db.execute(trigger)
    assert rater.vote(trial, "left")[0] == 500
    assert "disk full" in capsys.readouterr().err
    assert stored(server.study) == {}
    server.votes._db.execute("DROP TRIGGER full")
    assert rater.vote(trial, "left")[0] == 200  # the page sends it again
    assert stored(server.study) == {trial: "left"}


def test_a_port_that_is_taken_is_one_line(server: StudyServer, capsys: pytest.CaptureFixture[str]):
    for args in (["--port", str(port_of(server))], ["--host", "192.0.2.7"], ["--host", "no.such.host.invalid"]):
        with pytest.raises(SystemExit) as done:
            cli.main(["study", "serve", str(server.study.folder), *args])
        err = capsys.readouterr().err
        assert (done.value.code, err.count("\n")) == (1, 1)
        assert "cannot serve at" in err


def test_answers_wait_for_the_clips(tmp_path: Path):
    study = make_study(tmp_path / "study", prompts=2, catch=0)
    study = replace(study, items=tuple(replace(item, watch=0.4) for item in study.items))
    with serving(study) as server:
        rater = Rater(port_of(server))
        trial = rater.join()["trial"]["id"]
        assert rater.vote(trial, "left")[0] == 425
        time.sleep(0.45)
        assert rater.vote(trial, "left")[0] == 200


def test_enough_is_enough(tmp_path: Path):
    with serving(make_study(tmp_path / "study", prompts=2, raters=2)) as server:
        for _ in range(2):
            rater = Rater(port_of(server))
            assert rater.vote(rater.join()["trial"]["id"], "left")[0] == 200
        status, said = Rater(port_of(server)).ask("POST", "/api/join", {})
        assert (status, said["error"]["message"]) == (409, "this study has all the votes that it needs")


def test_sides_and_order_differ_by_rater_and_come_from_the_seed(tmp_path: Path):
    study = make_study(tmp_path / "study", prompts=30, catch=4)
    lists = [assign(study, rater, {}) for rater in range(1, 41)]
    assert lists[3] == assign(study, 4, {})
    assert assign(replace(study, seed=8), 4, {}) != lists[3]
    assert len({tuple(shown.item for shown in one) for one in lists}) == 40
    left = [shown.a_left for one in lists for shown in one]
    assert 0.45 < sum(left) / len(left) < 0.55
    for one in lists:
        kinds = [study.items[shown.item].kind for shown in one]
        assert [kinds.count(kind) for kind in (PAIR, NOISE, SAME)] == [30, 2, 2]
        assert kinds[0] == PAIR


def test_pairs_fill_up_evenly(tmp_path: Path):
    study = replace(make_study(tmp_path / "study", prompts=9), per_rater=3)
    load: dict[int, int] = {}
    for rater in range(1, 16):  # 15 raters of 3 pairs: 5 for each of 9
        for shown in assign(study, rater, load):
            load[shown.item] = load.get(shown.item, 0) + 1
    assert [load[i] for i in study.indices(PAIR)] == [5] * 9
    assert assign(study, 16, load) == []


def test_fifty_raters_at_once_lose_nothing(tmp_path: Path):
    study = make_study(tmp_path / "study", prompts=4, raters=50, catch=1)
    given: list[dict[str, str]] = []
    together = threading.Barrier(50)
    with serving(study) as server:

        def work(number: int) -> None:
            rater, mine = Rater(port_of(server)), {}
            together.wait()
            state = rater.join()
            while trial := state["trial"]:
                answer = ("left", "right", "tie")[(number + len(mine)) % 3]
                status, state = rater.vote(trial["id"], answer)
                assert status == 200, state
                mine[trial["id"]] = answer
            given.append(mine)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.votes.counts() == {"raters": 50, "votes": 600}
    assert len(given) == 50
    assert stored(study) == {trial: answer for mine in given for trial, answer in mine.items()}


def start(study: Study) -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "storyreel", "study", "serve", str(study.folder), "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline()
    return process, int(address.rstrip("/\n").rsplit(":", 1)[1])


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX systems")
def test_kill_9_loses_no_acknowledged_vote(tmp_path: Path):
    study = make_study(tmp_path / "study", prompts=40, raters=8)
    acknowledged: dict[str, str] = {}
    tokens: list[str] = []
    process, port = start(study)
    enough = threading.Event()

    def work(number: int) -> None:
        rater = Rater(port)
        try:
            state = rater.join()
            tokens.append(rater.token)
            while trial := state["trial"]:
                answer = ("left", "right", "tie")[(number + len(acknowledged)) % 3]
                status, state = rater.vote(trial["id"], answer)
                if status == 200:
                    acknowledged[trial["id"]] = answer
                if len(acknowledged) > 100:
                    enough.set()
        except (OSError, http.client.HTTPException):
            return  # the server is gone

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    assert enough.wait(120)
    process.send_signal(signal.SIGKILL)  # in the middle of votes
    process.wait()
    for thread in threads:
        thread.join()
    kept = stored(study)
    assert 100 < len(acknowledged) <= len(kept) < 84 * 8
    assert {trial: kept.get(trial) for trial in acknowledged} == acknowledged
    process, port = start(study)  # and everybody goes on
    try:
        rater = Rater(port)
        rater.token = tokens[0]
        status, state = rater.ask("GET", "/api/state")
        assert status == 200
        assert rater.vote(state["trial"]["id"], "left")[0] == 200
    finally:
        process.kill()
        process.wait()


def test_raters_who_never_vote_close_no_study(tmp_path: Path):
    """Whoever opens the page five times and leaves keeps nobody from a study that wants five raters."""
    with serving(make_study(tmp_path / "study", prompts=2, raters=5)) as server:
        for _ in range(5):
            Rater(port_of(server)).join()
        raters = [Rater(port_of(server)) for _ in range(5)]
        for rater in raters:
            assert rater.vote(rater.join()["trial"]["id"], "left")[0] == 200
        assert Rater(port_of(server)).ask("POST", "/api/join", {})[0] == 409, "five are at work now"


def test_an_address_has_so_many_raters_without_a_vote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import storyreel.study.votes as votes

    monkeypatch.setattr(votes, "MAX_UNANSWERED", 3)
    with serving(make_study(tmp_path / "study", prompts=2, raters=9)) as server:
        raters = [Rater(port_of(server)) for _ in range(4)]
        trials = [rater.join()["trial"]["id"] for rater in raters[:3]]
        status, said = raters[3].ask("POST", "/api/join", {})
        assert (status, "have not voted yet" in said["error"]["message"]) == (429, True)
        assert server.votes.join("192.0.2.7"), "another address is no part of it"
        assert raters[0].vote(trials[0], "left")[0] == 200
        assert raters[3].join()["trial"]
        monkeypatch.setattr(votes, "UNANSWERED", -1.0)
        assert server.votes.join("127.0.0.1")


def test_raters_who_never_vote_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import storyreel.study.votes as votes

    with serving(make_study(tmp_path / "study", prompts=2, raters=9)) as server:
        voter, other = Rater(port_of(server)), Rater(port_of(server))
        assert voter.vote(voter.join()["trial"]["id"], "left")[0] == 200
        other.join()
        monkeypatch.setattr(votes, "ABANDONED", -1.0)
        Rater(port_of(server)).join()
        assert other.ask("GET", "/api/state")[0] == 401
        status, state = voter.ask("GET", "/api/state")
        assert (status, state["done"]) == (200, 1)
        assert server.votes.counts() == {"raters": 2, "votes": 1}


def test_networks_that_count_as_one_address():
    assert network_of("192.0.2.7") == network_of("::ffff:192.0.2.7") == "192.0.2.7"
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2::9%eth0") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::4") != network_of("2001:db8:1:2::4")


def test_another_page_cannot_vote_through_a_browser(server: StudyServer):
    rater = Rater(port_of(server))
    trial = rater.join()["trial"]["id"]
    vote = {"trial": trial, "answer": "left", "watched": 1.0}
    for site in ("cross-site", "same-site"):
        assert rater.ask("POST", "/api/vote", vote, **{"Sec-Fetch-Site": site})[0] == 403
    assert stored(server.study) == {}
    assert rater.ask("POST", "/api/vote", vote, **{"Sec-Fetch-Site": "same-origin"})[0] == 200


def test_half_a_character_is_no_trial(server: StudyServer):
    """The database takes none: it was an error of the server, with a traceback where that runs."""
    rater = Rater(port_of(server))
    trial = rater.join()["trial"]["id"]
    assert rater.ask("POST", "/api/vote", {"trial": "\ud800", "answer": "left", "watched": 1.0})[0] == 400
    assert rater.vote(trial, "left")[0] == 200
