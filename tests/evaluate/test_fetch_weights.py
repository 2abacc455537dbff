"""`storyreel models fetch`: https only, limited, checked, whole or not at all. No byte leaves this machine."""

from __future__ import annotations

import hashlib
import io
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from storyreel import weights_registry as registry
from storyreel.cli import main
from storyreel.evaluate.extractors.download import HttpsOnly, fetch
from storyreel.weights_registry import ExtractorWeights, WeightFile

DATA = b"not really weights" * 1000
DIGEST = hashlib.sha256(DATA).hexdigest()


class Answer(io.BytesIO):
    def __init__(self, data: bytes, length: int | None = None):
        super().__init__(data)
        self.headers = {} if length is None else {"Content-Length": str(length)}


class Server:
    """Stands for the internet; keeps what was asked for."""

    def __init__(self, data: bytes = DATA, length: int | None = None, error: Exception | None = None):
        self.data, self.length, self.error = data, length, error
        self.asked: list[str] = []

    def __call__(self, request: urllib.request.Request) -> Answer:
        self.asked.append(request.full_url)
        if self.error:
            raise self.error
        return Answer(self.data, self.length)


def register(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    told = {"name": "toy.safetensors", "url": "https://example.org/toy", "sha256": DIGEST, "size": len(DATA)}
    file = WeightFile(**{**told, **changes})
    monkeypatch.setitem(registry.ENTRIES, "toy", ExtractorWeights("toy", (file,), "none", "a toy"))


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("STORYREEL_WEIGHTS", str(tmp_path / "weights"))
    register(monkeypatch)
    return tmp_path / "weights" / "toy"


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*")) if folder.exists() else []


def test_it_downloads_once(folder: Path):
    server, lines = Server(length=len(DATA)), []
    assert fetch("toy", opener=server, tell=lines.append) == folder
    assert (folder / "toy.safetensors").read_bytes() == DATA
    assert lines == [f"{folder / 'toy.safetensors'}: sha256 as published"]
    fetch("toy", opener=server, tell=lines.append)
    assert server.asked == ["https://example.org/toy"]
    assert left(folder) == ["toy.safetensors"]
    assert registry.find_weights("toy") == {"toy.safetensors": folder / "toy.safetensors"}


def test_another_content_is_not_kept(folder: Path):
    with pytest.raises(ValueError, match=f"its sha256 is .*, expected {DIGEST}; nothing is kept"):
        fetch("toy", opener=Server(DATA[::-1]))
    assert left(folder) == []
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toy.safetensors").write_bytes(b"something else")
    with pytest.raises(ValueError, match="is there and has another sha256"):
        fetch("toy", opener=Server())


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (Server(length=2 * len(DATA)), "more than the 18000 bytes allowed"),
        (Server(DATA + DATA), "more than the 18000 bytes allowed"),
        (Server(DATA[:5000], length=18000), "broke off after 5000 of 18000 bytes"),
        (Server(error=urllib.error.URLError("no route to host")), "could not be reached"),
        (Server(error=urllib.error.HTTPError("", 404, "Not Found", {}, None)), "answered 404 Not Found"),  # pyright: ignore
        (Server(error=TimeoutError()), "no answer within 60 s"),
    ],
)
def test_what_can_go_wrong_leaves_nothing(server: Server, message: str, folder: Path):
    with pytest.raises((ValueError, OSError), match=message) as error:
        fetch("toy", opener=server)
    assert "https://example.org/toy" in str(error.value)
    assert left(folder) == []


def test_https_only(monkeypatch: pytest.MonkeyPatch):
    register(monkeypatch, url="http://example.org/toy")
    server = Server()
    with pytest.raises(ValueError, match="begins with https://"):
        fetch("toy", opener=server)
    assert not server.asked
    request = urllib.request.Request("https://example.org/toy")
    with pytest.raises(ValueError, match="which is not https"):
        HttpsOnly().redirect_request(request, io.BytesIO(), 302, "Found", {}, "http://example.org/toy")
    assert HttpsOnly().redirect_request(request, io.BytesIO(), 302, "Found", {}, "https://example.org/there")


def test_an_unknown_digest_and_a_pickle_are_told(monkeypatch: pytest.MonkeyPatch, folder: Path):
    register(monkeypatch, name="toy.pt", sha256=None, size=None, opened="toy.safetensors")
    lines: list[str] = []
    fetch("toy", unverified=True, opener=Server(), tell=lines.append)
    assert f"sha256 {DIGEST}, which nothing published confirms" in lines[0]
    assert "is a pickle, which storyreel does not open; convert it once: python -c" in lines[1]
    (folder / "toy.safetensors").write_bytes(b"converted")
    lines.clear()
    fetch("toy", opener=Server(error=AssertionError("asked again")), tell=lines.append)
    assert lines == [f"{folder / 'toy.safetensors'}: is there"]


def test_a_file_without_a_digest_is_taken_on_demand_and_pinned(monkeypatch: pytest.MonkeyPatch, folder: Path):
    """Trust on first use: nothing is downloaded unasked, and what was taken once may not become something else."""
    moving = "https://huggingface.co/somebody/models/resolve/main/toy"
    register(monkeypatch, sha256=None, size=None, url=moving)
    server, lines = Server(), []
    with pytest.raises(
        ValueError, match=r"nobody has published a digest of toy\.safetensors, and its address names a branch"
    ):
        fetch("toy", opener=server)
    assert (server.asked, left(folder)) == ([], [])
    fetch("toy", unverified=True, opener=server, tell=lines.append)
    assert left(folder) == ["digests.json", "toy.safetensors"]
    assert json.loads((folder / "digests.json").read_text()) == {"toy.safetensors": {"url": moving, "sha256": DIGEST}}
    (folder / "toy.safetensors").unlink()
    with pytest.raises(ValueError, match=f"expected {DIGEST}; nothing is kept"):
        fetch("toy", unverified=True, opener=Server(b"another file"))
    assert left(folder) == ["digests.json"]
    fetch("toy", opener=Server(), tell=lines.append)
    assert lines[-1] == f"{folder / 'toy.safetensors'}: sha256 as it was the first time"
    (folder / "toy.safetensors").write_bytes(b"changed")
    with pytest.raises(ValueError, match="is there and has another sha256"):
        fetch("toy", opener=Server())
    (folder / "digests.json").write_text('{"toy.safetensors": 3}')
    with pytest.raises(ValueError, match=r"digests\.json: is damaged"):
        fetch("toy", opener=Server())


def test_every_entry_has_a_digest_or_says_that_there_is_none():
    """The three whose digest is not published anywhere; all others are checked."""
    lacking = {name for name, one in registry.ENTRIES.items() if any(file.sha256 is None for file in one.files)}
    assert lacking - {"toy"} == {"i3d-k400", "c3d-ucf101", "videomae-ssv2"}
    assert [f.name for one in registry.ENTRIES.values() for f in one.files if f.moving and f.sha256] == []


def test_the_conversion_command_works(tmp_path: Path):
    """The printed command turns a state dict into what `read_weights` reads."""
    import shlex
    import subprocess
    import sys

    import torch

    from storyreel.evaluate.extractors.weights import read_weights

    pickled = tmp_path / "a.pt"
    torch.save({"x": torch.arange(3.0), "y": torch.ones(2, 2).T}, pickled)
    command = shlex.split(registry.conversion(pickled))
    subprocess.run([sys.executable, *command[1:]], check=True, capture_output=True)
    assert torch.equal(read_weights(tmp_path / "a.safetensors")["x"], torch.arange(3.0))


def test_the_command_line(monkeypatch: pytest.MonkeyPatch, folder: Path, capsys: pytest.CaptureFixture[str]):
    import storyreel.evaluate.extractors.download as download

    def call(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(list(args))
        out, err = capsys.readouterr()
        return int(stopped.value.code or 0), out, err

    monkeypatch.setitem(download.fetch.__kwdefaults__, "opener", Server())  # pyright: ignore[reportArgumentType]
    code, out, err = call("models", "fetch", "toy")
    assert (code, out.strip()) == (0, str(folder))
    assert "licence of toy: none" in err
    rows = {row["name"]: row for row in json.loads(call("models", "weights", "--json")[1])["weights"]}
    assert rows["toy"]["here"] is True
    assert rows["i3d-k400"]["here"] is False
    assert "inception-2015" in call("models", "weights")[1]
    code, _, err = call("models", "fetch", "tyo")
    assert code == 1
    assert "did you mean 'toy'" in err
