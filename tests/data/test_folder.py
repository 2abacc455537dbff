"""Dataset folders: written whole, resumed, refused with a clear line."""

import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storyreel.clip import Clip
from storyreel.data import write
from storyreel.data.check import check
from storyreel.data.folder import DatasetFolder
from storyreel.data.preview import contact_sheet
from storyreel.data.write import write_folder, write_world
from storyreel.worlds.digits import Digits

WORLD = Digits(size=32, digits="1")
PLAN = {"world": "digits", "size": 32}


def noise(index, frames=3, channels=4):
    return Clip(np.random.default_rng(index).integers(0, 256, (frames, 16, 20, channels), np.uint8), 8)


def test_round_trip(tmp_path):
    rows = [{"caption": f"noise {i}", "attributes": {"n": i}, "score": i / 2} for i in range(5)]
    clips = [noise(i, frames=i + 1, channels=3 + i % 2).replace(fps=Fraction(30000, 1001)) for i in range(5)]
    folder = write_folder(tmp_path / "d", zip(clips, rows, strict=True), extra_files={"NOTICE": "mine"}, workers=2)
    assert len(folder) == 5
    assert (tmp_path / "d" / "NOTICE").read_text() == "mine"
    for i in range(5):
        back, row = folder.clip(i), folder.row(i)
        assert np.array_equal(back.frames, clips[i].frames)
        assert back.fps == Fraction(30000, 1001)
        assert back.caption == f"noise {i}"
        assert (row["num_frames"], row["attributes"], row["score"]) == (i + 1, {"n": i}, i / 2)
        assert (row["split"], row["context"], row["file_name"]) == ("train", 0, f"clips/{i:06d}.mkv")
    schema = folder.table.schema
    assert schema.field("context").type == pa.int32()
    assert schema.field("captions").type == pa.list_(pa.string())
    with pytest.raises(ValueError, match="already holds a dataset"):
        write_folder(tmp_path / "d", [], workers=1)


def test_items_are_streamed(tmp_path):
    """An endless amount of clips would fit: only a few are taken ahead of what is written."""
    taken = []

    def items():
        for i in range(30):
            assert i - len(list((tmp_path / "d" / "clips").glob("*.mkv"))) <= 8
            taken.append(i)
            yield noise(i), {"caption": "noise"}

    assert len(write_folder(tmp_path / "d", items(), workers=2)) == len(taken) == 30


def test_no_clips_is_a_folder_too(tmp_path):
    assert len(write_folder(tmp_path / "d", [], workers=1)) == 0


def same(one, other):
    assert one.table.equals(other.table)
    for row in range(len(one)):
        assert np.array_equal(one.clip(row).frames, other.clip(row).frames)


def test_worlds_in_processes_equal_worlds_here(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "CHUNK", 8)
    here = write_world(tmp_path / "a", WORLD, 20, 3, workers=1, plan=PLAN)
    there = write_world(tmp_path / "b", WORLD, 20, 3, workers=2, plan=PLAN)
    same(here, there)
    assert here.digest == there.digest
    assert not (tmp_path / "a" / ".parts").exists()


class Breaks(Digits):
    """Fails at clip 13, as if killed there."""

    def make(self, seed, index, split=None):
        if index == 13:
            raise KeyboardInterrupt
        return super().make(seed, index, split)


def test_an_interrupted_world_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "CHUNK", 4)
    with pytest.raises(KeyboardInterrupt):
        write_world(tmp_path / "d", Breaks(size=32, digits="1"), 20, 3, workers=1, plan=PLAN)
    assert not (tmp_path / "d" / "metadata.parquet").exists()
    first = tmp_path / "d" / "clips" / "000000.mkv"
    before = first.stat().st_mtime_ns
    done = write_world(tmp_path / "d", WORLD, 20, 3, workers=1, plan=PLAN)
    assert first.stat().st_mtime_ns == before
    same(done, write_world(tmp_path / "whole", WORLD, 20, 3, workers=1, plan=PLAN))


def test_a_whole_world_is_left_alone_and_can_grow(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "CHUNK", 4)
    write_world(tmp_path / "d", WORLD, 10, 3, workers=1, plan=PLAN)
    monkeypatch.setattr(Digits, "make", lambda *_: pytest.fail("made again"))
    assert len(write_world(tmp_path / "d", WORLD, 10, 3, workers=1, plan=PLAN)) == 10
    assert len(write_world(tmp_path / "d", WORLD, 6, 3, workers=1, plan=PLAN)) == 10
    monkeypatch.undo()
    grown = write_world(tmp_path / "d", WORLD, 15, 3, workers=1, plan=PLAN)
    same(grown, write_world(tmp_path / "whole", WORLD, 15, 3, workers=1, plan=PLAN))


def test_another_plan_is_refused(tmp_path):
    write_world(tmp_path / "d", WORLD, 2, 3, workers=1, plan=PLAN)
    with pytest.raises(ValueError, match="made with seed 3, now asked for 4"):
        write_world(tmp_path / "d", WORLD, 2, 4, workers=1, plan=PLAN)
    write_folder(tmp_path / "e", [(noise(0), {})], workers=1)
    with pytest.raises(ValueError, match="was not made here"):
        write_world(tmp_path / "e", WORLD, 2, 3, workers=1, plan=PLAN)


def test_bad_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such dataset folder"):
        DatasetFolder.open(tmp_path / "none")
    with pytest.raises(ValueError, match=r"not a dataset folder; expected a metadata\.parquet"):
        DatasetFolder.open(tmp_path)
    (tmp_path / "metadata.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ValueError, match="not a readable Parquet file"):
        DatasetFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"caption": ["a"]}, "expected a column 'file_name', got caption"),
        ({"file_name": ["a"], "captions": ["a"]}, "column 'captions' is string, expected list"),
        ({"file_name": ["a"], "context": ["none"]}, "column 'context' is string, expected int32"),
        ({"file_name": [None, "a"]}, "has 1 empty rows"),
    ],
)
def test_bad_columns_are_named(tmp_path, columns, words):
    pq.write_table(pa.table(columns), tmp_path / "metadata.parquet")
    with pytest.raises(ValueError, match=words):
        DatasetFolder.open(tmp_path)


def test_only_file_name_is_needed(tmp_path):
    pq.write_table(pa.table({"file_name": ["a.png", "../b.png"]}), tmp_path / "metadata.parquet")
    folder = DatasetFolder.open(tmp_path)
    assert (folder.captions(0), folder.splits, folder.contexts) == ([], ["train"] * 2, [0, 0])
    with pytest.raises(ValueError, match="leaves the dataset folder"):
        folder.clip(1)


def test_pictures_are_clips_of_one_frame(tmp_path):
    from PIL import Image

    Image.new("RGBA", (6, 4), (9, 8, 7, 100)).save(tmp_path / "a.png")
    Image.new("L", (6, 4), 50).save(tmp_path / "b.jpg")
    pq.write_table(pa.table({"file_name": ["a.png", "b.jpg"]}), tmp_path / "metadata.parquet")
    folder = DatasetFolder.open(tmp_path)
    assert folder.clip(0).frames[0, 0, 0].tolist() == [9, 8, 7, 100]
    assert folder.clip(1).frames.shape == (1, 4, 6, 3)


def test_digest_follows_rows_and_files(tmp_path):
    folder = write_folder(tmp_path / "d", [(noise(0), {"caption": "a"})], workers=1)
    again = DatasetFolder.open(folder.path)
    assert again.digest == folder.digest
    (folder.path / "clips" / "000000.mkv").write_bytes(b"x")
    assert DatasetFolder.open(folder.path).digest != folder.digest
    assert write_folder(tmp_path / "e", [(noise(0), {"caption": "b"})], workers=1).digest != folder.digest


def test_check_says_why(tmp_path):
    rows = [{"caption": "a"}, {"caption": "b"}, {"caption": "c", "num_frames": 9}, {"split": "dev"}]
    folder = write_folder(tmp_path / "d", [(noise(i), row) for i, row in enumerate(rows)], workers=1)
    (folder.path / "clips" / "000001.mkv").write_bytes(b"")
    (folder.path / "clips" / "000009.mkv").write_bytes(b"x")
    report = check(DatasetFolder.open(folder.path), workers=1)
    assert (report.rows, report.usable, report.captioned, report.captions) == (4, 3, 3, 3)
    assert report.frames == {3: 3}
    assert [name for name, _ in report.refused] == ["clips/000001.mkv"]
    assert "empty" in report.refused[0][1]
    assert [(name, why.split(":")[0]) for name, why in report.notes] == [
        ("clips/000002.mkv", "the row says 9 frames, the file has 3"),
        ("clips/000003.mkv", "no caption"),
        ("clips/000003.mkv", "split 'dev'"),
        ("clips/000009.mkv", "no row names this file"),
    ]
    assert "refused:\n  clips/000001.mkv" in str(report)
    json.dumps(report.as_json())


def test_contact_sheet(tmp_path):
    folder = write_folder(tmp_path / "d", [(noise(i), {"caption": f"noise {i}"}) for i in range(5)], workers=1)
    (folder.path / "clips" / "000001.mkv").write_bytes(b"")
    sheet = contact_sheet(DatasetFolder.open(folder.path), 3)
    assert sheet.width > 500
    assert sheet.height > 3 * 60
    assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 100
    with pytest.raises(ValueError, match="no clips to show in split 'held_out'"):
        contact_sheet(folder, 3, "held_out")


@pytest.mark.parametrize("module", ["storyreel.data.pack", "storyreel.data.check", "storyreel.worlds.digits"])
def test_workers_import_no_torch(module):
    """Each worker process imports these anew: seconds, were torch or transformers among them."""
    code = f"import sys, {module}; print([m for m in ('torch', 'sklearn', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_hugging_face_opens_it_as_it_is(tmp_path, monkeypatch):
    """`load_dataset("videofolder")`: captions, lists and attributes come along."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    folder = write_world(tmp_path / "d", WORLD, 3, 0, workers=1, plan=PLAN)
    loaded = datasets.load_dataset(
        "videofolder", data_dir=str(folder.path), cache_dir=str(tmp_path / "c"), split="train"
    ).cast_column("video", datasets.Video(decode=False))
    assert loaded.num_rows == 3
    assert loaded["captions"][1] == folder.captions(1)
    assert json.loads(loaded["attributes"][2]) == folder.row(2)["attributes"]
    assert loaded[0]["video"]["path"].endswith("000000.mkv")
