"""Files appear whole or not at all, together where they belong together, and nothing of a killed process stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from storyreel import storage
from storyreel.storage import (
    is_temporary,
    locked,
    read_json,
    replacing,
    sweep,
    temporary_name,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.parametrize(
    "name", ["a.mp4", ".storyreel.json", "x" * 200 + ".webm", "ü" * 100 + ".png", "plain", "a.b c.d"]
)
def test_temporary_names_are_recognised_and_fit(tmp_path: Path, name: str):
    made = temporary_name(tmp_path / name)
    assert is_temporary(made.name)
    assert made.name.endswith(Path(name).suffix)
    assert len(os.fsencode(made.name)) <= 255
    made.touch()


def test_a_sweep_leaves_the_living_and_the_foreign(tmp_path: Path):
    mine = temporary_name(tmp_path / "a.mp4")
    for name in (mine.name, ".hidden", ".a.deadbeef.mp4", "notes.tmp-1", ".profile.storyreel-notes"):
        (tmp_path / name).write_text("x")
    before = names(tmp_path)
    assert sweep(tmp_path) == []
    assert names(tmp_path) == before


def test_a_sweep_removes_what_the_killed_left(tmp_path: Path):
    code = (
        "import os, sys, signal; from pathlib import Path; from storyreel.storage import temporary_name\n"
        "folder = Path(sys.argv[1]); temporary_name(folder / 'a.mp4').touch()\n"
        "made = temporary_name(folder / 'checkpoint-1')\n"
        "made.mkdir(); (made / 'state.json').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path]).returncode == -signal.SIGKILL
    (tmp_path / "foreign.txt").touch()
    assert len(names(tmp_path)) == 3
    assert len(sweep(tmp_path)) == 2
    assert names(tmp_path) == ["foreign.txt"]


def test_a_number_that_another_process_has_now_saves_nothing(tmp_path: Path):
    """After a restart the same number may be somebody else's; the time at which it began tells them apart."""
    mine = temporary_name(tmp_path / "a.mp4").name
    began = storage._began(os.getpid())
    if began == "0":
        pytest.skip("this system does not tell when a process began")
    (tmp_path / mine.replace(f"-{began}-", "-1-")).touch()
    assert len(sweep(tmp_path)) == 1


def test_those_of_another_machine_are_left_for_a_day(tmp_path: Path):
    name = temporary_name(tmp_path / "a.mp4").name.replace(storage._machine(), "0" * 6)
    (tmp_path / name).touch()
    assert sweep(tmp_path) == []
    long_ago = (tmp_path / name).stat().st_mtime - storage.ABANDONED - 60
    os.utime(tmp_path / name, (long_ago, long_ago))
    assert sweep(tmp_path) == [name]


def test_a_rename_that_fails_puts_the_others_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    one, two = tmp_path / "sheet.png", tmp_path / "sheet.json"
    one.write_text("old picture")
    two.write_text("old atlas")
    rename = os.replace

    def stop(source: Path, target: Path) -> None:
        if Path(target) == one and not is_temporary(Path(target).name) and "new" in Path(source).read_text():
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr("storyreel.storage.os.replace", stop)
    with (
        pytest.raises(OSError, match="could not be written: Input/output error"),
        replacing(one, two) as made,
    ):
        [file.write_text("new") for file in made]
    assert one.read_text() == "old picture"
    assert two.read_text() == "old atlas"
    assert names(tmp_path) == ["sheet.json", "sheet.png"]


def test_the_first_of_several_appears_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    order: list[str] = []
    rename = os.replace
    monkeypatch.setattr("storyreel.storage.os.replace", lambda a, b: (order.append(Path(b).name), rename(a, b)))
    with replacing(tmp_path / "a.png", tmp_path / "a.json") as made:
        for file in made:
            file.write_text("x")
    assert order == ["a.json", "a.png"]


def test_a_lone_surrogate_is_named_and_nothing_is_written(tmp_path: Path):
    with pytest.raises(ValueError, match=r"a\.txt: character 2 is a lone surrogate \(U\+D800\)"):
        write_text(tmp_path / "a.txt", "ab\ud800")
    assert names(tmp_path) == []


def test_json_comes_back(tmp_path: Path):
    write_json(tmp_path / "a.json", {"a": [1, "ü"]})
    assert read_json(tmp_path / "a.json") == {"a": [1, "ü"]}


def test_a_lock_is_one_process_s_or_thread_s(tmp_path: Path):
    found: list[str] = []

    def other() -> None:
        try:
            with locked(tmp_path / ".lock", "busy"):
                found.append("taken twice")
        except ValueError as error:
            found.append(str(error))

    with locked(tmp_path / ".lock", "busy"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == ["busy"]
    with locked(tmp_path / ".lock", "busy"):
        pass
