"""Files that are read whole: so many bytes at most, ordinary files alone, and what they unpack to has a limit too."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from storyreel.whole_file import gunzipped, read_bytes, read_text


def test_content_comes_as_it_is_and_text_without_the_ends_of_other_systems(tmp_path: Path):
    file = tmp_path / "a"
    file.write_bytes("\ufeffone\r\ntwo\rthree\n".encode())
    assert read_bytes(file) == "\ufeffone\r\ntwo\rthree\n".encode()
    assert read_text(file) == "one\ntwo\nthree\n"
    file.write_bytes(b"ab\xff")
    with pytest.raises(ValueError, match="a: expected text in UTF-8, byte 2 is none"):
        read_text(file)


def test_a_file_of_a_terabyte_is_refused_by_its_size(tmp_path: Path):
    file = tmp_path / "large"
    file.touch()
    os.truncate(file, 1 << 40)
    with pytest.raises(ValueError, match="large: is larger than 16 MiB, too large for what it should hold"):
        read_bytes(file)
    file.write_bytes(b"four")
    assert read_bytes(file, 4) == b"four"
    with pytest.raises(ValueError, match="larger than 3 bytes"):
        read_bytes(file, 3)


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_would_never_end_is_refused_at_once(tmp_path: Path, what: str):
    place = Path("/dev/zero") if what == "device" else tmp_path / "pipe"
    if what == "pipe":
        os.mkfifo(place)
    with pytest.raises(ValueError, match="is no ordinary file"):
        read_bytes(place)


def test_a_pipe_that_was_asked_for_is_read_up_to_the_limit(tmp_path: Path):
    place = tmp_path / "pipe"
    os.mkfifo(place)
    writer = threading.Thread(target=lambda: place.write_text("from a shell"))
    writer.start()
    assert read_text(place, pipes=True) == "from a shell"
    writer.join()
    with pytest.raises(ValueError, match="larger than 100 bytes"):
        read_bytes("/dev/zero", 100, pipes=True)


def test_gzip_is_verified_to_its_end_and_bounded():
    one, two = gzip.compress(b"one" * 100), gzip.compress(b"two")
    assert gunzipped(one + two + b"\0" * 9, 1000, "it") == b"one" * 100 + b"two"
    for bad in (one[:-1], one[:-8] + bytes(8), one + b"more", one[:20]):
        with pytest.raises(ValueError, match="it: damaged gzip file"):
            gunzipped(bad, 1000, "it")
    with pytest.raises(ValueError, match="it: unpacks to more than 1 MiB"):
        gunzipped(gzip.compress(bytes(1 << 26)), 1 << 20, "it")
