"""Published layouts from small folders of each: tables, frame folders, UCF-101, an array; and WebDataset shards."""

from __future__ import annotations

import io
import json
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
        "surfing water,lmnopqrstuv,1,2,val\n"
        "surfing water,lmnopqrstuv,2,1,test\n"
    )
    folder = imported("manifest", tmp_path / "k.csv", "--videos", tmp_path / "v", "--layout", "kinetics")
    assert folder.splits == ["train", "val"]
    assert folder.all_captions == [["archery"], ["surfing water"]]
    assert [len(folder.clip(i)) for i in (0, 1)] == [10, 10]
    assert levels(folder.clip(1))[0] == 8  # from second 1 on


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
        'abc.mp4,10,20,"1-2-3-4",10.0,s,24,32,train\ndef.mp4,5,15,"1-2-3-4",10.0,s,24,32,test\n'
    )
    folder = imported("manifest", tmp_path / "t.csv", "--videos", tmp_path / "v", "--layout", "taichi")
    assert folder.splits == ["train", "test"]
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
