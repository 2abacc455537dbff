"""Bad requests: each gets OpenAI's error with the field that is wrong, and nothing is queued."""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import ROOT, Live, running

from storyreel.serve.files import VideoFiles
from storyreel.serve.guard import Access


@pytest.fixture(autouse=True)
def nothing_queued(server: Live) -> Iterator[None]:
    before = server.ask("GET", "/readyz")[1]["queue"]
    yield
    after = server.ask("GET", "/readyz")[1]["queue"]
    assert sum(after.values()) == sum(before.values())


PROMPT = {"prompt": "an orc", "model": "tiny"}
BAD: list[tuple[dict[str, Any], str | None, str]] = [
    ({"model": "tiny"}, "prompt", "expected a sentence"),
    ({**PROMPT, "prompt": "x" * 1_000_000}, "prompt", "at most 4000 characters, got 1000000"),
    ({**PROMPT, "prompt": 7}, "prompt", "expected a sentence, got int"),
    ({**PROMPT, "prompt": "a\ud800b"}, "prompt", "expected text"),
    ({**PROMPT, "model": "tinny"}, "model", "did you mean 'tiny'?"),
    ({**PROMPT, "model": ["tiny"]}, "model", "does not exist"),
    ({**PROMPT, "size": "720x1280"}, "size", "tiny makes 16x16, 32x32, 48x48"),
    ({**PROMPT, "size": 16}, "size", "tiny makes 16x16"),
    ({**PROMPT, "seconds": "10000"}, "seconds", "tiny makes 1 to 4096 frames, which are 0.125 to 512 seconds"),
    ({**PROMPT, "seconds": "four"}, "seconds", "expected a number"),
    ({**PROMPT, "seconds": -1}, "seconds", "expected a number"),
    ({**PROMPT, "num_frames": 5000}, "num_frames", "tiny makes 1 to 4096 frames"),
    ({**PROMPT, "num_frames": 2.5}, "num_frames", "expected a whole number"),
    ({**PROMPT, "num_frames": 3, "frames": 3}, None, "given twice"),
    ({**PROMPT, "num_frames": 3, "seconds": 1}, None, "expected one of the two"),
    ({**PROMPT, "seed": -1}, "seed", "expected a whole number"),
    ({**PROMPT, "seed": True}, "seed", "expected a whole number"),
    ({**PROMPT, "guidance_scale": "much"}, "guidance_scale", "expected a number"),
    ({**PROMPT, "guidance_scale": [1]}, "guidance_scale", "expected a number"),
    ({**PROMPT, "transparent": True}, "transparent", "tiny cannot serve it"),
    ({**PROMPT, "tiling": True}, "tiling", "tiny cannot serve it"),
    ({**PROMPT, "layerwise": True}, "layerwise", "tiny cannot serve it"),
    ({**PROMPT, "step_cache": "first-block:0.1"}, "step_cache", "tiny cannot serve it"),
    ({**PROMPT, "model": "tiny-sprites", "transparent": True, "format": "mp4"}, "format", "webm, gif, webp, apng"),
    ({**PROMPT, "format": "avi"}, "format", "expected one of mp4, webm"),
    ({**PROMPT, "story": "x"}, None, "story"),
    ({"model": "tiny", "story": [["an orc", -1]]}, None, "story"),
    ({**PROMPT, "output_path": "/etc/passwd"}, "output_path", "Unknown parameter"),
    ({**PROMPT, "image": "/etc/passwd"}, "image", "Unknown parameter"),
    ({**PROMPT, "encoder": "/etc"}, "encoder", "expected a name, no path"),
    ({**PROMPT, "num_framez": 3}, "num_framez", "did you mean 'num_frames'?"),
    ({**PROMPT, "input_reference": {"image_url": "http://example.com/a.png"}}, "input_reference", "data: URL"),
    ({**PROMPT, "input_reference": {"image_url": "data:image/png;base64,aaaa"}}, "input_reference", "neither"),
    ({**PROMPT, "input_reference": {"file_id": "file_1"}}, "input_reference", "data: URL"),
]


@pytest.mark.parametrize(("body", "param", "says"), BAD, ids=[f"{i}-{param}" for i, (_, param, _) in enumerate(BAD)])
def test_a_bad_field_is_named(server: Live, body: dict[str, Any], param: str | None, says: str):
    status, answer = server.ask("POST", "/v1/videos", body)
    error = answer["error"]
    assert status == 400, answer
    assert says in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    if param is not None:
        assert error["param"] == param


@pytest.mark.parametrize("body", [b"{", b"[]", b"NaN", b"[" * 100_000, b"\xff\xfe", b'{"prompt": 1e999}'])
def test_a_body_that_is_no_object(server: Live, body: bytes):
    status, _, content = server.raw("POST", "/v1/videos", body, {"Content-Type": "application/json"})
    assert (status, json.loads(content)["error"]["type"]) == (400, "invalid_request_error")


def test_other_kinds_of_bodies(server: Live):
    assert server.raw("POST", "/v1/videos", b"<a/>", {"Content-Type": "text/xml"})[0] == 415
    status, _, content = server.raw("POST", "/v1/videos", b"xx", {"Content-Type": "multipart/form-data"})
    assert (status, set(json.loads(content))) == (400, {"error"})


def png_bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in a few kilobytes."""
    import struct

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"x" * 50, png_bomb(), b"GIF89a" + b"\0" * 50]
)
def test_uploads_that_are_no_pictures(server: Live, content: bytes):
    boundary = "x" * 20
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in PROMPT.items()
    )
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="input_reference"; filename="a.png"\r\n\r\n'
    body = fields.encode() + file.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    before = sorted((server.folder / "inputs").iterdir())
    status, _, answer = server.raw("POST", "/v1/videos", body, kind)
    assert (status, json.loads(answer)["error"]["param"]) == (400, "input_reference")
    assert sorted((server.folder / "inputs").iterdir()) == before


def test_a_body_that_is_too_large(server: Live):
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    client.putrequest("POST", "/v1/videos")
    client.putheader("Content-Type", "application/json")
    client.putheader("Content-Length", str(1 << 40))
    client.endheaders()
    assert client.getresponse().status == 413
    client.close()

    body = b" " * (20 << 20)  # sent whole before its client reads an answer
    status, _, content = server.raw("POST", "/v1/videos", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert (status, json.loads(content)["error"]["code"]) == (413, "too_large")

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * (1 << 20)

    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        client.request("POST", "/v1/videos", endless(), {"Content-Type": "application/json"}, encode_chunked=True)
        assert client.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was told, and did not listen
    client.close()


@pytest.mark.parametrize(
    "path",
    ["/v1/videos/../../etc/passwd", "/v1/videos/..%2f..%2fstudio.sqlite3/content", "/v1/videos/video_x/content",
     "/v1/videos/%00", "/v1/videos/video_" + "0" * 32, "/studio.sqlite3", "/page/../app.py", "/v2/videos"],
)  # fmt: skip
def test_paths_lead_nowhere(server: Live, path: str):
    status, answer = server.ask("GET", path)
    assert (status, answer["error"]["type"]) == (404, "not_found_error")


def test_methods_that_are_not_there(server: Live):
    status, answer = server.ask("PUT", "/v1/videos")
    assert (status, set(answer["error"])) == (405, {"message", "type", "param", "code"})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_other_sites_are_refused(server: Live, headers: dict[str, str], status: int):
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    found, _, content = server.raw("POST", "/v1/videos", b"prompt=an+orc&model=tiny", {**kind, **headers})
    assert (found, set(json.loads(content))) == (status, {"error"})


def test_every_answer_has_the_headers(server: Live):
    for path in ("/healthz", "/v1/models", "/nothing", "/"):
        headers = server.raw("GET", path)[1]
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-request-id"]
        assert "set-cookie" not in headers


def test_slow_clients_stall_nobody(server: Live):
    slow = []
    for _ in range(60):
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        client.putrequest("POST", "/v1/videos")
        client.putheader("Content-Length", "1000")
        client.endheaders()
        client.send(b"{")
        slow.append(client)
    began = time.monotonic()
    assert server.ask("GET", "/v1/models")[0] == 200
    assert time.monotonic() - began < 10
    for client in slow:
        client.close()


# -- starting ------------------------------------------------------------------------------------------------


def refusal(*words: Any) -> str:
    """The last line of a `storyreel serve` that does not start."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "storyreel", "serve", *map(str, words)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1]


def test_a_second_server_in_the_same_folder_is_refused(server: Live, shelf: list[Path]):
    assert "another process is serving this folder" in refusal(shelf[0], "-o", server.folder, "--port", 0)


def test_a_folder_of_a_newer_version_is_left_alone(shelf: list[Path], tmp_path: Path):
    from storyreel.ownership import claim
    from storyreel.serve.table import VideoTable

    with claim(tmp_path / "new", "studio"):
        VideoTable(tmp_path / "new").close()
    with sqlite3.connect(tmp_path / "new/studio.sqlite3") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = (tmp_path / "new/studio.sqlite3").read_bytes()
    line = refusal(shelf[0], "-o", tmp_path / "new", "--port", 0)
    assert "was written by a newer version of storyreel (table 99" in line
    assert (tmp_path / "new/studio.sqlite3").read_bytes() == before
    (tmp_path / "new/studio.sqlite3").write_bytes(b"no table" * 1000)
    assert "cannot be opened as a table of videos" in refusal(shelf[0], "-o", tmp_path / "new", "--port", 0)


@pytest.mark.parametrize(
    ("access", "says"),
    [
        ({"host": "0.0.0.0"}, "expected --token as well"),
        ({"token": "short"}, "at least 8 characters"),
    ],
)
def test_access_that_is_too_open(access: dict[str, Any], says: str):
    with pytest.raises(ValueError, match=says):
        Access(**access)


def test_hosts_and_tokens():
    access = Access("0.0.0.0", "secret-token", frozenset({"studio.example"}))
    assert access.allows_host("192.168.1.5:8420")
    assert access.allows_host("studio.example")
    assert not access.allows_host("evil.example:8420")
    assert access.allows_token("Bearer secret-token")
    assert not access.allows_token("Bearer secret-tokem")
    assert not access.allows_token("")
    assert Access().allows_host("[::1]:8420")


def test_a_token_is_asked_for(shelf: list[Path], tmp_path: Path, server: Live):
    with running(tmp_path / "studio", shelf[:1], "--token", "secret-token") as live:
        assert live.ask("GET", "/v1/models")[0] == 401
        assert live.ask("GET", "/v1/models", Authorization="Bearer secret-token")[0] == 200
        assert live.ask("GET", "/healthz")[0] == 200


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shelf: list[Path]):
    """The worker says so of the video, and nothing half-written is left."""
    from storyreel.serve.studio import Studio
    from storyreel.serve.worker import VideoWorker

    studio = Studio(tmp_path, [str(shelf[0])])
    video = studio.create({"prompt": "an orc"})
    worker = VideoWorker(tmp_path, "claim", {"tiny": str(shelf[0])}, lambda event: None)

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device", "video.mp4")

    monkeypatch.setattr("storyreel.video_io.write", full)
    taken = worker.table.take("claim")
    assert taken is not None
    worker.make(taken)
    found = studio.video(video.id)
    assert (found.status, found.error_code) == ("failed", "generation_failed")
    assert "No space left" in (found.error_message or "")
    assert list((tmp_path / "videos").iterdir()) == []
    studio.close()


def test_nothing_is_served_through_a_link(tmp_path: Path):
    files, id, elsewhere = VideoFiles(tmp_path), f"video_{'0' * 32}", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "video.mp4").write_bytes(b"")
    (tmp_path / "videos" / id).symlink_to(elsewhere)
    with pytest.raises(OSError, match="is a link"):
        files.file(id, "video.mp4")
    files.remove(id)
    assert (elsewhere / "video.mp4").exists()


NO_TEXT = [
    ({"model": "tiny", "story": [["an \ud800 orc", 1]]}, "story"),
    ({"model": "tiny", "story": [["an \0 orc", 1]]}, "story"),
    ({**PROMPT, "negative_prompt": "\udfff"}, "negative_prompt"),
    ({**PROMPT, "stage": "\ud800"}, "stage"),
    ({**PROMPT, "\ud800": 1}, None),
    ({**PROMPT, "model": "\ud800"}, "model"),
    ({"model": "tiny", "story": 5}, "story"),
]


@pytest.mark.parametrize(("body", "param"), NO_TEXT, ids=range(len(NO_TEXT)))
def test_half_a_character_is_refused_wherever_it_is_and_shown_in_the_answer(
    server: Live, body: dict[str, Any], param: str | None
):
    """One in a story was queued, and the list of videos was 500 from then on."""
    status, answer = server.ask("POST", "/v1/videos", body)
    assert status == 400, answer
    assert param in (None, answer["error"]["param"])
    assert server.ask("GET", "/v1/videos")[0] == 200


def test_rows_of_an_earlier_version_with_half_a_character_are_shown():
    from storyreel.serve.json_answer import JsonAnswer

    assert json.loads(bytes(JsonAnswer({"prompt": "a\ud800"}).body)) == {"prompt": "a\ud800"}


def form(*fields: tuple[str, str]) -> bytes:
    parts = [f'--xx\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    return "".join([*parts, "--xx--\r\n"]).encode()


CHARSETS = ("punycode", "idna", "unicode_escape", "undefined", "utf-8; charset=punycode", "utf-16")


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_form_is_utf_8(server: Live, charset: str):
    """300 kB of punycode kept the whole server busy for minutes; others were 500, or gave half a character."""
    body = form(("prompt", "a-" + "b" * 200_000), ("model", "tiny"))
    kind = {"Content-Type": f"multipart/form-data; boundary=xx; charset={charset}"}
    begun = time.monotonic()
    assert server.raw("POST", "/v1/videos", body, kind)[0] == 415
    assert time.monotonic() - begun < 10


def test_a_form_that_says_utf_8_is_read(server: Live):
    kind = {"Content-Type": 'multipart/form-data; boundary=xx; charset="UTF-8"'}
    status, _, content = server.raw("POST", "/v1/videos", form(("prompt", "x"), ("model", "nobody")), kind)
    assert (status, json.loads(content)["error"]["param"]) == (400, "model")


@pytest.mark.parametrize("fields", [(("video", "a"), ("video[id]", "b")), (("story", "x"), ("story[y]", "z"))])
def test_a_field_of_a_form_that_is_given_in_two_ways(server: Live, fields: tuple[tuple[str, str], ...]):
    body, kind = form(("prompt", "x"), *fields), {"Content-Type": "multipart/form-data; boundary=xx"}
    status, _, content = server.raw("POST", "/v1/videos/extensions", body, kind)
    assert (status, json.loads(content)["error"]["param"]) == (400, fields[0][0])
