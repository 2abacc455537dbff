"""One server shows the studio, curated datasets, studies and reports beside each other."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from live import Live

from storyreel.serve.app import make_app
from storyreel.serve.guard import Access
from storyreel.serve.running import PageServer
from storyreel.serve.shown import show
from storyreel.serve.studio import Studio
from storyreel.serve.worker_monitor import Hub
from tests.serving import running

for name in ("browse", "curate", "study"):
    sys.path.append(str(Path(__file__).parents[1] / name))

from curated import stub_set  # noqa: E402
from simulated import make_study  # noqa: E402


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("shown")
    (folder / "a report").mkdir()
    (folder / "a report/report.html").write_text("<p>numbers</p>")
    (folder / "a report/private.html").write_text("mine")
    return [stub_set(folder, [[{}]]), make_study(folder / "study", prompts=2).folder, folder / "a report"]


@pytest.fixture(scope="module")
def port(folders: list[Path], shelf: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    studio, hub, pages = Studio(tmp_path_factory.mktemp("pages"), [str(shelf[0])]), Hub(), show(folders, None)
    server = PageServer(make_app(studio, hub, Access(), [], pages), "127.0.0.1", 0, hub.close)
    with running(server.run_here, server):
        yield server.port
    studio.close()
    for each in pages:
        each.close()


def ask(port: int, path: str, said: Any = None, **headers: str) -> tuple[int, Any, Any]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = None if said is None else json.dumps(said)
    line.request("GET" if body is None else "POST", path, body, {"Content-Type": "application/json"} | headers)
    reply = line.getresponse()
    content = reply.read()
    line.close()
    kind = reply.headers["Content-Type"]
    return reply.status, json.loads(content) if kind == "application/json" else content, reply.headers


def test_each_folder_has_its_page(port: int):
    listed = ask(port, "/v1/pages")[1]["data"]
    assert [(each["kind"], each["path"]) for each in listed] == [
        ("dataset", "/pages/set/"), ("study", "/pages/study/"), ("report", "/pages/a-report/"),
    ]  # fmt: skip
    for path in ("/", *(each["path"] for each in listed)):
        status, _, headers = ask(port, path)
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8"), path
        script = headers["Content-Security-Policy"].partition("script-src ")[2].partition(";")[0]
        assert script == "'self'" or script.startswith("'sha256-")
        assert len(headers.get_all("Content-Security-Policy")) == 1


def test_their_own_requests_work_there(port: int):
    clips = ask(port, "/pages/set/api/clips", {})[1]["clips"]
    assert ask(port, "/pages/set/api/edit", {"clip": clips[0]["clip"], "keep": False})[0] == 200
    token = ask(port, "/pages/study/api/join", {})[1]["token"]
    assert ask(port, "/pages/study/api/state", Authorization=f"Bearer {token}")[1]["total"] > 0
    assert ask(port, "/v1/models")[0] == 200


@pytest.mark.parametrize("path", ["private.html", "../study/study.json", "reports/../private.html", "%2e%2e/x.html"])
def test_a_report_shows_nothing_but_itself(port: int, path: str):
    assert ask(port, f"/pages/a-report/{path}")[0] == 404


def test_what_cannot_be_shown(folders: list[Path], tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected one of a curated dataset, .*; there is none"):
        show([tmp_path], None)
    with pytest.raises(ValueError, match="another folder of the name"):
        show([folders[2], folders[2]], None)
    with pytest.raises(ValueError, match="with --token only a study"):
        show(folders[2:], "secret-token")


def test_raters_need_no_token_of_the_server(folders: list[Path], shelf: list[Path], tmp_path: Path, server: Live):
    (study,) = show(folders[1:2], "secret-token")
    studio = Studio(tmp_path, [str(shelf[0])])
    access = Access(token="secret-token")
    served = PageServer(make_app(studio, Hub(), access, [], [study]), "127.0.0.1", 0)
    with running(served.run_here, served):
        assert ask(served.port, "/v1/models")[0] == 401
        assert ask(served.port, "/pages/study/api/join", {})[0] == 200
    studio.close()
    study.close()
