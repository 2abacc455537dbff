"""What bad files and bad disks get: one clear line, and nothing half-written."""

from __future__ import annotations

import builtins
import errno
import os
import struct
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storyreel import cli, video_io
from storyreel.clip import Clip

ALL = [".mp4", ".webm", ".mkv", ".gif", ".webp", ".apng", ".png"]


def clip(count: int = 6, size: int = 64) -> Clip:
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    return Clip(pixels, Fraction(8), "noise", {"seed": 1})


def one_line(error: BaseException, path: Path) -> None:
    text = str(error)
    assert path.name in text
    assert "\n" not in text


@pytest.mark.parametrize("suffix", [*ALL, ".jpg", ".json", ".mov", ".txt", ""])
def test_empty_and_nonsense_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    for content in (b"", b"x", b"#EXTM3U\nhttp://127.0.0.1:1/a.ts\n", os.urandom(5000), b"\0" * 100):
        path.write_bytes(content)
        for reader in (video_io.read, video_io.probe, video_io.read_meta, video_io.open_image):
            with pytest.raises(ValueError, match=r"a") as caught:
                reader(path)
            one_line(caught.value, path)


@pytest.mark.parametrize("suffix", ALL)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, part: float) -> None:
    path = video_io.write(clip(), tmp_path / f"a{suffix}", scale=1)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ValueError, match=r"truncated|corrupt|neither|picture") as caught:
        video_io.read(path)
    one_line(caught.value, path)


def test_a_damaged_frame_of_a_dataset_clip_is_found(tmp_path: Path) -> None:
    path = video_io.write(clip(), tmp_path / "a.mkv")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="corrupt"):
        video_io.read(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for reader in (video_io.read, video_io.probe, video_io.open_image):
        with pytest.raises(FileNotFoundError):
            reader(tmp_path / "none.mp4")
        with pytest.raises(IsADirectoryError, match="folder"):
            reader(tmp_path)


def test_a_picture_that_is_a_video_is_refused(tmp_path: Path) -> None:
    path = video_io.write(clip(), tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="is not a picture"):
        video_io.open_image(path)


def huge_png(path: Path, side: int) -> None:
    """A PNG that states side x side pixels and holds none."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


@pytest.mark.parametrize(("side", "what"), [(10_000, "100.0 megapixels"), (40_000, "megapixels")])
def test_a_hundred_megapixels_are_refused_before_decoding(tmp_path: Path, side: int, what: str) -> None:
    huge_png(tmp_path / "a.png", side)
    for reader in (video_io.open_image, video_io.read):
        with pytest.raises(ValueError, match=what) as caught:
            reader(tmp_path / "a.png")
        one_line(caught.value, tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ALL)
def test_limits_of_the_caller(tmp_path: Path, suffix: str) -> None:
    path = video_io.write(clip(), tmp_path / f"a{suffix}", scale=1)
    with pytest.raises(ValueError, match="megapixels"):
        video_io.read(path, max_pixels=1000)
    with pytest.raises(ValueError, match="more than 5 frames"):
        video_io.read(path, max_frames=5)
    assert len(video_io.read(path, max_frames=6, max_pixels=64 * 64)) == 6


@pytest.mark.parametrize("suffix", ALL)
def test_a_full_disk_leaves_nothing_and_keeps_what_was_there(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = video_io.write(clip(), tmp_path / f"a{suffix}", scale=1)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*args: Any, **options: Any) -> None:
        raise full

    class FullFile:
        """An open file that takes a little and then no more."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, data: Any) -> int:
            self.file.write(bytes(data)[:100])
            raise full

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def __enter__(self) -> FullFile:
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

    really = builtins.open
    if suffix in (".mp4", ".webm", ".mkv"):
        monkeypatch.setattr(video_io, "_set_up", fail)  # the container has been opened, so its file is there
    else:
        monkeypatch.setattr(builtins, "open", lambda *a, **k: FullFile(really(*a, **k)))
    with pytest.raises(OSError, match="No space left") as caught:
        video_io.write(clip(3), path, scale=1)
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("suffix", ALL)
def test_a_folder_that_cannot_be_written(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="could not be written"):
        video_io.write(clip(), tmp_path / "file" / f"a{suffix}")
    with pytest.raises(OSError, match="could not be written"):
        video_io.write(clip(), tmp_path / "file" / "deeper" / f"a{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(OSError, match="is a folder"):
        video_io.write(clip(), tmp_path / f"folder{suffix}")
    assert sorted(os.listdir(tmp_path)) == ["file", f"folder{suffix}"]


@pytest.mark.parametrize("suffix", ALL)
def test_an_interrupt_leaves_nothing(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("storyreel.storage.os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        video_io.write(clip(), tmp_path / f"a{suffix}", scale=1)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "options", "what"),
    [
        ("a.wmv", {}, "unknown format"),
        ("a", {}, "unknown format"),
        ("a.mp4", {"lossless": True}, "lossless"),
        ("a.gif", {"scale": 0}, "scale"),
        ("a.gif", {"scale": "big"}, "scale"),
        ("a.gif", {"scale": 1000}, "scale"),
        ("a.webm", {"quality": 101}, "quality"),
    ],
)
def test_options_that_make_no_sense(tmp_path: Path, name: str, options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        video_io.write(clip(1), tmp_path / name, **options)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("meta", [{"x": object()}, {"x": float("nan")}, {"x": "a" * 2_000_000}])
def test_meta_that_no_comment_can_hold(tmp_path: Path, meta: dict[str, Any]) -> None:
    for suffix in ALL:
        with pytest.raises(ValueError, match="meta"):
            video_io.write(clip().replace(meta=meta), tmp_path / f"a{suffix}")
    assert os.listdir(tmp_path) == []


def test_sizes_that_a_format_cannot_hold(tmp_path: Path) -> None:
    wide = Clip(np.zeros((1, 1, 20_000, 3), np.uint8))
    for suffix in (".mp4", ".webm", ".webp"):
        with pytest.raises(ValueError, match="holds at most"):
            video_io.write(wide, tmp_path / f"a{suffix}")
    assert video_io.read(video_io.write(wide, tmp_path / "a.mkv")).size == (1, 20_000)


def inspect(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as done:
        cli.main(["inspect", *args])
    out, err = capsys.readouterr()
    return int(done.value.code or 0), out, err


@pytest.mark.parametrize("suffix", ALL)
def test_inspect(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    made = clip().replace(caption="ein\n犬 \x1b[31m", meta={"seed": 12})
    path = video_io.write(made, tmp_path / f"a{suffix}", scale=2)
    code, out, _ = inspect(capsys, str(path))
    assert code == 0
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (rows["size"], rows["frames"], rows["fps"], rows["seconds"]) == ("128x128", "6", "8", "0.750")
    assert (rows["alpha"], rows["seed"], rows["caption"]) == ("no", "12", "ein\\n犬 \\x1b[31m")
    code, out, _ = inspect(capsys, str(path), "--json")
    facts = json.loads(out)
    assert facts["made"]["caption"] == made.caption
    assert (facts["width"], facts["frames"], facts["fps"], facts["alpha"]) == (128, 6, "8", False)


def test_inspect_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = video_io.write(clip(), tmp_path / "a.mp4", metadata=False)
    assert "no Storyreel comment" in inspect(capsys, str(path))[1]
    path.write_bytes(path.read_bytes()[:2000])
    for name in ("a.mp4", "none.mp4", "."):
        code, out, err = inspect(capsys, str(tmp_path / name))
        assert (code, out) == (1, "")
        assert len(err.splitlines()) == 1
    assert inspect(capsys)[0] == 2


def test_a_still_picture_has_no_duration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (3, 2)).save(tmp_path / "a.png")
    out = inspect(capsys, str(tmp_path / "a.png"))[1]
    assert "3x2" in out
    assert "seconds" not in out
