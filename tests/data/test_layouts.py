"""Published layouts from small folders of each: tables, frame folders, UCF-101, an array; and WebDataset shards."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from storyreel import video_io
from storyreel.cli import main
from storyreel.clip import Clip
from storyreel.data.dataset import open_dataset
from storyreel.data.export import export_webdataset
from storyreel.data.folder import DatasetFolder, write_folder
from storyreel.data.loader import Loader
from storyreel.data.shards import Shards


def movie(path: Path, seconds: float = 2.0, level: int = 10) -> Path:
    """A video of 10 frames a second whose frame i has the grey level `level` * i."""
    grey = (np.arange(round(10 * seconds)) * level).astype(np.uint8)
    frames = np.broadcast_to(grey[:, None, None, None], (len(grey), 24, 32, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    return video_io.write(Clip(frames, Fraction(10)), path, scale=None, quality=95)


def picture(path: Path, grey: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((24, 32, 3), grey, np.uint8)).save(path)
    return path


def levels(clip: Clip) -> list[int]:
    return [round(float(frame.mean()) / 10) for frame in clip.frames]


@pytest.fixture
def imported(tmp_path: Path, capsys: Any):
    def run(*args: Any, code: int = 0) -> Any:
        with pytest.raises(SystemExit) as end:
            main(["data", "import", *map(str, args), "-o", str(tmp_path / "out"), "--workers", "1"])
        said = capsys.readouterr()
        assert end.value.code == code, said.err
        return DatasetFolder.open(tmp_path / "out") if code == 0 else said.err

    return run


def test_webvid_by_columns_and_by_name(tmp_path: Path, imported: Any):
    movie(tmp_path / "v" / "000001_000050" / "1066674784.mp4")
    (tmp_path / "w.csv").write_text(
        "videoid,contentUrl,duration,page_dir,name\n"
        '1066674784,https://x/1.mp4,PT00H00M02S,000001_000050,"Sea, at  dusk"\n'
        "99,https://x/2.mp4,PT00H00M02S,000001_000050,not there\n"
    )
    folder = imported(
        "manifest", tmp_path / "w.csv", "--videos", tmp_path / "v", "--columns", "path=videoid,caption=name"
    )
    assert folder.all_captions == [["Sea, at dusk"]]
    assert len(folder.clip(0)) == 20
    assert "no such video" in (tmp_path / "out" / "skipped.jsonl").read_text()
    again = imported("manifest", tmp_path / "w.csv", "--videos", tmp_path / "v", "--layout", "webvid")
    assert again.all_captions == folder.all_captions


def test_kinetics_cut_and_uncut(tmp_path: Path, imported: Any):
    movie(tmp_path / "v" / "archery" / "abcdefghijk_000000_000001.mp4", 1.0)
    movie(tmp_path / "v" / "lmnopqrstuv.mp4", 3.0, 8)
    (tmp_path / "k.csv").write_text(
        "label,youtube_id,time_start,time_end,split\narchery,abcdefghijk,0,1,train\n"
        "surfing water,lmnopqrstuv,1,2,validate\n"
        "surfing water,lmnopqrstuv,2,1,test\n"
        "surfing water,lmnopqrstuv,1,2,private\n"
    )
    folder = imported("manifest", tmp_path / "k.csv", "--videos", tmp_path / "v", "--layout", "kinetics")
    assert folder.splits == ["train", "val"]
    assert folder.all_captions == [["archery"], ["surfing water"]]
    assert [len(folder.clip(i)) for i in (0, 1)] == [10, 10]
    assert levels(folder.clip(1))[0] == 8  # from second 1 on
    left = (tmp_path / "out" / "skipped.jsonl").read_text()
    assert "split 'private': expected train, val, test or held_out" in left


def test_hd_vila_spans_of_one_video(tmp_path: Path, imported: Any):
    movie(tmp_path / "v" / "QMi8t6K31OQ.mp4", 3.0, 8)
    clips = [
        {"clip_id": "QMi8t6K31OQ.0.mp4", "span": ["00:00:00.500", "00:00:01.500"]},
        {"clip_id": "x", "span": ["a", "b"]},
    ]
    (tmp_path / "h.jsonl").write_text(
        json.dumps({"video_id": "QMi8t6K31OQ", "url": "https://...", "clip": clips}) + "\nno\n"
    )
    folder = imported("manifest", tmp_path / "h.jsonl", "--videos", tmp_path / "v", "--layout", "hd-vila")
    assert len(folder) == 1
    assert levels(folder.clip(0))[0] == 4
    assert len(folder.clip(0)) == 10
    assert len((tmp_path / "out" / "skipped.jsonl").read_text().splitlines()) == 2


def test_taichi_and_youtube_driving(tmp_path: Path, imported: Any):
    movie(tmp_path / "v" / "train" / "abc#000010#000020.mp4", 1.0)
    movie(tmp_path / "v" / "def.mp4", 2.0)
    (tmp_path / "t.csv").write_text(
        "video_id,start,end,bbox,fps,subject_id,height,width,partition\n"
        'abc.mp4,10,20,"8-0-24-16",10.0,s,24,32,train\ndef.mp4,5,15,"8-0-24-16",10.0,s,24,32,test\n'
        'def.mp4,5,15,"8-0-8-16",10.0,s,24,32,test\ndef.mp4,5,15,"8-0",10.0,s,24,32,test\n'
    )
    folder = imported("manifest", tmp_path / "t.csv", "--videos", tmp_path / "v", "--layout", "taichi")
    assert folder.splits == ["train", "test"]
    assert [folder.clip(i).size for i in (0, 1)] == [(24, 32), (16, 16)]  # cut already; cut to its box
    left = (tmp_path / "out" / "skipped.jsonl").read_text()
    assert left.count("expected a right and a bottom") == left.count("expected LEFT-TOP-RIGHT-BOTTOM") == 1
    assert [levels(folder.clip(i))[0] for i in (0, 1)] == [0, 5]
    assert [len(folder.clip(i)) for i in (0, 1)] == [10, 10]
    assert folder.all_captions == [[], []]


def test_ids_and_spans_as_lines(tmp_path: Path, imported: Any):
    movie(tmp_path / "v" / "abc.mp4", 3.0, 8)
    (tmp_path / "d.txt").write_text("abc 0.5 1.0\nabc,00:00:02,00:00:03\nabc 5\n")
    folder = imported("manifest", tmp_path / "d.txt", "--videos", tmp_path / "v", "--layout", "youtube-driving")
    assert [len(folder.clip(i)) for i in range(len(folder))] == [5, 10]


def test_parquet_of_pictures(tmp_path: Path, imported: Any):
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture(tmp_path / "v" / "00000" / "000000001.png", 80)
    table = {"url": ["https://x"], "caption": ["a gray square"], "key": ["000000001"], "status": ["success"]}
    pq.write_table(pa.table(table), tmp_path / "00000.parquet")
    args = ("manifest", tmp_path / "00000.parquet", "--videos", tmp_path / "v", "--layout", "laion", "--size", 16)
    folder = imported(*args)
    assert folder.clip(0).frames.shape == (1, 16, 16, 3)
    assert folder.all_captions == [["a gray square"]]


def test_a_folder_of_tables_as_img2dataset_writes_it(tmp_path: Path, imported: Any):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for shard in range(2):
        key = f"{shard:05d}0000"
        picture(tmp_path / "laion" / f"{shard:05d}" / f"{key}.jpg", 80 + 40 * shard)
        table = {"caption": [f"square {shard}", "gone"], "key": [key, f"{key}9"], "status": ["success", "failed"]}
        pq.write_table(pa.table(table), tmp_path / "laion" / f"{shard:05d}.parquet")
        (tmp_path / "laion" / f"{shard:05d}_stats.json").write_text("{}")
    folder = imported("manifest", tmp_path / "laion", "--videos", tmp_path / "laion", "--layout", "laion")
    assert folder.all_captions == [["square 0"], ["square 1"]]
    assert [levels(folder.clip(i)) for i in (0, 1)] == [[8], [12]]


def encoded(grey: int, kind: str) -> bytes:
    opened = io.BytesIO()
    Image.fromarray(np.full((24, 32, 3), grey, np.uint8)).save(opened, kind)
    return opened.getvalue()


def test_pictures_in_the_rows_of_a_table(tmp_path: Path, imported: Any):
    """Bytes as img2dataset writes them, over several groups of rows; a row that failed and one that is no picture."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pictures = [encoded(80, "PNG"), None, b"no picture", encoded(120, "JPEG"), encoded(160, "WEBP")]
    table = {"caption": ["a", "b", "c", "d", "e"], "jpg": pictures, "split": ["train"] * 3 + ["test"] * 2}
    pq.write_table(pa.table(table), tmp_path / "00000.parquet", row_group_size=2)
    columns = ("--columns", "path=jpg,caption=caption,split=split", "--size", 16)
    folder = imported("manifest", tmp_path / "00000.parquet", *columns)
    assert (folder.all_captions, folder.splits) == ([["a"], ["d"], ["e"]], ["train", "test", "test"])
    assert [levels(folder.clip(i)) for i in range(3)] == [[8], [12], [16]]
    assert folder.clip(0).frames.shape == (1, 16, 16, 3)
    left = (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()
    assert [("has no jpg" in line, "jpg of row 3: expected a PNG" in line) for line in left] == [
        (True, False),
        (False, True),
    ]


def test_pictures_as_the_hugging_face_hub_holds_them(tmp_path: Path, imported: Any):
    """{"bytes", "path"}; where there are no bytes, the path counts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    picture(tmp_path / "v" / "b.png", 50)
    images = [{"bytes": encoded(80, "PNG"), "path": None}, {"bytes": None, "path": "b.png"}]
    pq.write_table(pa.table({"image": images, "text": ["one", "two"]}), tmp_path / "t.parquet")
    columns = ("--columns", "path=image,caption=text")
    folder = imported("manifest", tmp_path / "t.parquet", "--videos", tmp_path / "v", *columns)
    assert folder.all_captions == [["one"], ["two"]]
    assert [levels(folder.clip(i)) for i in range(2)] == [[8], [5]]


def test_a_table_that_names_files_wants_their_folder(tmp_path: Path, imported: Any):
    (tmp_path / "a.csv").write_text("id\nx\n")
    assert "expected --videos, their folder" in imported("manifest", tmp_path / "a.csv", "--columns", "path=id", code=1)
    (tmp_path / "none").mkdir()
    assert "no tables in it" in imported("manifest", tmp_path / "none", "--layout", "laion", code=1)


def test_frame_folders_of_skytimelapse(tmp_path: Path, imported: Any):
    for number in (1, 2, 10):
        picture(tmp_path / "sky" / "sky_train" / "v1" / "v1_1" / f"f_{number}.png", number * 10)
    picture(tmp_path / "sky" / "sky_test" / "v2" / "v2_1" / "f_1.png", 200)
    folder = imported("frames", tmp_path / "sky", "--rate", "5", "--caption", "a time lapse of the sky")
    assert dict(zip(folder.column("id"), folder.splits, strict=True)) == {
        "sky_test/v2/v2_1": "test",
        "sky_train/v1/v1_1": "train",
    }
    train = folder.clip(folder.splits.index("train"))
    assert (levels(train), train.fps) == ([1, 2, 10], 5)
    assert folder.captions(0) == ["a time lapse of the sky"]


def test_ucf101_by_its_lists(tmp_path: Path, imported: Any):
    movie(tmp_path / "UCF" / "ApplyEyeMakeup" / "v_ApplyEyeMakeup_g01_c01.mp4").rename(
        tmp_path / "UCF" / "ApplyEyeMakeup" / "v_ApplyEyeMakeup_g01_c01.avi"
    )
    movie(tmp_path / "UCF" / "Archery" / "v_Archery_g01_c01.mp4").rename(
        tmp_path / "UCF" / "Archery" / "v_Archery_g01_c01.avi"
    )
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "trainlist01.txt").write_text("Archery/v_Archery_g01_c01.avi 3\nArchery/v_Archery_g01_c02.avi 3\n")
    (lists / "testlist01.txt").write_text("ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\n")
    folder = imported("ucf101", "--videos", tmp_path / "UCF", "--splits", lists)
    assert folder.splits == ["train", "test"]
    assert folder.all_captions == [["archery"], ["apply eye makeup"]]
    assert "v_Archery_g01_c02" in (tmp_path / "out" / "skipped.jsonl").read_text()


def test_moving_mnist_array(tmp_path: Path, imported: Any):
    made = np.random.default_rng(0).integers(0, 255, (20, 3, 16, 16), np.uint8)
    np.save(tmp_path / "mnist_test_seq.npy", made)
    folder = imported("array", tmp_path / "mnist_test_seq.npy")
    assert len(folder) == 3
    assert np.array_equal(folder.clip(2).frames[..., 0], made[:, 2])
    assert set(folder.splits) == {"test"}


@pytest.mark.parametrize(
    ("name", "content", "more", "said"),
    [
        ("a.csv", "id,text\n1,x\n", ("--columns", "path=videoid"), 'expected a column "videoid"'),
        ("a.csv", "id,text\n1,x\n", ("--columns", "file=id"), "--columns: expected path=COLUMN"),
        ("a.csv", "id,text\n1,x\n", ("--columns", "caption=text"), "--columns: expected path=COLUMN"),
        ("a.csv", "id,text\n1,x\n", ("--layout", "webvd"), "did you mean 'webvid'"),
        ("a.csv", "id,text\n1,x\n", ("--columns", "path=id"), "nothing could be imported, 1 left out"),
        ("a.parquet", "no", ("--columns", "path=id"), "not a readable Parquet file"),
        ("a.xml", "<a/>", ("--columns", "path=id"), "expected a table"),
    ],
)
def test_bad_tables_are_refused_in_one_line(
    tmp_path: Path, imported: Any, name: str, content: str, more: Any, said: str
):
    movie(tmp_path / "v" / "other.mp4")
    (tmp_path / name).write_text(content)
    err = imported("manifest", tmp_path / name, "--videos", tmp_path / "v", *more, code=1)
    assert said in err
    assert not (tmp_path / "out" / "metadata.parquet").exists()


def test_rows_lead_to_no_file_outside_and_one_bad_row_is_not_the_end(tmp_path: Path, imported: Any):
    """Paths of a stranger's table whose last part is a video that there is."""
    movie(tmp_path / "v" / "a.mp4", level=2)
    movie(tmp_path / "private" / "a.mp4", level=10)
    (tmp_path / "v" / "far").symlink_to(tmp_path / "private")
    long = "x" * 300 + "/a.mp4"
    paths = [
        str(tmp_path / "private/a.mp4"),
        "../private/a.mp4",
        "~/a.mp4",
        long,
        "x/" * 3000 + "a.mp4",
        "a\0/a.mp4",
        "a.mp4",
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"path": path}) + "\n" for path in paths))
    found = imported("manifest", tmp_path / "a.jsonl", "--videos", tmp_path / "v", "--columns", "path=path")
    assert {levels(found.clip(row))[1] for row in range(len(found))} == {0}
    left = [json.loads(line) for line in (tmp_path / "out/skipped.jsonl").read_text().splitlines()]
    assert len(left) >= 5


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "txt", "parquet", "npy"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, imported: Any, suffix: str):
    movie(tmp_path / "v" / "a.mp4")
    file = tmp_path / f"a.{suffix}"
    more = () if suffix == "npy" else ("--videos", tmp_path / "v", "--columns", "path=path")
    verb = "array" if suffix == "npy" else "manifest"
    os.mkfifo(file)
    assert f"a.{suffix}: " in imported(verb, file, *more, code=1)
    file.unlink()
    file.symlink_to("/dev/zero")
    assert f"a.{suffix}: " in imported(verb, file, *more, code=1)


def test_tables_of_odd_forms_are_one_line(tmp_path: Path, imported: Any):
    movie(tmp_path / "v" / "a.mp4")
    for name, content in (
        ("a.csv", "x" * 200_000 + ",path\n"), ("b.csv", "path\n" + "x" * 200_000), ("c.csv", "pa\0th,path\n\0,\0\n"),
        ("d.jsonl", "[" * 100_000), ("e.jsonl", json.dumps({"path": "x" * (17 << 20)})), ("f.txt", "\0 1 2\n"),
    ):  # fmt: skip
        (tmp_path / name).write_text(content)
        err = imported("manifest", tmp_path / name, "--videos", tmp_path / "v", "--columns", "path=path", code=1)
        assert len(err.splitlines()) <= 3
        assert err.splitlines()[-1].startswith("storyreel: error: ")
        assert "unexpected" not in err


def header(shape: str, kind: str = "'|u1'") -> bytes:
    """The start of an .npy file."""
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header("(10, 2, 4, 4)") + b"short",
        header("(1, 99999999999999999999, 1, 1)"),
        header("(1, 1000000000000, 1, 1)"),
        header("(-1, 2, 4, 4)") + b"x" * 32,
        header("(1, 1, 1, 1)", "'|O'") + b"cos\nsystem\n(S'echo'\ntR.",
        header("(1, 1, 1, 1)", "[('a', 'O')]") + b"x" * 99,
        header("(" * 5000 + "1," + ")" * 5000),
        header("(" + "9" * 5000 + ",)"),
        b"PK\x03\x04" + b"x" * 99,
        b"\x80\x04K\x01.",
        b"",
    ],
)
def test_arrays_of_a_stranger_are_refused_in_one_line(tmp_path: Path, imported: Any, content: bytes):
    (tmp_path / "a.npy").write_bytes(content)
    err = imported("array", tmp_path / "a.npy", code=1)
    assert "a.npy: " in err
    assert "unexpected" not in err
    assert len(err.splitlines()) == 1


def test_an_array_with_a_billion_clips_is_refused(tmp_path: Path, imported: Any):
    with (tmp_path / "a.npy").open("wb") as file:
        file.write(header("(1, 1000000000, 1, 1)"))
        file.truncate((1 << 30) + 1000)  # takes no room on the disk
    assert "1000000000 clips, expected at most 1000000" in imported("array", tmp_path / "a.npy", code=1)


def test_frames_with_numbers_that_are_no_digits(tmp_path: Path, imported: Any):
    for name in ("²", "1²", "２", "10"):
        picture(tmp_path / "f" / "one" / f"{name}.png", 10)
    assert len(imported("frames", tmp_path / "f", "--rate", 4)) == 1


def a_header(name: bytes = b"a.txt", size: bytes = b"00000000001\0", kind: bytes = b"0") -> bytes:
    """The header of an entry of a tar with its checksum, whatever it says."""
    block = bytearray(512)
    block[:100], block[124:136], block[156:157] = name.ljust(100, b"\0"), size.ljust(12, b"\0"), kind
    block[257:265], block[148:156] = b"ustar\x0000", b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


MINUS = b"\xff" * 10 + b"\xfc\x00"  # -1024 in base 256
HUGE = b"\x80" + b"\x00" * 3 + b"\x7f" * 8
DIGITS = b"1" * (1 << 17)


@pytest.mark.parametrize(
    "content",
    [
        a_header(size=MINUS),
        a_header(size=HUGE, kind=b"x"),
        a_header(size=HUGE, kind=b"L"),
        a_header(size=MINUS, kind=b"x"),
        a_header(size=b"%011o\0" % len(DIGITS), kind=b"x") + DIGITS,
        a_header(size=b"00000001000\0", kind=b"x") + b"20 size=-9999999999\n".ljust(512, b"\0"),
        a_header(size=b"00000001000\0", kind=b"x") + b"0 size=1\n".ljust(512, b"\0"),
        a_header(size=b"00000001000\0", kind=b"x") + b"29 GNU.sparse.map=9,9,9,9,9,9\n".ljust(512, b"\0") + a_header(),
        a_header(size=b"00000000000\0", kind=b"g") * 1000,
        a_header(kind=b"S")[:482] + b"\1" * 30,
        b"",
    ],
)
def test_headers_of_shards_hang_nothing_and_ask_for_no_memory(tmp_path: Path, content: bytes):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.tar: "):
        open_dataset(tmp_path / "a.tar")


def test_shards_hold_plain_files_alone(tmp_path: Path):
    """Names with ../, links, devices and a size of terabytes: nothing outside is read, nothing is allocated."""
    movie(tmp_path / "private.mp4")
    film = (tmp_path / "private.mp4").read_bytes()
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(f"link{number}.mp4")
            info.type, info.linkname = kind, str(tmp_path / "private.mp4")
            tar.addfile(info)
        add(tar, "../../x.mp4", film)
        add(tar, "/etc/y.mp4", film)
        end = tar.offset
    with (tmp_path / "a.tar").open("r+b") as file:
        file.seek(end)
        file.write(a_header(b"z.mp4", HUGE))
        file.truncate()
    found = open_dataset(tmp_path / "a.tar")
    assert found.file_names == ["a.tar/../../x.mp4", "a.tar//etc/y.mp4", "a.tar/z.mp4"]
    assert len(found.clip(0).frames) == 20
    with pytest.raises(ValueError, match=r"z\.mp4: the shard is cut short"):
        found.clip(2)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.tar", "private.mp4"]


def test_a_pipe_is_no_shard(tmp_path: Path):
    os.mkfifo(tmp_path / "a.tar")
    with pytest.raises((ValueError, OSError), match=r"a\.tar"):
        open_dataset(tmp_path)


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def test_our_own_shards_are_trained_on(tmp_path: Path):
    clips = [
        (
            Clip(np.full((4, 16, 16, 3), i * 20, np.uint8), Fraction(8)),
            {"caption": f"clip {i}", "attributes": {"n": str(i)}, "split": "val" if i == 3 else "train"},
        )
        for i in range(4)
    ]
    folder = write_folder(tmp_path / "data", clips)
    export_webdataset(folder, tmp_path / "shards", 3)
    shards = open_dataset(tmp_path / "shards", tmp_path / "cache")
    assert isinstance(shards, Shards)
    assert shards.all_captions == folder.all_captions
    assert shards.attributes == folder.attributes
    assert shards.splits == folder.splits
    for i in range(4):
        assert np.array_equal(shards.clip(i).frames, folder.clip(i).frames)
    pickle.dumps(shards.reader(range(4)))
    from storyreel.recipe import Data

    loader = Loader([(shards, 1)], Data(frames=4, size=16, batch=2), seed=0, cache=tmp_path / "cache")
    assert loader.clips == 3  # not the one of `val`
    assert loader.batch(0)["video"].shape == (2, 3, 4, 16, 16)


def test_img2dataset_shards(tmp_path: Path):
    file = tmp_path / "00000.tar"
    png = io.BytesIO()
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(png, "PNG")
    with tarfile.open(file, "w") as tar:
        add(tar, "000000000.jpg", png.getvalue())
        add(tar, "000000000.txt", b"a gray square")
        add(
            tar,
            "000000000.json",
            json.dumps({"caption": "a gray square", "status": "success", "key": "000000000"}).encode(),
        )
        add(tar, "000000001.json", json.dumps({"caption": "gone", "status": "failed_to_download"}).encode())
        add(tar, "000000002.jpg", b"no picture")
        add(tar, "000000002.txt", b"broken")
    shards = open_dataset(file)
    assert shards.all_captions == [["a gray square"], ["broken"]]
    assert shards.clip(0).frames.shape == (1, 8, 8, 3)
    one, other = shards.reader(range(2))
    assert isinstance(one, Clip)
    assert isinstance(other, str)
    assert "00000.tar: 000000002.jpg" in other
    digest = shards.digest
    assert open_dataset(file).digest == digest


def test_shards_that_are_none_are_refused(tmp_path: Path):
    (tmp_path / "a.tar").write_bytes(b"no tar at all, but some bytes" * 100)
    with pytest.raises(ValueError, match=r"a\.tar: not a readable \.tar"):
        open_dataset(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "b.tar", "w") as tar:
        add(tar, "readme.txt", b"hello")
    with pytest.raises(ValueError, match="no clips in it"):
        open_dataset(tmp_path / "b.tar")
