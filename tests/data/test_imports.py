"""MSR-VTT and HowTo100M from small folders of their published layouts; what is missing or broken is listed."""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storyreel import video_io
from storyreel.cli import main
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder
from storyreel.data.imports import folder as importing
from storyreel.data.imports.entries import ClipCut, videos_in
from storyreel.data.imports.excerpt import read_span
from storyreel.data.imports.howto100m import import_howto100m, stream_object
from storyreel.data.imports.msr_vtt import import_msr_vtt

LEVELS = 10  # grey levels between frames: the level of a frame tells its second


def movie(path: Path, seconds: float = 2.0, size: tuple[int, int] = (24, 32)) -> Path:
    """A video of 10 frames a second whose frame i has the grey level LEVELS * i."""
    level = (np.arange(round(10 * seconds)) * LEVELS).astype(np.uint8)
    frames = np.broadcast_to(level[:, None, None, None], (len(level), *size, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    return video_io.write(Clip(frames, Fraction(10)), path, scale=None, quality=95)


def levels(clip: Clip) -> list[int]:
    return [round(float(frame.mean()) / LEVELS) for frame in clip.frames]


def put(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def video(number: int, split: str, **more: Any) -> dict[str, Any]:
    told = {"category": 9, "url": f"https://www.youtube.com/watch?v=abcdefgh{number:03d}", "video_id": f"video{number}"}
    return {**told, "start time": 0.5, "end time": 1.5, "split": split, "id": number, **more}


def sentence(number: int, sen_id: int, caption: str) -> dict[str, Any]:
    return {"caption": caption, "video_id": f"video{number}", "sen_id": sen_id}


@pytest.fixture
def msr_vtt(tmp_path: Path) -> list[Path]:
    """Both annotation files and four of five videos, one of them uncut, one broken."""
    movie(tmp_path / "videos" / "TrainValVideo" / "video0.mp4")
    movie(tmp_path / "videos" / "TrainValVideo" / "abcdefgh001.mp4")  # the whole of video1's source
    movie(tmp_path / "videos" / "TestVideo" / "video7.mp4")
    (tmp_path / "videos" / "video2.mp4").write_bytes(b"not a video at all")
    said = [sentence(0, 3, "a man  runs"), sentence(0, 1, "someone is running"), sentence(0, 5, "a man runs")]
    said += [sentence(n, 10 + n, f"caption of {n}") for n in (1, 2, 3)]
    train = {"info": {}, "videos": [video(0, "train"), video(1, "validate"), video(2, "train"), video(3, "train")]}
    test = {"info": {}, "videos": [video(7, "test"), video(8, "test")], "sentences": [sentence(7, 90, "a test")]}
    return [
        put(tmp_path / "train_val_videodatainfo.json", {**train, "sentences": said}),
        put(tmp_path / "test_videodatainfo.json", test),
    ]


def test_msr_vtt_with_all_captions_and_splits(tmp_path: Path, msr_vtt: list[Path]):
    made = import_msr_vtt(msr_vtt, tmp_path / "videos", tmp_path / "out", workers=1)
    folder = made.folder
    assert folder.splits == ["train", "val", "test"]
    assert folder.captions(0) == ["someone is running", "a man runs"]  # by sen_id, once each
    row = folder.row(1)
    assert (row["id"], row["source_start"], row["source_end"], row["category"]) == ("video1", 0.5, 1.5, 9)
    assert row["source"].endswith("v=abcdefgh001")
    assert len(folder.clip(0)) == 20  # cut already, as published
    assert levels(folder.clip(1)) == list(range(5, 15))  # cut here
    assert folder.clip(1).fps == 10
    left_out = dict(made.skipped)
    assert set(left_out) == {"video2", "video3", "video8"}
    assert "neither a video" in left_out["video2"]
    assert "no such video" in left_out["video3"]
    assert left_out["video8"] == "has no caption"
    listed = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert {each["what"] for each in listed} == set(left_out)
    assert not (tmp_path / "out" / ".parts").exists()


def test_clips_are_cut_and_resampled(tmp_path: Path, msr_vtt: list[Path]):
    shape = ClipCut(size=16, fps=Fraction(5), seconds=0.8)
    folder = import_msr_vtt(msr_vtt, tmp_path / "videos", tmp_path / "out", shape=shape, workers=1).folder
    for i in range(3):
        assert folder.clip(i).frames.shape == (4, 16, 16, 3)
        assert folder.clip(i).fps == 5
    # the middle 0.8 s of 0 to 2 s, and of 0.5 to 1.5 s, both 0.6 to 1.4 s; each frame the one shown in the middle
    assert levels(folder.clip(0)) == levels(folder.clip(1)) == [7, 9, 11, 13]


def test_broken_annotations_are_listed(tmp_path: Path, msr_vtt: list[Path]):
    document = json.loads(msr_vtt[0].read_text())
    document["videos"] += ["video9", {"id": 4}, video(0, "train"), video(5, "holdout"), video(6, "train")]
    document["videos"][-1]["end time"] = 0.1
    document["sentences"] += [{"video_id": "video0"}, sentence(0, 99, " "), None]
    put(msr_vtt[0], document)
    msr_vtt[1].write_text('{"videos": [')
    made = import_msr_vtt(msr_vtt, tmp_path / "videos", tmp_path / "out", workers=1)
    assert len(made.folder) == 2
    left_out = [f"{what}: {why}" for what, why in made.skipped]
    for words in (
        "test_videodatainfo.json: is not JSON: Expecting value, line 1",
        "videos[4]: expected an object",
        "videos[5]: expected an object",
        "video0: comes a second time",
        "video5: split 'holdout'",
        "video6: times 0.5 to 0.1",
        "sentences[6]: expected an object",
        "sentences[7]: expected an object",
        "sentences[8]: expected an object",
    ):
        assert any(words in line for line in left_out), words


@pytest.mark.usefixtures("in_this_process")
def test_nothing_is_half_written(tmp_path: Path, msr_vtt: list[Path], monkeypatch: pytest.MonkeyPatch):
    """Killed in the middle, it goes on; a video that is there later is taken in; another shape is refused."""
    monkeypatch.setattr(importing, "CHUNK", 1)
    cut, calls = importing.cut_clip, []

    def stops(entry: Any, shape: ClipCut) -> Clip:
        calls.append(entry.name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return cut(entry, shape)

    monkeypatch.setattr(importing, "cut_clip", stops)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        import_msr_vtt(msr_vtt, tmp_path / "videos", out, workers=1)
    assert not (out / "metadata.parquet").exists()
    with pytest.raises(ValueError, match="made with size null, now asked for 16"):
        import_msr_vtt(msr_vtt, tmp_path / "videos", out, shape=ClipCut(size=16), workers=1)
    made = import_msr_vtt(msr_vtt, tmp_path / "videos", out, workers=1)
    assert len(made.folder) == 3
    assert calls.count("video0") == 1
    digest = made.folder.digest
    again = import_msr_vtt(msr_vtt, tmp_path / "videos", out, workers=1)
    assert again.folder.digest == digest
    assert calls.count("video0") == 1
    movie(tmp_path / "videos" / "video3.mp4")
    later = import_msr_vtt(msr_vtt, tmp_path / "videos", out, workers=1)
    assert [later.folder.row(i)["id"] for i in range(4)] == ["video0", "video1", "video3", "video7"]
    assert len(later.folder.clip(2)) == 20


def test_workers_write_the_same(tmp_path: Path, msr_vtt: list[Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importing, "CHUNK", 1)
    one = import_msr_vtt(msr_vtt, tmp_path / "videos", tmp_path / "one", workers=1)
    two = import_msr_vtt(msr_vtt, tmp_path / "videos", tmp_path / "two", workers=2)
    assert one.folder.digest == two.folder.digest
    assert one.skipped == two.skipped


# -- HowTo100M -------------------------------------------------------------------------------------------------


@pytest.fixture
def howto(tmp_path: Path) -> dict[str, Path]:
    movie(tmp_path / "videos" / "aaaaaaaaaaa.mp4")
    movie(tmp_path / "videos" / "bb-bbbbbbb_.mp4.webm", size=(16, 16))
    captions = {
        "aaaaaaaaaaa": {
            "start": [0.2, 1.0, 5, "x"],
            "end": [1.0, 1.8, 6, 2],
            "text": ["cut wood", "sand it", "far", "no"],
        },
        "gone0000000": {"start": [0, 1], "end": [1, 2], "text": ["never", "seen"]},
        "bb-bbbbbbb_": {"start": [0.0], "end": [0.5], "text": ["glue \n it"]},
        "notwanted00": {"start": [0.0], "end": [0.5], "text": ["other"]},
        "uneven00000": {"start": [0.0], "end": [0.5, 1], "text": ["other"]},
    }
    rows = ["video_id,category_1,category_2,rank,task_id"]
    rows += [
        f"{name},Hobbies and Crafts,Woodworking,{i},77" for i, name in enumerate(captions) if name != "notwanted00"
    ]
    rows += ["silent00000,A,B,1,2", "short00000"]
    (tmp_path / "v1.csv").write_text("\n".join(rows) + "\n")
    return {
        "captions": put(tmp_path / "caption.json", captions),
        "table": tmp_path / "v1.csv",
        "videos": tmp_path / "videos",
    }


def test_howto100m_spans_become_clips(tmp_path: Path, howto: dict[str, Path]):
    made = import_howto100m(**howto, out=tmp_path / "out", shape=ClipCut(size=16), workers=1)
    folder = made.folder
    assert [folder.captions(i) for i in range(len(folder))] == [["cut wood"], ["sand it"], ["glue it"]]
    assert levels(folder.clip(0)) == list(range(2, 10))
    assert levels(folder.clip(1)) == list(range(10, 18))
    row = folder.row(1)
    assert (row["id"], row["source_start"], row["source_end"], row["task_id"]) == ("aaaaaaaaaaa", 1.0, 1.8, "77")
    assert row["category_2"] == "Woodworking"
    assert folder.file_names == ["clips/000000.mkv", "clips/000001.mkv", "clips/000006.mkv"]  # numbers stay
    left_out = dict(made.skipped)
    assert "shows nothing from 5 s to 6 s" in left_out["aaaaaaaaaaa[2]"]
    assert "times 'x' to 2" in left_out["aaaaaaaaaaa[3]"]
    assert "2 captions" in left_out["gone0000000"]
    assert left_out["uneven00000"] == "has 1 of 'start' and 2 of 'end' and 1 of 'text'"
    assert left_out["silent00000"] == "has no captions"
    assert left_out["v1.csv, line 7"] == "expected 5 columns"
    assert "notwanted00" not in left_out
    movie(howto["videos"] / "gone0000000.mkv")
    later = import_howto100m(**howto, out=tmp_path / "out", shape=ClipCut(size=16), workers=1).folder
    assert later.file_names == [f"clips/{n:06d}.mkv" for n in (0, 1, 4, 5, 6)]
    assert levels(later.clip(3)) == list(range(10, 20))


def test_howto100m_from_a_folder_of_captions(tmp_path: Path, howto: dict[str, Path]):
    parts = tmp_path / "captions"
    parts.mkdir()
    for name, told in json.loads(howto["captions"].read_text()).items():
        put(parts / f"{name}.json", told)
    (parts / "bb-bbbbbbb_.json").write_text('{"start": [0')
    made = import_howto100m(parts, None, howto["videos"], tmp_path / "out", workers=1)
    assert [made.folder.captions(i)[0] for i in range(2)] == ["cut wood", "sand it"]
    assert "is not JSON" in dict(made.skipped)["bb-bbbbbbb_.json"]


def test_captions_that_break_off_are_used_up_to_there(tmp_path: Path, howto: dict[str, Path]):
    whole = howto["captions"].read_text()
    howto["captions"].write_text(whole[: whole.index('"bb-') + 30])
    made = import_howto100m(**howto, out=tmp_path / "out", workers=1)
    assert len(made.folder) == 2
    assert "the 2 videos before it are used" in dict(made.skipped)["caption.json"]


def test_a_large_object_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch):
    from storyreel.data.imports import howto100m

    value = {f"k{i}": {"text": ["ä" * i, "}", '"'], "start": [i / 7]} for i in range(40)}
    for block in (1, 7, 100, 1 << 20):
        monkeypatch.setattr(howto100m, "BLOCK", block)
        for indent in (None, 2):
            file = io.StringIO(json.dumps(value, indent=indent, ensure_ascii=False))
            assert dict(stream_object(file)) == value
    assert list(stream_object(io.StringIO(" {} "))) == []
    for broken in ("[1]", "", '{"a" 1}', '{"a": {} "b": {}}', '{"a": {', "{1: 2}"):
        with pytest.raises(ValueError, match="JSON"):
            list(stream_object(io.StringIO(broken)))


# -- both ------------------------------------------------------------------------------------------------------


def test_a_span_is_what_is_on_the_screen(tmp_path: Path):
    for suffix in (".mp4", ".mkv", ".webm"):
        file = movie(tmp_path / f"m{suffix}", 2.4)
        assert levels(read_span(file)) == list(range(24))
        assert levels(read_span(file, 1.5, 1.8)) == [15, 16, 17]
        assert levels(read_span(file, 0.4, fps=Fraction(2))) == [6, 11, 16, 21]
        assert levels(read_span(file, 2.0, 9.0)) == [20, 21, 22, 23]
        assert levels(read_span(file, 0.0, 0.2, fps=Fraction(20))) == [0, 0, 1, 1]
        with pytest.raises(ValueError, match="shows nothing from 3 s to 4 s"):
            read_span(file, 3, 4)
    wide = read_span(movie(tmp_path / "w.mp4", 0.3, (32, 64)), size=16)
    assert wide.size == (16, 16)


def test_names_of_videos(tmp_path: Path):
    for name in ("b/video1.mp4", "a/video1.webm", "x.mp4.mkv", "notes.txt", ".y.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert {k: str(v.relative_to(tmp_path)) for k, v in videos_in(tmp_path).items()} == {
        "video1": "a/video1.webm",
        "x": "x.mp4.mkv",
    }


def test_the_verbs_say_what_is_wrong_in_one_line(
    tmp_path: Path, msr_vtt: list[Path], howto: dict[str, Path], capsys: pytest.CaptureFixture[str]
):
    out, videos = tmp_path / "out", tmp_path / "videos"
    (tmp_path / "none").mkdir()
    (tmp_path / "other").mkdir()
    movie(tmp_path / "other" / "else.mp4")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "bad.csv").write_text("id,rank\n1,2\n")
    msr = ["msr-vtt", "-o", out, "--workers", 1]
    how = ["howto100m", "-o", out, "--workers", 1, "--videos", howto["videos"]]
    for args, code, words in (
        ([*msr, "--annotations", msr_vtt[0], "--videos", tmp_path / "nowhere"], 1, "no such folder of videos"),
        ([*msr, "--annotations", msr_vtt[0], "--videos", tmp_path / "none"], 1, "no videos in it"),
        ([*msr, "--annotations", tmp_path / "bad.json", "--videos", videos], 1, "is not JSON"),
        ([*msr, "--annotations", tmp_path / "gone.json", "--videos", videos], 1, "gone.json"),
        ([*msr, "--annotations", msr_vtt[0], "--videos", tmp_path / "other"], 1, "nothing could be imported"),
        ([*msr, "--annotations", msr_vtt[0], "--videos", videos, "--size", 2], 1, "--size: expected 8"),
        ([*msr, "--annotations", msr_vtt[0], "--videos", videos, "--fps", "x"], 2, "expected a number"),
        ([*how, "--captions", tmp_path / "bad.json"], 1, "is not JSON"),
        ([*how, "--captions", howto["captions"], "--csv", tmp_path / "bad.csv"], 1, "column video_id"),
    ):
        with pytest.raises(SystemExit) as end:
            main(["data", "import", *map(str, args)])
        said = capsys.readouterr().err
        assert end.value.code == code, said
        assert words in " ".join(said.replace("│", " ").split()), said
        assert not out.exists()
    with pytest.raises(SystemExit) as end:
        main(["data", "import", *map(str, [*how, "--captions", howto["captions"], "--csv", howto["table"]])])
    assert end.value.code == 0
    said = capsys.readouterr()
    assert said.out == f"{out}: 3 clips of HowTo100M (3 train); 6 left out, see {out}/skipped.jsonl\n"
    assert "storyreel: left out: aaaaaaaaaaa[3]" in said.err
    assert "storyreel: and 1 more" in said.err
    assert len(DatasetFolder.open(out)) == 3
