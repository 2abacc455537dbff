"""A verb writes into what is new, empty or its own, and never over or into what it reads."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storyreel.folder_replacement import replacing_folder
from storyreel.layouts import KINDS
from storyreel.ownership import LOCK, MARKER, check_apart, check_file, claim, own_file
from storyreel.storage import locked


def tree(folder: Path) -> dict[str, str]:
    """Every name below a folder, with the sha256 of files and the target of links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def test_a_new_and_an_empty_folder_are_marked_and_taken_again(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for name in ("new/deep", "empty", "new/deep"):
        with claim(tmp_path / name, "report") as folder:
            (folder.path / "report.html").write_text("x")
        assert json.loads((tmp_path / name / MARKER).read_text())["kind"] == "report"


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "report.html", "clips/000000.mkv", "folder/"])
@pytest.mark.parametrize("kind", ["report", "made-dataset", "model", "run", "shards"])
def test_a_foreign_folder_is_refused_and_stays_as_it_is(tmp_path: Path, name: str, kind: str):
    place = tmp_path / "theirs"
    (place / name).parent.mkdir(parents=True)
    (place / name).mkdir() if name.endswith("/") else (place / name).write_text("theirs")
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="which is not of"), claim(place, kind):
        pass
    assert tree(tmp_path) == before


def test_a_folder_of_another_kind_or_version_is_refused(tmp_path: Path):
    with claim(tmp_path / "a", "report") as folder:
        (folder.path / "report.html").write_text("x")
    with pytest.raises(ValueError, match="is the folder of a report, expected a judge"), claim(tmp_path / "a", "judge"):
        pass
    (tmp_path / "a" / MARKER).write_text('{"storyreel": 99, "kind": "report"}')
    with pytest.raises(ValueError, match="another version"), claim(tmp_path / "a", "report"):
        pass


def test_a_file_and_a_link_that_leads_nowhere_are_refused(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    before = tree(tmp_path)
    for name in ("file", "link", "file/below"):
        with (
            pytest.raises(OSError, match=r"is a file|leads nowhere|cannot be written"),
            claim(tmp_path / name, "report"),
        ):
            pass
    assert tree(tmp_path) == before


def test_what_fails_before_anything_is_written_leaves_nothing(tmp_path: Path):
    with pytest.raises(RuntimeError), claim(tmp_path / "a" / "b", "report"):
        raise RuntimeError
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("link", [False, True])
def test_neither_over_nor_into_nor_around_an_input(tmp_path: Path, link: bool):
    source = tmp_path / "in" / "clips"
    source.mkdir(parents=True)
    (source / "a.mp4").write_text("x")
    if link:
        (tmp_path / "way").symlink_to(source)
    given = tmp_path / "way" if link else source
    for out in (source, source / "out", source / "new" / "deep", tmp_path / "in", tmp_path):
        with pytest.raises(ValueError, match=r"read here|which is read"):
            check_apart(out, [given])
        with pytest.raises(ValueError, match=r"read here|which is read"):
            check_apart(out, [None, tmp_path / "absent", given])
    with pytest.raises(ValueError, match=r"holds .*a\.mp4, which is read"):
        check_apart(source, [given / "a.mp4"])
    check_apart(tmp_path / "in" / "other", [given])
    check_apart(tmp_path / "other", [given / "a.mp4"])


def test_a_file_that_is_read_or_foreign_is_not_written(tmp_path: Path):
    (tmp_path / "a.mp4").write_text("x")
    (tmp_path / "b.mp4").symlink_to("a.mp4")
    with pytest.raises(ValueError, match="is read here"):
        check_file(tmp_path / "b.mp4", True, [tmp_path / "a.mp4"])
    with pytest.raises(FileExistsError, match="was not written by storyreel"):
        check_file(tmp_path / "a.mp4", False)
    check_file(tmp_path / "new.mp4", False, [tmp_path / "a.mp4", tmp_path])


def test_two_at_once_are_told(tmp_path: Path):
    with (
        claim(tmp_path / "a", "report"),
        pytest.raises(ValueError, match="another process is writing"),
        claim(tmp_path / "a", "report"),
    ):
        pass
    with claim(tmp_path / "b", "clips", shared=True), claim(tmp_path / "b", "clips", shared=True) as folder:
        (folder.path / "a.mp4").touch()


def test_only_recorded_names_are_removed_and_never_through_a_link(tmp_path: Path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.tar").write_text("theirs")
    with claim(tmp_path / "out", "shards") as folder:
        (folder.path / "far").symlink_to(tmp_path / "elsewhere")
        for name in ("0.tar", "1.tar", "theirs.tar"):
            (folder.path / name).write_text(name)
        folder.record(["0.tar", "1.tar", "far/a.tar", "../elsewhere/a.tar", "/etc/passwd"])
    with claim(tmp_path / "out", "shards") as folder:
        assert folder.names == {"0.tar", "1.tar", "far/a.tar"}
        folder.remove(["1.tar", "theirs.tar", "far/a.tar", "../elsewhere/a.tar"])
    assert set(os.listdir(tmp_path / "out")) == {"0.tar", "theirs.tar", "far", MARKER, LOCK}
    assert (tmp_path / "elsewhere" / "a.tar").read_text() == "theirs"


FORGED = [
    "../theirs/a.mkv",
    "{theirs}/a.mkv",
    "clips/a.mkv",
    "notes/../../theirs/a.mkv",
    "notes\\..\\..\\theirs\\a.mkv",
]
FORGED += ["..", ".", "", "~/a", "a\0b", "x" * 5000, "y/" * 3000 + "z", "\udc80", "\ud800"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_forged_marker_leads_nowhere(tmp_path: Path, kind: str):
    """A folder of somebody's that says it is ours, with names that lead out of it, and links in place of folders."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "a.mkv").write_text("theirs")
    place = tmp_path / "place"
    (place / "notes").mkdir(parents=True)
    (place / "notes" / "a.txt").write_text("mine")
    (place / "mine.txt").write_text("mine")
    (place / "clips").symlink_to(theirs)
    names = [name.replace("{theirs}", str(theirs)) for name in FORGED]
    told = {"storyreel": 1, "kind": kind, "names": [*names, 5, None, {}], "cards": {"../theirs/a.mkv": [], "b": 5}}
    (place / MARKER).write_text(json.dumps(told))
    before = tree(theirs)
    if re.fullmatch(KINDS[kind].folders, "clips"):
        with pytest.raises(ValueError, match="clips: is a link to a folder outside of"), claim(place, kind):
            pass
    else:
        with claim(place, kind) as folder:
            folder.remove(names)
            folder.record(names)
        with replacing_folder(place, kind) as made:
            (made / "new.txt").write_text("new")
        assert (place / "new.txt").read_text() == "new"
    assert tree(theirs) == before
    assert {(place / name).read_text() for name in ("mine.txt", "notes/a.txt")} == {"mine"}
    assert sorted(os.listdir(tmp_path)) == ["place", "theirs"]


LINKED = {"run": "tokenizer", "made-dataset": "clips", "imported-dataset": ".parts", "curated-dataset": "curation"}
LINKED |= {"leaderboard": "reports/one", "ablation": "subsets/all/clips", "reproduction": "story", "dataset": "clips"}


@pytest.mark.parametrize("kind", LINKED)
def test_nothing_is_written_through_a_link_to_a_folder_outside(tmp_path: Path, kind: str):
    (tmp_path / "theirs").mkdir()
    with claim(tmp_path / "out", kind):
        (tmp_path / "out" / "inside").mkdir()
    link = tmp_path / "out" / LINKED[kind]
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "theirs")
    with pytest.raises(ValueError, match=rf"{LINKED[kind]}: is a link to a folder outside"):
        claim(tmp_path / "out", kind).__enter__()
    link.unlink()
    link.symlink_to(tmp_path / "out" / "inside")
    with claim(tmp_path / "out", kind):
        pass


def test_a_link_in_place_of_the_folder_that_waits_is_left_alone(tmp_path: Path):
    """`.a.storyreel-replaced` is where the old model waits while the new one takes its name."""
    model(tmp_path / "theirs", "theirs")
    model(tmp_path / "a", "one")
    (tmp_path / ".a.storyreel-replaced").symlink_to(tmp_path / "theirs")
    before = tree(tmp_path / "theirs")
    with pytest.raises(OSError, match="storyreel-replaced"):
        model(tmp_path / "a", "two")
    assert tree(tmp_path / "theirs") == before


def test_a_file_that_grows_is_not_written_through_a_link(tmp_path: Path):
    from storyreel.curate.lines import append_line
    from storyreel.run import StageRun

    theirs = tmp_path / "theirs.txt"
    theirs.write_text("theirs\nto the end")
    for name in ("log.jsonl", "edits.jsonl"):
        (tmp_path / name).symlink_to(theirs)
    with pytest.raises(OSError, match="is a link, expected a file"):
        append_line(tmp_path / "edits.jsonl", {"clip": "a"})
    stage = StageRun(tmp_path, "tokenizer")
    for harm in (lambda: stage.log({"step": 1}), lambda: stage.cut_log(0)):
        with pytest.raises(OSError, match=r"log\.jsonl"):
            harm()
    assert theirs.read_text() == "theirs\nto the end"


def test_a_card_is_written_anew_until_somebody_edits_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for text in ("one", "two", "two"):
        with claim(tmp_path / "a", "judge") as folder:
            assert folder.write_card("README.md", text)
        assert (tmp_path / "a" / "README.md").read_text() == text
    (tmp_path / "a" / "README.md").write_text("mine")
    with claim(tmp_path / "a", "judge") as folder:
        assert not folder.write_card("README.md", "three")
    assert (tmp_path / "a" / "README.md").read_text() == "mine"
    assert "edited by hand, and stays" in capsys.readouterr().err


def model(folder: Path, text: str, card: str = "card") -> None:
    with replacing_folder(folder, "model") as made:
        (made / "part").mkdir()
        (made / "part" / "model.safetensors").write_text(text)
        (made / "README.md").write_text(card)
        (made / "model.json").write_text(json.dumps({"storyreel": 1, "text": text}))


def test_a_folder_is_replaced_and_what_people_put_there_stays(tmp_path: Path):
    model(tmp_path / "m", "one")
    (tmp_path / "m" / "notes").mkdir()
    (tmp_path / "m" / "notes" / "a.txt").write_text("theirs")
    model(tmp_path / "m", "two", "another card")
    assert (tmp_path / "m" / "part" / "model.safetensors").read_text() == "two"
    assert (tmp_path / "m" / "README.md").read_text() == "another card"
    (tmp_path / "m" / "README.md").write_text("mine")
    model(tmp_path / "m", "three", "a third card")
    assert (tmp_path / "m" / "README.md").read_text() == "mine"
    assert (tmp_path / "m" / "notes" / "a.txt").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["m"]


def test_a_folder_of_an_earlier_version_is_replaced_and_its_card_kept(tmp_path: Path):
    model(tmp_path / "m", "one")
    (tmp_path / "m" / MARKER).unlink()
    model(tmp_path / "m", "two", "another card")
    assert (tmp_path / "m" / "part" / "model.safetensors").read_text() == "two"
    assert (tmp_path / "m" / "README.md").read_text() == "card"


def test_an_error_while_the_new_one_is_made_leaves_the_old_one(tmp_path: Path):
    model(tmp_path / "m", "one")
    before = tree(tmp_path)
    with pytest.raises(FileNotFoundError), replacing_folder(tmp_path / "m", "model") as made:
        (made / "model.json").write_text((made / "absent").read_text())
    assert tree(tmp_path) == before


KILLED = """
import json, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_ownership import model
rename, left = os.rename, int(sys.argv[2])
def stop(*args, **kwargs):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return rename(*args, **kwargs)
os.rename = os.replace = stop
model(Path(sys.argv[1]), "two")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("renames", range(6))
def test_killed_between_any_two_renames_one_of_both_stands(tmp_path: Path, renames: int):
    model(tmp_path / "m", "one")
    (tmp_path / "m" / "notes.txt").write_text("theirs")
    args = [sys.executable, "-c", KILLED, str(tmp_path / "m"), str(renames), str(Path(__file__).parent)]
    assert subprocess.run(args).returncode == -signal.SIGKILL
    model(tmp_path / "m", "three")
    assert (tmp_path / "m" / "part" / "model.safetensors").read_text() == "three"
    assert (tmp_path / "m" / "notes.txt").read_text() == "theirs"
    assert os.listdir(tmp_path) == ["m"]


def test_a_lock_is_not_taken_through_a_link(tmp_path: Path):
    """An old filelock empties the file that such a link leads to."""
    (tmp_path / "mine.txt").write_text("words")
    (tmp_path / ".lock").symlink_to(tmp_path / "mine.txt")
    with pytest.raises(OSError, match="is a link, expected a file"), locked(tmp_path / ".lock", "busy"):
        pass
    assert (tmp_path / "mine.txt").read_text() == "words"
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / LOCK).symlink_to(tmp_path / "absent")
    with pytest.raises(OSError, match="is a link, expected a file"), claim(tmp_path / "set", "made-dataset"):
        pass
    assert not (tmp_path / "absent").exists()


def test_a_file_that_is_itself_in_its_folder(tmp_path: Path):
    (tmp_path / "far").mkdir()
    (tmp_path / "set/in").mkdir(parents=True)
    (tmp_path / "set/in/a").write_text("a")
    (tmp_path / "set/near").symlink_to("in")
    (tmp_path / "set/out").symlink_to(tmp_path / "far")
    (tmp_path / "set/b").symlink_to("in/a")
    os.mkfifo(tmp_path / "set/c")
    for name in ("in/a", "near/a", "absent", "in/absent"):
        assert own_file(tmp_path / "set", name) == tmp_path / "set" / name
    for name in ("out/a", "b", "c", "in"):
        with pytest.raises(OSError, match=r"lies behind a link|is a link|is no ordinary file"):
            own_file(tmp_path / "set", name)
