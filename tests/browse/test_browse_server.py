"""The page's server: what it answers, what it refuses, and that it stays on this machine."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from curated import BrowseServer, serving, stub_set
from PIL import Image

from storyreel.browse.filmline import spread
from storyreel.browse.pictures import Gone, SizedCache, Turns
from storyreel.cli import main
from storyreel.curate.edits import edits_file, read_edits
from storyreel.curate.score import Limit
from storyreel.curate.thresholds import Thresholds
from storyreel.serve.browse_routes import Browsing


class Page:
    """Requests to a server, as a browser would send them."""

    def __init__(self, server: BrowseServer) -> None:
        self.server = server

    def ask(self, path: str, said: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """(status, body, headers); a JSON body is read."""
        line = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        body = None if said is None else said if isinstance(said, bytes) else json.dumps(said).encode()
        sent = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        line.request("GET" if said is None else "POST", path, body, sent)
        reply = line.getresponse()
        data = reply.read()
        line.close()
        kind = reply.headers["Content-Type"]
        return reply.status, json.loads(data) if kind == "application/json" else data, reply.headers

    def __call__(self, path: str, said: Any = None) -> Any:
        status, body, _ = self.ask(path, said)
        assert status == 200, body
        return body


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    films = [[{"motion_flow": 1.0 + n}, {"text_share": 0.1 * n}, {}] for n in range(4)]
    with serving(stub_set(tmp_path_factory.mktemp("stub"), films)) as server:
        yield Page(server)


@pytest.fixture(scope="module")
def real(movies: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    dataset = tmp_path_factory.mktemp("real") / "set"
    shutil.copytree(movies, dataset)
    with serving(dataset) as server:
        yield Page(server)


def test_decisions_go_through_no_link(tmp_path: Path):
    """A curated folder from a stranger, whose files of decisions are links to files of the one who browses."""
    dataset = stub_set(tmp_path, [[{}]])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("words")
    (tmp_path / "mine/edits.jsonl").write_text("half a line")
    with serving(dataset) as server:
        page = Page(server)
        clip = page("/api/clips", {})["clips"][0]["clip"]
        for name, to in (("edits.jsonl", "edits.jsonl"), (".edits.lock", "notes.txt"), (".edits.lock", "absent")):
            (dataset / "curation" / name).unlink(missing_ok=True)
            (dataset / "curation" / name).symlink_to(tmp_path / "mine" / to)
            status, said, _ = page.ask("/api/edit", {"clip": clip, "keep": False})
            assert (status, said["error"]["message"].rpartition(": ")[2]) == (500, "is a link, expected a file")
            (dataset / "curation" / name).unlink()
        (dataset / "curation").rename(tmp_path / "mine/curation")
        (dataset / "curation").symlink_to(tmp_path / "mine/curation")
        status, said, _ = page.ask("/api/edit", {"clip": clip, "keep": False})
        assert (status, "lies behind a link" in said["error"]["message"]) == (500, True)
    assert (tmp_path / "mine/notes.txt").read_text() == "words"
    assert (tmp_path / "mine/edits.jsonl").read_text() == "half a line"
    assert not (tmp_path / "mine/absent").exists()


def test_clips_come_in_pages_by_view_reason_and_search(stub: Page):
    everything = stub("/api/clips", {})
    assert everything["total"] == 12
    rejected = stub("/api/clips", {"view": "rejected"})
    assert [c["reasons"][0]["name"] for c in rejected["clips"]] == ["text.max"] * 3
    assert stub("/api/clips", {"view": "rejected", "reason": "text.max"})["total"] == 3
    assert stub("/api/clips", {"reason": "blur.max"})["total"] == 0
    assert [c["source"] for c in stub("/api/clips", {"query": "OF film cap 2"})["clips"]] == ["film 2.mp4"] * 3
    assert stub("/api/clips", {"query": everything["clips"][4]["clip"]})["total"] == 1
    part = stub("/api/clips", {"offset": 5, "count": 4})
    assert [c["clip"] for c in part["clips"]] == [c["clip"] for c in everything["clips"]][5:9]
    ordered = stub("/api/clips", {"order": "motion_flow", "down": True})["clips"]
    assert ordered[0]["source"] == "film 3.mp4"
    nearest = stub("/api/clips", {"order": "margin", "view": "rejected"})["clips"]
    limit = Thresholds().text.max or 0.0
    assert nearest[0]["reasons"][0]["margin"] == pytest.approx((limit - 0.1) / limit)


def test_moved_thresholds_change_counts_and_clips_but_nothing_on_disk(stub: Page):
    table = stub.server.session.dataset / "curation" / "spans.parquet"
    before = table.read_bytes()
    assert stub("/api/decide", {})["kept"] == 9
    moved = {**Thresholds().as_json(), "text": {"min": None, "max": 0.25}}
    said = stub("/api/decide", {"thresholds": moved})
    assert (said["kept"], said["gained"], said["lost"]) == (11, 2, 0)
    assert said["command"].endswith("set --set text.max=0.25")
    assert sum(said["histograms"]["text_share"]) == 11
    changed = stub("/api/clips", {"thresholds": moved, "view": "changed"})["clips"]
    assert [(c["kept"], c["saved"]) for c in changed] == [(True, False)] * 2
    assert table.read_bytes() == before


def test_one_clip_says_all(stub: Page):
    clip = stub("/api/clips", {"view": "rejected"})["clips"][0]["clip"]
    said = stub("/api/clip", {"clip": clip})
    limit = Thresholds().text.max or 0.0
    text = next(score for score in said["scores"] if score["field"] == "text")
    assert text["limits"] == [{"side": "max", "limit": limit, "margin": pytest.approx((limit - 0.1) / limit)}]
    assert said["captions_made"] == ["caption of film 1"]
    assert [s["kept"] for s in said["film"]["spans"]] == [True, False, True]
    assert [(t["start"], t["kind"]) for t in said["film"]["transitions"]] == [(16, "dissolve"), (33, "dissolve")]
    frames = [each["frame"] for each in said["around"]]
    assert frames[0] < 16 < said["start"] == 17
    assert frames[-1] > 33 >= said["end"]


@pytest.mark.parametrize(
    ("path", "said", "status", "why"),
    [
        ("/api/decide", {"thresholds": {"colour": {"min": 1}}}, 400, "does not know 'colour'"),
        ("/api/decide", {"thresholds": {"blur": {"min": 3, "max": 1}}}, 400, "nothing can be kept"),
        ("/api/decide", {"thresholds": {"blur": {"min": "3"}}}, 400, "expected numbers"),
        ("/api/decide", {"thresholds": [1]}, 400, "expected numbers"),
        ("/api/decide", {"thresholds": {"blur": {"min": 1e400}}}, 400, "finite"),
        ("/api/clips", {"view": "secret"}, 400, "expected a view"),
        ("/api/clips", {"order": "source_path"}, 400, "an order"),
        ("/api/clips", {"query": 3}, 400, "query: expected str"),
        ("/api/clips", {"offset": -1}, 400, "whole numbers"),
        ("/api/clip", {"clip": "../../etc/passwd"}, 404, "no such clip"),
        ("/api/edit", {"clip": "0" * 20, "keep": True}, 404, "no such clip"),
        ("/api/edit", b"[]", 400, "JSON object"),
        ("/api/edit", b"{", 400, "expected JSON"),
        ("/api/nothing", {}, 404, "nothing here"),
        ("/strip/../../etc/passwd", None, 404, "nothing here"),
        ("/video/" + "0" * 20, None, 404, "no such clip"),
        ("/curation/spans.parquet", None, 404, "nothing here"),
    ],
)
def test_nonsense_is_refused_with_a_line(stub: Page, path: str, said: Any, status: int, why: str):
    found, body, _ = stub.ask(path, said)
    assert found == status
    assert why in body["error"]["message"]


def test_other_pages_cannot_use_the_server(stub: Page):
    clip = stub("/api/clips", {})["clips"][0]["clip"]
    assert stub.ask("/api/set", Host="evil.example:80")[0] == 421, "a name that was bound to this machine"
    assert stub.ask("/api/edit", {"clip": clip, "keep": False}, Content_Type="text/plain")[0] == 415
    assert stub.server.server.socket.getsockname()[0] == "127.0.0.1"
    headers = stub.ask("/")[2]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in headers
    assert not edits_file(stub.server.session.dataset).exists()


def test_decisions_are_on_disk_when_answered(tmp_path: Path):
    dataset = stub_set(tmp_path, [[{}, {}]])
    with serving(dataset) as server:
        page = Page(server)
        first, second = (clip["clip"] for clip in page("/api/clips", {})["clips"])
        assert page("/api/edit", {"clip": first, "keep": False})["reasons"] == [
            {"name": "manual", "value": None, "limit": None, "margin": -1.0}
        ]
        assert page("/api/edit", {"clip": second, "caption": "  a  new\none "})["caption"] == "a new one"
        assert read_edits(dataset) == {first: {"keep": False}, second: {"caption": "a new one"}}
        assert page("/api/decide", {})["manual"] == {"keep": 0, "drop": 1, "captions": 1, "pending": 1}
        assert [c["clip"] for c in page("/api/clips", {"view": "manual"})["clips"]] == [first, second]
        assert page("/api/clips", {"query": "new one"})["total"] == 1
        assert page("/api/clips", {"query": "caption"})["total"] == 1, "the old caption is not found any more"
        assert page("/api/edit", {"clip": second, "caption": None})["caption"] == "caption of film 0"
        assert page("/api/edit", {"clip": first, "keep": None})["kept"]
        assert page.ask("/api/edit", {"clip": first, "keep": "yes"})[0] == 400
        assert page.ask("/api/edit", {"clip": first, "caption": "x" * 5000})[0] == 400
        assert page.ask("/api/edit", {"clip": first})[0] == 400
        assert len(edits_file(dataset).read_text().splitlines()) == 4


def test_applying_is_the_filter_command(tmp_path: Path):
    dataset = stub_set(tmp_path, [[{}, {"text_share": 0.2}]])
    with serving(dataset) as server:
        page = Page(server)
        moved = {**Thresholds().as_json(), "text": {"min": None, "max": 0.25}}
        assert page("/api/apply", {"thresholds": moved})["state"] == "running"
        end = time.monotonic() + 600
        while (said := page("/api/apply"))["state"] == "running" and time.monotonic() < end:
            time.sleep(0.1)
        assert said["state"] == "done", said
        assert "2 of 2 spans kept" in said["line"]
        assert page("/api/set")["thresholds"]["text"] == {"min": None, "max": 0.25}
        assert page("/api/decide", {})["saved"] == 2


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_strips_show_the_clips_own_frames(real: Page):
    from storyreel.span import Span

    for clip in real("/api/clips", {})["clips"]:
        status, data, headers = real.ask(f"/strip/{clip['clip']}.jpg")
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        strip = picture(data)
        assert strip.shape[0] == 108
        state = real.server.session.state()
        (row,) = state.table.rows([state.table.place[clip["clip"]]])
        line = real.server.films.of(row)
        (span,) = line.spans(Path(row["source_path"]), [row["start"], row["start"] + 1], row["bars"])
        assert isinstance(span, Span)
        first = Image.fromarray(next(iter(span.pictures())))
        width = round(first.width * 108 / first.height)
        wanted = np.asarray(first.resize((width, 108), Image.Resampling.BOX), np.float32)
        assert np.abs(strip[:, :width].astype(np.float32) - wanted).mean() < 12, "the first picture is the first frame"


def test_surroundings_have_a_picture_for_each_frame_that_is_told(real: Page):
    clip = real("/api/clips", {})["clips"][1]["clip"]
    frames = real("/api/clip", {"clip": clip})["around"]
    wide = picture(real(f"/around/{clip}.jpg")).shape[1]
    assert wide % len(frames) == 0
    assert [f["frame"] for f in frames] == sorted({f["frame"] for f in frames})


def test_kept_and_rejected_clips_play(real: Page, tmp_path: Path):
    from storyreel import video_io

    for view in ("kept", "rejected"):
        clips = real("/api/clips", {"view": view})["clips"]
        assert clips, view
        status, data, headers = real.ask(f"/video/{clips[0]['clip']}")
        assert (status, headers["Content-Type"], headers["Accept-Ranges"]) == (200, "video/mp4", "bytes")
        (tmp_path / "a.mp4").write_bytes(data)
        clip = video_io.read(tmp_path / "a.mp4")
        assert len(clip) == clips[0]["end"] - clips[0]["start"]
        status, part, headers = real.ask(f"/video/{clips[0]['clip']}", Range="bytes=10-19")
        assert (status, part, headers["Content-Range"]) == (206, data[10:20], f"bytes 10-19/{len(data)}")


def test_a_film_that_is_gone_leaves_the_clips_that_are_files(movies: Path, tmp_path: Path):
    dataset = tmp_path / "set"
    shutil.copytree(movies, dataset)
    with serving(dataset) as server:
        page, table = Page(server), server.session.state().table
        index = table.table.schema.get_field_index("source_path")
        import pyarrow as pa

        table.table = table.table.set_column(index, "source_path", pa.array(["/gone.mp4"] * len(table)))
        kept = page("/api/clips", {"view": "kept"})["clips"][0]["clip"]
        assert picture(page(f"/strip/{kept}.jpg")).shape[0] == 108
        rejected = page("/api/clips", {"view": "rejected"})["clips"][0]["clip"]
        status, said, _ = page.ask(f"/strip/{rejected}.jpg")
        assert (status, said["error"]["message"]) == (404, "the film is not where it was")
        assert page.ask(f"/video/{rejected}")[0] == 404


def test_what_is_asked_for_last_is_made_first_and_once():
    turns, order, begun = Turns(1), [], threading.Event()
    hold = threading.Event()

    def work(name: str, gone: bool = False) -> None:
        try:
            with turns.turn(lambda: gone):
                begun.set()
                hold.wait(10)
                order.append(name)
        except Gone:
            order.append(f"{name} left")

    threads = [threading.Thread(target=work, args=("first",))]
    threads[0].start()
    begun.wait(10)
    for waiting, (name, gone) in enumerate([("old", False), ("away", True), ("new", False)], 1):
        threads.append(threading.Thread(target=work, args=(name, gone)))
        threads[-1].start()
        while len(turns._waiting) < waiting:
            time.sleep(0.001)
    hold.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "new", "away left", "old"]
    forgotten: list[str] = []
    kept = SizedCache(10, forgotten.append)
    for key in ("a", "b", "a", "c", "b"):
        kept.get(key, lambda key=key: (key * 2, 4))
    assert forgotten == ["bb", "aa"], "the least used go first"
    with pytest.raises(OSError, match="no"):
        kept.get("d", lambda: (_ for _ in ()).throw(OSError("no")))
    assert kept.get("d", lambda: ("dd", 1)) == "dd"


def test_parts_of_a_video(real: Page):
    path = f"/video/{real('/api/clips', {'view': 'kept'})['clips'][0]['clip']}"
    whole = real(path)
    size = len(whole)
    for asked, first, last in (
        ("0-", 0, size - 1),
        ("-3", size - 3, size - 1),
        (f"{size - 5}-{size + 99}", size - 5, size - 1),
    ):
        status, part, headers = real.ask(path, Range=f"bytes={asked}")
        assert (status, part) == (206, whole[first : last + 1]), asked
        assert headers["Content-Range"] == f"bytes {first}-{last}/{size}"
    for asked, status in (("bytes=", 400), ("bytes=7-3", 400), (f"bytes={size}-", 416), ("lines=1-2", 400)):
        assert real.ask(path, Range=asked)[0] == status, asked


def test_spreads():
    assert spread(3, 3, 4) == [3]
    assert spread(0, 100, 5) == [0, 25, 50, 75, 100]
    assert spread(5, 7, 9) == [5, 6, 7]


def test_what_cannot_be_browsed_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["browse", str(tmp_path), "--no-open"])
    assert ended.value.code == 1
    assert "was not curated here" in capsys.readouterr().err
    dataset = stub_set(tmp_path, [[{}]], Thresholds(text=Limit()))
    (dataset / "curation" / "spans.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        Browsing(dataset)
