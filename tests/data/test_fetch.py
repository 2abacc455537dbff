"""Fetching the sheets: whole or not at all, and nothing leaves the folder."""

import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from storyreel.data import fetch
from storyreel.data.fetch import fetch_pictures


def sheet(size=(832, 1344)):
    made = io.BytesIO()
    Image.new("RGBA", size).save(made, "PNG")
    return made.getvalue()


GOOD = {"lpc-2668274/body/male/light.png": sheet(), "lpc-2668274/AUTHORS.txt": b"many", "lpc-2668274/run.rb": b"puts 1"}


def archive(path, files, links=()):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return path.as_uri()


def test_pictures_and_texts_are_unpacked(tmp_path):
    url = archive(tmp_path / "a.tar.gz", GOOD)
    assert fetch_pictures("sprites", tmp_path / "lpc", url) == 2
    assert (tmp_path / "lpc/body/male/light.png").read_bytes() == sheet()
    assert (tmp_path / "lpc/AUTHORS.txt").read_bytes() == b"many"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar.gz", "lpc"]
    with pytest.raises(ValueError, match="is there already"):
        fetch_pictures("sprites", tmp_path / "lpc", url)


def test_a_place_that_is_no_folder_is_refused_before_anything_is_downloaded(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    for name, words in (("file", "is a file"), ("link", "leads nowhere")):
        with pytest.raises(OSError, match=words):
            fetch_pictures("sprites", tmp_path / name, "file:///absent")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "link"]


def test_over_http(tmp_path):
    archive(tmp_path / "a.tar.gz", GOOD)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        assert fetch_pictures("sprites", tmp_path / "lpc", f"{base}/a.tar.gz") == 2
        with pytest.raises(OSError, match="answered 404"):
            fetch_pictures("sprites", tmp_path / "other", f"{base}/none.tar.gz")
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(OSError, match="could not be reached"):
        fetch_pictures("sprites", tmp_path / "other", f"{base}/a.tar.gz")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("files", "links", "words"),
    [
        ({"../evil.png": b"x"}, (), "leads out of it"),
        ({"/tmp/evil.png": b"x"}, (), "leads out of it"),
        ({"a/..\\evil.png": b"x"}, (), "leads out of it"),
        (GOOD, (("lpc-2668274/link.png", "/etc/passwd"),), "no plain file"),
        ({"a/readme.txt": b"x"}, (), "holds no body/male/light.png"),
        ({"a/body/male/light.png": b"x"}, (), "no picture"),
        ({"a/body/male/light.png": sheet((64, 64))}, (), "64x64, expected 832x1344"),
    ],
)
def test_bad_archives_leave_nothing(tmp_path, files, links, words):
    work = tmp_path / "work"
    work.mkdir()
    url = archive(tmp_path / "a.tar.gz", files, links)
    with pytest.raises(ValueError, match=words):
        fetch_pictures("sprites", work / "lpc", url)
    assert list(work.iterdir()) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar.gz", "work"]


def test_limits_and_broken_archives(tmp_path, monkeypatch):
    url = archive(tmp_path / "a.tar.gz", GOOD)
    monkeypatch.setattr(fetch, "MAX_FILES", 1)
    with pytest.raises(ValueError, match="more than 1 files"):
        fetch_pictures("sprites", tmp_path / "lpc", url)
    monkeypatch.setattr(fetch, "MAX_DOWNLOAD", 100)
    with pytest.raises(ValueError, match="bytes allowed"):
        fetch_pictures("sprites", tmp_path / "lpc", url)
    monkeypatch.undo()
    whole = (tmp_path / "a.tar.gz").read_bytes()
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"not a whole tar\.gz"):
        fetch_pictures("sprites", tmp_path / "lpc", url)
    with pytest.raises(ValueError, match="begins with https"):
        fetch_pictures("sprites", tmp_path / "lpc", "ftp://example.org/a.tar.gz")
