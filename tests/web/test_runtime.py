"""onnxruntime-web comes whole, of the one version, or not at all."""

from __future__ import annotations

import hashlib
import io
import tarfile
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

from storyreel.web import runtime


class Reply(io.BytesIO):
    headers = Message()


def archive(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, bytes]:
    """Other bytes in place of the package, with their digests pinned."""
    files = {name: name.encode() * 9 for name in runtime.FILES}
    whole = archive(files)
    monkeypatch.setattr(runtime, "FILES", {n: hashlib.sha256(c).hexdigest() for n, c in files.items()})
    monkeypatch.setattr(runtime, "ARCHIVE", hashlib.sha256(whole).hexdigest())
    monkeypatch.setattr(runtime, "SIZE", len(whole))
    monkeypatch.setenv("STORYREEL_WEIGHTS", str(tmp_path / "cache"))
    return {"whole": whole, **files}


def test_it_is_downloaded_once(published: dict[str, bytes]):
    calls = []

    def opener(request: urllib.request.Request) -> Reply:
        calls.append(request.full_url)
        return Reply(published["whole"])

    said: list[str] = []
    for _ in range(2):
        found = runtime.find_runtime(opener=opener, tell=said.append)
        assert {name: path.read_bytes() for name, path in found.items()} == {n: published[n] for n in runtime.FILES}
    assert calls == [runtime.URL]
    assert len(said) == 1
    assert not list(found["ort.wasm.bundle.min.mjs"].parent.glob("*.tgz"))


def test_other_bytes_are_refused_and_nothing_is_kept(published: dict[str, bytes], tmp_path: Path):
    changed = published["whole"] + b"!"
    with pytest.raises(ValueError, match="its sha256 is"):
        runtime.find_runtime(opener=lambda _: Reply(changed))
    assert not [file for file in (tmp_path / "cache").rglob("*") if file.is_file()]


def test_without_a_network_it_says_what_to_give(published: dict[str, bytes]):
    def opener(_: urllib.request.Request) -> Reply:
        raise urllib.error.URLError("no route")

    with pytest.raises(OSError, match=r"could not be reached.*--runtime the folder of npm's package"):
        runtime.find_runtime(opener=opener)


def test_a_given_folder_is_checked(published: dict[str, bytes], tmp_path: Path):
    folder = tmp_path / "node_modules" / "onnxruntime-web" / "dist"
    with pytest.raises(ValueError, match="expected the folder of npm's package"):
        runtime.find_runtime(tmp_path)
    folder.mkdir(parents=True)
    for name in runtime.FILES:
        (folder / name).write_bytes(published[name])
    assert runtime.find_runtime(tmp_path)["ort.wasm.bundle.min.mjs"] == folder / "ort.wasm.bundle.min.mjs"
    (folder / "ort-wasm-simd-threaded.wasm").write_bytes(b"of another version")
    with pytest.raises(ValueError, match=r"threaded\.wasm: is missing, or not that of onnxruntime-web"):
        runtime.find_runtime(tmp_path)
