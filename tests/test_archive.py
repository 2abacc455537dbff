"""Archives of strangers: bounded in memory and on disk, verified to the end, nothing outside of the folder."""

from __future__ import annotations

import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest

from storyreel.archive import ArchiveLimits, names_in, unpack

LIMITS = ArchiveLimits(1 << 20, 100)


def tar_of(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def take(tmp_path: Path, data: bytes, limits: ArchiveLimits = LIMITS) -> dict[str, bytes]:
    file = tmp_path / "archive"
    file.write_bytes(data)
    unpack(file, tmp_path / "out", "it", limits, {".txt"})
    return {str(f.relative_to(tmp_path / "out")): f.read_bytes() for f in (tmp_path / "out").rglob("*") if f.is_file()}


FILES = {"a/one.txt": b"one" * 1000, "a/b/two.TXT": b"two", "a/run.sh": b"echo"}
TAKEN = {name: FILES[name] for name in ("a/one.txt", "a/b/two.TXT")}


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes], ids=["gz", "xz", "tar"])
def test_wanted_files_are_unpacked(tmp_path: Path, pack):
    assert take(tmp_path, pack(tar_of(FILES))) == TAKEN


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress], ids=["gz", "xz"])
def test_streams_that_follow_one_another_and_padding_are_one(tmp_path: Path, pack):
    whole = tar_of(FILES)
    assert take(tmp_path, pack(whole[:700]) + pack(whole[700:]) + b"\0" * 900) == TAKEN


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda data: data[:-8] + bytes([data[-8] ^ 1]) + data[-7:],  # the CRC, which stands behind the last file
        lambda data: data[:-4] + bytes([data[-4] ^ 1]) + data[-3:],  # the length
        lambda data: data[:-8],
        lambda data: data[:-1],
        lambda data: data + b"more",
    ],
    ids=["crc", "length", "no-trailer", "short", "more"],
)
def test_the_end_of_gzip_is_verified(tmp_path: Path, spoilt):
    with pytest.raises(ValueError, match=r"it: not a whole tar\.gz or tar\.xz archive"):
        take(tmp_path, spoilt(gzip.compress(tar_of(FILES))))


def test_the_end_of_xz_is_verified(tmp_path: Path):
    data = bytearray(lzma.compress(tar_of(FILES)))
    data[-30] ^= 1
    with pytest.raises(ValueError, match="not a whole"):
        take(tmp_path, bytes(data))


def bomb(kind: bytes, size: int, tail: int = 0) -> bytes:
    """A tar whose first header says that `size` bytes of `kind` follow; some do."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT) + b"\0" * tail


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.REGTYPE])
@pytest.mark.parametrize("size", [2 << 30, 8 << 30, 1 << 19])
def test_a_header_asks_for_no_memory(tmp_path: Path, kind: bytes, size: int):
    with pytest.raises(ValueError, match=r"not a whole tar\.gz|more than 100 files or"):
        take(tmp_path, gzip.compress(bomb(kind, size)))


def test_two_megabytes_that_are_two_gigabytes_stay_small(tmp_path: Path):
    """In a process whose memory is counted, with the limits of the sheets themselves."""
    zeros = zlib.compressobj(9, wbits=31)
    with (tmp_path / "bomb.tar.gz").open("wb") as file:
        file.write(zeros.compress(bomb(tarfile.GNUTYPE_LONGNAME, 2 << 30)) + zeros.flush(zlib.Z_FULL_FLUSH))
        part = zeros.compress(bytes(64 << 20)) + zeros.flush(zlib.Z_FULL_FLUSH)  # which no other part is needed for
        file.write(32 * part + zeros.flush())
    assert (tmp_path / "bomb.tar.gz").stat().st_size < 3 << 20
    script = (
        "import resource, sys; from pathlib import Path; from storyreel.archive import ArchiveLimits, unpack\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: unpack(Path(sys.argv[1]), Path(sys.argv[2]), 'it', ArchiveLimits(1 << 28, 30_000), {'.png'})\n"
        "except ValueError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "bomb.tar.gz"), str(tmp_path / "out")],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1],
    )  # fmt: skip
    why, grown = done.stdout.splitlines()
    assert why == "it: the archive unpacks to more than 30000 files or 268435456 bytes"
    assert int(grown) < 64 << 10, "kilobytes"
    assert list((tmp_path / "out").iterdir()) == []


def test_the_names_in_an_archive_are_read_with_the_same_limits(tmp_path: Path):
    file = tmp_path / "sheets.tar.xz"
    for data, why in (
        (lzma.compress(bomb(tarfile.XHDTYPE, 2 << 30)), "not a whole tar"),
        (lzma.compress(bomb(tarfile.REGTYPE, 8 << 30) + bytes(2 * LIMITS.bytes)), "unpacks to more than"),
        (b"nonsense" * 100, "not a whole tar"),
    ):
        file.write_bytes(data)
        with pytest.raises(ValueError, match=why):
            names_in(file, LIMITS)
    file.write_bytes(lzma.compress(tar_of(FILES)))
    assert names_in(file, LIMITS) == set(FILES)


def test_an_xz_archive_asks_for_no_memory(tmp_path: Path):
    data = lzma.compress(tar_of(FILES), filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30, "preset": 0}])
    with pytest.raises(ValueError, match=r"not a whole .*[Mm]emory usage limit"):
        take(tmp_path, data)


@pytest.mark.parametrize(
    ("files", "limits"),
    [
        ({"a.txt": bytes(1 << 19), "b.sh": bytes(1 << 20)}, LIMITS),
        ({f"{n}.txt": b"" for n in range(101)}, LIMITS),
        ({"a.txt": bytes(1 << 22)}, LIMITS),
    ],
    ids=["sum", "count", "one"],
)
def test_limits(tmp_path: Path, files: dict[str, bytes], limits: ArchiveLimits):
    with pytest.raises(ValueError, match="it: the archive unpacks to more than 100 files or 1048576 bytes"):
        take(tmp_path, gzip.compress(tar_of(files)), limits)


def test_headers_upon_headers_are_no_recursion(tmp_path: Path):
    """Thousands of headers that each announce the next one."""
    with pytest.raises(ValueError, match="not a whole"):
        take(tmp_path, gzip.compress(bomb(tarfile.XGLTYPE, 0) * 3000), ArchiveLimits(1 << 24, 100_000))


@pytest.mark.parametrize("name", ["../x.txt", "/tmp/x.txt", "a/../../x.txt", "a\\..\\x.txt"])
def test_names_stay_inside(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="leads out of it; nothing is kept"):
        take(tmp_path, gzip.compress(tar_of({name: b"x"})))
    assert sorted(f.name for f in tmp_path.iterdir()) == ["archive", "out"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_only_plain_files(tmp_path: Path, kind: bytes):
    info = tarfile.TarInfo("a.txt")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(ValueError, match="which is no plain file"):
        take(tmp_path, gzip.compress(info.tobuf() + bytes(1024)))
