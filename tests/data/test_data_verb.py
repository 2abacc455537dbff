"""`storyreel data`: one line for what was wrong, exit codes, nothing half-written."""

import json
import tarfile

import pytest
from PIL import Image

from storyreel.cli import main
from storyreel.data.folder import DatasetFolder


@pytest.fixture
def storyreel(capsys):
    """Runs the command line; gives (exit code, stdout, stderr)."""

    def run(*args):
        with pytest.raises(SystemExit) as end:
            main(["data", *map(str, args)])
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return run


def test_make_check_preview(tmp_path, storyreel):
    out = tmp_path / "d"
    ask = ("make", "digits", "-o", out, "--clips", 6, "--seed", 4, "--size", 32, "--digits", 1, "--workers", 1)
    code, said, _ = storyreel(*ask, "--held-out-share", 1)
    assert (code, said) == (0, f"{out}: 6 clips of digits, 6 of them held out\n")
    folder = DatasetFolder.open(out)
    assert folder.clip(0).size == (32, 32)
    assert len(folder.row(0)["attributes"]["digits"]) == 1
    assert storyreel(*ask, "--held-out-share", 1)[0] == 0
    code, _, err = storyreel(*ask)
    assert code == 1
    assert "made with held_out_share 1.0, now asked for 0.0" in err

    (out / "clips" / "000003.mkv").write_bytes(b"")
    code, said, _ = storyreel("check", out, "--json", "--workers", 1)
    report = json.loads(said)
    assert (code, report["usable"], report["refused"][0][0]) == (0, 5, "clips/000003.mkv")
    code, said, _ = storyreel("preview", out, "-o", tmp_path / "sheet.png", "--clips", 3)
    assert (code, said) == (0, f"{tmp_path / 'sheet.png'}\n")
    assert Image.open(tmp_path / "sheet.png").size[0] > 500


def test_check_fails_when_nothing_is_usable(tmp_path, storyreel):
    storyreel("make", "digits", "-o", tmp_path / "d", "--clips", 2, "--size", 32, "--workers", 1)
    for file in (tmp_path / "d" / "clips").iterdir():
        file.write_bytes(b"not a video")
    code, said, _ = storyreel("check", tmp_path / "d", "--workers", 1)
    assert code == 1
    assert "0 of 2 clips can be used" in said


def test_sprites_through_the_same_door(tmp_path, storyreel, lpc):
    ask = ("make", "sprites", "-o", tmp_path / "d", "--clips", 3, "--source", lpc, "--workers", 1, "--frames", 6)
    assert storyreel(*ask)[:2] == (0, f"{tmp_path / 'd'}: 3 clips of sprites\n")
    folder = DatasetFolder.open(tmp_path / "d")
    assert folder.clip(1).frames.shape == (6, 64, 64, 4)
    assert folder.row(1)["attributes"]["action"]


def test_a_dataset_that_names_no_language_or_balance_grows_as_it_is(tmp_path, storyreel, lpc):
    ask = ("make", "sprites", "-o", tmp_path / "d", "--source", lpc, "--workers", 1)
    assert storyreel(*ask, "--clips", 2, "--language", 1, "--no-balance")[0] == 0
    plan = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert not {"balance", "language", "partial", "short"} & set(plan)  # as it was written before there were two
    first = DatasetFolder.open(tmp_path / "d").captions(0)
    assert storyreel(*ask, "--clips", 4)[0] == 0
    grown = DatasetFolder.open(tmp_path / "d")
    assert len(grown) == 4
    assert grown.captions(0) == first
    code, _, err = storyreel(*ask, "--clips", 4, "--language", 2)
    assert code == 1
    assert "give another folder" in err


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("make", "digit", "-o", "x"), 2, "did you mean 'digits'?"),
        (("make", "digits", "-o", "x", "--source", "y"), 2, "the world digits has no such setting"),
        (("make", "digits", "-o", "x", "--clips", "0"), 2, "--clips"),
        (("make", "digits", "-o", "x", "--fps", "fast"), 2, "--fps"),
        (("make", "digits", "-o", "x", "--digits", "3"), 1, "digits: expected 1, 2 or both, got '3'"),
        (("make", "digits", "-o", "x", "--mnist", "nowhere"), 1, "nowhere: no such folder"),
        (("make", "sprites", "-o", "x"), 2, "data fetch sprites"),
        (("make", "sprites", "-o", "x", "--source", "nowhere"), 1, "nowhere"),
        (("check", "nowhere"), 1, "nowhere: no such dataset folder"),
        (("check", "."), 1, "expected a metadata.parquet"),
        (("preview", "nowhere", "-o", "a.mp4"), 2, ".png"),
        (("fetch", "digits", "-o", "x"), 2, "only for sprites"),
        (("fetch", "sprites", "-o", "x", "--url", "file:///nowhere.tar.gz"), 1, "could not be reached"),
    ],
)
def test_bad_input_gets_one_line(tmp_path, monkeypatch, storyreel, args, code, words):
    monkeypatch.chdir(tmp_path)
    got, said, err = storyreel(*args)
    assert got == code
    assert words in " ".join(err.replace("│", " ").split())
    assert "Traceback" not in err
    assert said == ""
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place_is_named(tmp_path, storyreel):
    (tmp_path / "file").write_text("")
    code, _, err = storyreel("make", "digits", "-o", tmp_path / "file" / "d", "--clips", 1, "--workers", 1)
    assert code == 1
    assert str(tmp_path / "file") in err
    assert len(err.splitlines()) == 1


def test_export_as_webdataset(tmp_path, storyreel):
    """A clip's files share a key, lie together, and hold the bytes of the folder."""
    storyreel("make", "digits", "-o", tmp_path / "d", "--clips", 5, "--size", 32, "--workers", 1)
    (tmp_path / "d" / "clips" / "000001.mkv").write_bytes(b"")
    ask = ("export", tmp_path / "d", "-o", tmp_path / "w", "--shard", 2)
    assert storyreel(*ask)[:2] == (0, f"{tmp_path / 'w'}: 3 shards\n")
    folder = DatasetFolder.open(tmp_path / "d")
    with tarfile.open(tmp_path / "w" / "000001.tar") as tar:
        names = tar.getnames()
        assert names == [f"0000000{row}{end}" for row in (2, 3) for end in (".mkv", ".txt", ".json")]
        read = {name: tar.extractfile(name).read() for name in names}
    assert read["00000003.mkv"] == folder.file(3).read_bytes()
    assert read["00000003.txt"].decode() == folder.captions(3)[0]
    assert json.loads(read["00000002.json"])["attributes"] == folder.row(2)["attributes"]
    with tarfile.open(tmp_path / "w" / "000000.tar") as tar:
        assert len(tar.getnames()) == 3
    before = (tmp_path / "w" / "000000.tar").stat().st_mtime_ns
    assert storyreel(*ask)[0] == 0
    assert (tmp_path / "w" / "000000.tar").stat().st_mtime_ns == before
