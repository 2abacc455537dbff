"""What once lost people's files: each case as it was found, and that nothing is lost any more."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_model import make_tiny

from storyreel.cli import main
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder, write_folder
from storyreel.ownership import LOCK, MARKER, claim
from storyreel.storage import is_temporary, temporary_name

for folder in ("curate", "study"):  # where stub films are
    sys.path.append(str(Path(__file__).parent / folder))

SETS = ["--set=stages.tokenizer.steps=1", "--set=stages.prior.steps=1", "--quiet", "--threads", "1"]


def call(*args: object) -> int:
    with pytest.raises(SystemExit) as done:
        main([str(arg) for arg in args])
    return int(done.value.code or 0)


def noise(count: int = 3) -> list[tuple[Clip, dict[str, str]]]:
    rng = np.random.default_rng(0)
    return [
        (Clip(rng.integers(0, 256, (6, 16, 16, 3), np.uint8), 8, f"n {i}"), {"split": "train"}) for i in range(count)
    ]


def contents(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path)): f.read_bytes() for f in sorted(path.rglob("*")) if f.is_file()}


@pytest.fixture
def error(capsys: pytest.CaptureFixture[str]):
    """The last line that went to stderr."""
    return lambda: (capsys.readouterr().err.splitlines() or [""])[-1]


# -- models --------------------------------------------------------------------------------------------------


def test_packing_over_documents_and_over_a_run_loses_nothing(tmp_path: Path, error):
    make_tiny(tmp_path / "run" / "model")
    (tmp_path / "run" / "recipe.json").write_text('{"stages": {}}')
    (tmp_path / "run" / "tokenizer" / "checkpoint-5").mkdir(parents=True)
    (tmp_path / "run" / "tokenizer" / "checkpoint-5" / "state.json").write_text("{}")
    (tmp_path / "Documents").mkdir()
    (tmp_path / "Documents" / "thesis.odt").write_text("years of work")
    before = contents(tmp_path)
    assert call("models", "pack", tmp_path / "run" / "model", "-o", tmp_path / "Documents") == 1
    assert "Documents: holds 'thesis.odt', which is not of a model; give a new or an empty folder" in error()
    assert call("models", "pack", tmp_path / "run" / "model", "-o", tmp_path / "run") == 1
    assert "which is read" in error()
    assert contents(tmp_path) == before


# -- curate --------------------------------------------------------------------------------------------------


@pytest.fixture
def curated(tmp_path: Path):
    """in/: two stub films; set/: what was curated from them. Call it to curate again."""
    from killer_films import Here
    from stub_films import film, stub_measure

    from storyreel.curate.export import Export
    from storyreel.curate.measure import MeasureSettings
    from storyreel.curate.pipeline import CurationSettings, curate
    from storyreel.curate.thresholds import Thresholds

    for number in range(2):
        film(tmp_path / "in" / f"{number}.mp4", seed=number)

    def run(out: Path = tmp_path / "set", trim: int | None = None, **how: object) -> Path:
        measure = MeasureSettings() if trim is None else MeasureSettings(trim=trim)
        settings = CurationSettings(measure=measure, export=Export(format="virtual"))
        curate([tmp_path / "in"], out, settings, Thresholds(), where=Here(), job=stub_measure, **how)  # pyright: ignore
        return out

    return run


def test_curating_into_the_footage_is_refused(tmp_path: Path, curated):
    before = contents(tmp_path)
    for out in (tmp_path / "in", tmp_path / "in" / "set", tmp_path):
        for redo in (False, True):
            with pytest.raises(ValueError, match=r"read here|which is read"):
                curated(out, redo=redo)
    assert contents(tmp_path) == before


def test_a_curated_folder_keeps_what_people_put_into_it(tmp_path: Path, curated):
    out = curated()
    theirs = {"notes.txt", ".dot.file", "clips/holiday.mp4", "clips/.dot.mp4", "curation/shelf/mine.mp4"}
    for name in theirs:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    first = {name for name in contents(out) if name.startswith("clips/") and name not in theirs}
    curated()
    curated(trim=5, redo=True)
    after = contents(out)
    assert {name for name in theirs if after.get(name) == b"mine"} == theirs
    second = {name for name in after if name.startswith("clips/") and name not in theirs}
    assert len(second) == len(first) > 0
    assert not first & second, "the clips of the old configuration are gone"
    assert len(DatasetFolder.open(out)) == len(second)


def test_the_old_set_stands_until_the_new_one_does(curated, monkeypatch: pytest.MonkeyPatch):
    from storyreel.curate import pipeline

    out = curated()
    before = contents(out)
    monkeypatch.setattr(pipeline, "write_dataset", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        curated(trim=5, redo=True)
    after = contents(out)
    kept = ("clips/", "metadata.parquet", "README.md")
    assert all(after[name] == data for name, data in before.items() if name.startswith(kept))
    monkeypatch.undo()
    curated(trim=5, redo=True)
    assert len(DatasetFolder.open(out)) > 0


def test_a_card_that_was_edited_stays(curated, capsys: pytest.CaptureFixture[str]):
    out = curated()
    (out / "README.md").write_text("my own words")
    curated()
    assert (out / "README.md").read_text() == "my own words"
    assert "README.md: was written or edited by hand, and stays as it is" in capsys.readouterr().err


def test_a_caption_that_is_no_text_is_refused_and_bad_lines_are_passed_over(
    curated, capsys: pytest.CaptureFixture[str]
):
    from storyreel.curate.edits import add_edit, edits_file, read_edits
    from storyreel.curate.refilter import refilter

    out = curated()
    clip = next((out / "clips").iterdir()).stem
    add_edit(out, clip, caption="good")
    before = edits_file(out).read_bytes()
    with pytest.raises(ValueError, match=r"caption: character 4 is a lone surrogate \(U\+D800\)"):
        add_edit(out, clip, caption="half\ud800")
    assert edits_file(out).read_bytes() == before
    bad = [
        f'{{"clip": "{clip}", "caption": "\\ud800"}}', "[1]", "{", '{"clip": 5}', f'{{"clip": "{clip}", "keep": "no"}}'
    ]  # fmt: skip
    edits_file(out).write_bytes(before + "\n".join([*bad, ""]).encode())
    assert read_edits(out) == {clip: {"caption": "good"}}
    err = capsys.readouterr().err
    assert [f"line {number}: is passed over" in err for number in range(2, 7)] == [True] * 5
    refilter(out)
    folder = DatasetFolder.open(out)
    assert "good" in [caption for row in range(len(folder)) for caption in folder.captions(row)]


def test_shards_of_another_set_are_not_touched(tmp_path: Path, error):
    for name in ("one", "two"):
        write_folder(tmp_path / name, noise(4), workers=1)
    assert call("data", "export", tmp_path / "one", "-o", tmp_path / "w", "--shard", 1) == 0
    before = contents(tmp_path / "w")
    assert call("data", "export", tmp_path / "two", "-o", tmp_path / "w", "--shard", 2) == 1
    assert "holds the shards of another dataset" in error()
    assert contents(tmp_path / "w") == before
    (tmp_path / "w" / "000099.tar").write_text("mine")
    assert call("data", "export", tmp_path / "one", "-o", tmp_path / "w", "--shard", 2) == 0
    assert sorted(set(os.listdir(tmp_path / "w")) - {MARKER, LOCK}) == ["000000.tar", "000001.tar", "000099.tar"]
    assert (tmp_path / "w" / "000099.tar").read_text() == "mine"


# -- data ----------------------------------------------------------------------------------------------------


def test_a_growing_dataset_writes_over_no_foreign_clip(tmp_path: Path, error):
    make = ["data", "make", "digits", "-o", tmp_path / "d", "--size", 32, "--digits", 1, "--workers", 1, "--clips"]
    assert call(*make, 2) == 0
    (tmp_path / "d" / "clips" / "000002.mkv").write_text("mine")
    (tmp_path / "d" / "clips" / ".mine").write_text("mine")
    assert call(*make, 4) == 1
    assert "clips/000002.mkv: is there already and was not written by storyreel" in error()
    (tmp_path / "d" / "clips" / "000002.mkv").unlink()
    assert call(*make, 4) == 0
    assert (tmp_path / "d" / "clips" / ".mine").read_text() == "mine"


def test_two_that_make_one_dataset_do_not_race(tmp_path: Path, error):
    with claim(tmp_path / "d", "made-dataset"):
        assert call("data", "make", "digits", "-o", tmp_path / "d", "--clips", 2, "--workers", 1) == 1
    assert "another process is writing into this folder" in error()


# -- train ---------------------------------------------------------------------------------------------------


def test_a_second_training_changes_nothing_of_the_first(tmp_path: Path, error):
    from storyreel.run import lock_stage

    for name in ("one", "two"):
        write_folder(tmp_path / name, noise(3 if name == "one" else 4), workers=1)
    first = ["train", "phenaki_tiny", "-o", tmp_path / "run", *SETS, "--set=stages.tokenizer.data.batch=1"]
    assert call(*first, "--data", tmp_path / "one", "--stage", "tokenizer") == 0
    lock = lock_stage(tmp_path / "run" / "tokenizer")  # as if the first still trained
    before = contents(tmp_path / "run")
    assert call(*first, "--data", tmp_path / "two", "--set=stages.tokenizer.steps=9") == 1
    assert "another process is training into this folder" in error()
    assert contents(tmp_path / "run") == before
    lock.release()


def test_a_foreign_model_folder_in_a_run_is_seen_before_the_training(tmp_path: Path, error):
    write_folder(tmp_path / "data", noise(), workers=1)
    with claim(tmp_path / "run", "run") as run:
        (run.path / "model").mkdir()
        (run.path / "model" / "thesis.odt").write_text("years")
    assert call("train", "phenaki_tiny", "--data", tmp_path / "data", "-o", tmp_path / "run", *SETS) == 1
    assert "model: holds 'thesis.odt', which is not of a model" in error()
    assert contents(tmp_path / "run" / "model") == {"thesis.odt": b"years"}
    assert not (tmp_path / "run" / "recipe.json").exists()


# -- evaluate, generate --------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["/proc/report", "theirs", "clips", "file/report"])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error, out: str
):
    monkeypatch.setattr("storyreel.evaluate.command.measure", lambda *a: pytest.fail("hours of work"))
    monkeypatch.setattr("storyreel.evaluate.judge_training.train_judge", lambda *a, **k: pytest.fail("hours of work"))
    write_folder(tmp_path / "clips", noise(), workers=1)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "a.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before, place = contents(tmp_path), tmp_path / out
    assert call("evaluate", tmp_path / "clips", "--metrics", "flicker", "-o", place, "-q") == 1
    assert error().startswith(f"storyreel: error: {place}: ")
    assert call("evaluate", "train-judge", "--data", tmp_path / "clips", "-o", place, "-q") == 1
    assert error().startswith(f"storyreel: error: {place}: ")
    assert contents(tmp_path) == before


def test_a_sheet_whose_atlas_is_gone_is_made_again_and_what_a_killed_batch_left_is_swept(tmp_path: Path):
    make_tiny(tmp_path / "tiny")
    (tmp_path / "p.txt").write_text("an orc\n")
    args = ["generate", "--prompts", tmp_path / "p.txt", "-m", tmp_path / "tiny", "-o", tmp_path / "out", "-q"]
    assert call(*args, "--format", "png") == 0
    (atlas,) = [f for f in (tmp_path / "out").glob("*.json") if f.name != MARKER]
    atlas.unlink()
    stale = temporary_name(tmp_path / "out" / "a.png").name.split("-")
    stale[-2] = "1"  # began at another time than any process that lives
    (tmp_path / "out" / "-".join(stale)).write_text("half")
    assert call(*args, "--format", "png") == 0
    assert atlas.is_file()
    assert not [name for name in os.listdir(tmp_path / "out") if is_temporary(name)]


def test_a_sheet_that_was_killed_between_its_atlas_and_its_picture_is_made_again(tmp_path: Path):
    make_tiny(tmp_path / "tiny")
    picture, atlas = tmp_path / "a.png", tmp_path / "a.json"
    args = ["generate", "an orc", "-m", tmp_path / "tiny", "-o", picture, "-q"]
    assert call(*args) == 0
    whole = picture.read_bytes(), atlas.read_bytes()
    picture.unlink()
    assert call(*args) == 0
    assert (picture.read_bytes(), atlas.read_bytes()) == whole
    picture.unlink()
    for theirs in (whole[1].replace(b"a.png", b"b.png"), b'{"frames": {"a": {}}, "meta": {"image": "a.png"}}'):
        atlas.write_bytes(theirs)
        assert call(*args) == 1
        assert atlas.read_bytes() == theirs
    atlas.unlink()
    atlas.symlink_to(tmp_path / "nowhere")
    assert call(*args) == 1
    assert atlas.is_symlink()


# -- folders of earlier versions -----------------------------------------------------------------------------


def forget(folder: Path) -> None:
    """As earlier versions left their folders: without marker, lock, and list of clips."""
    for name in (MARKER, LOCK, "curation/clips.json"):
        (folder / name).unlink(missing_ok=True)


def test_folders_of_earlier_versions_go_on_unless_something_foreign_is_in_them(tmp_path: Path, curated, error):
    make = ["data", "make", "digits", "-o", tmp_path / "d", "--size", 32, "--digits", 1, "--workers", 1, "--clips"]
    assert call(*make, 2) == 0
    write_folder(tmp_path / "data", noise(), workers=1)
    train = ["train", "phenaki_tiny", "--data", tmp_path / "data", "-o", tmp_path / "run", *SETS]
    train += ["--set=stages.tokenizer.data.batch=1", "--set=stages.prior.data.batch=1"]
    assert call(*train) == 0
    curated()
    verbs = {"d": lambda: call(*make, 3), "run": lambda: call(*train), "set": lambda: int(not curated())}
    for name, again in verbs.items():
        forget(tmp_path / name)
        (tmp_path / name / "mine.txt").write_text("mine")
        before = contents(tmp_path / name)
        if name == "set":
            with pytest.raises(ValueError, match=r"holds 'mine\.txt', which is not of a curated dataset"):
                again()
        else:
            assert again() == 1
            assert "holds 'mine.txt', which is not of" in error()
        assert contents(tmp_path / name) == before
        (tmp_path / name / "mine.txt").unlink()
        assert again() == 0
        assert (tmp_path / name / MARKER).exists()
    shutil.rmtree(tmp_path / "run" / "model")
    assert json.loads((tmp_path / "run" / MARKER).read_text())["kind"] == "run"
