"""storyreel sheet: what it prints, writes and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from tiny_model import make_tiny, make_tiny_sprites

from storyreel import cli

SMALL = ["--actions", "walk,hurt", "--candidates", "2", "--steps", "1"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_sprites(tmp_path_factory.mktemp("models") / "tiny-sprites"))


def run(*args: str) -> int:
    try:
        cli.main(["sheet", *args])
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def test_it_prints_its_files_and_says_what_was_drawn(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("a drow with white hair", "-m", model, *SMALL, "--scale", "1,2", "--columns", "4") == 0
    out, err = capsys.readouterr()
    stem = "a-drow-with-white-hair-seed0"
    assert out.split() == [f"{stem}.png", f"{stem}.json", f"{stem}@2x.png", f"{stem}@2x.json", f"{stem}.LICENSE.txt"]
    assert sorted(out.split()) == sorted(file.name for file in tmp_path.iterdir())
    assert Image.open(tmp_path / f"{stem}.png").width == 4 * Image.open(tmp_path / f"{stem}@2x.png").width // 8
    assert "not said, drawn from the seed: " in err
    assert "body" not in err.partition("drawn from the seed: ")[2].splitlines()[0]
    assert "storyreel: walk up (" in err
    assert run("a drow with white hair", "-m", model, *SMALL, "-q") == 0
    out, err = capsys.readouterr()
    assert out.split()[0] == f"{stem}-2.png", "a name that was not chosen overwrites nothing"
    assert err == ""


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("a", "4"), ("b", "4"), ("c", "5")):
        (tmp_path / name).mkdir()
        out = tmp_path / name / "who.png"
        assert run("an orc", "-m", model, *SMALL, "-o", str(out), "--seed", seed, "--json", "-q") == 0
        told = json.loads(capsys.readouterr().out)
        assert told["files"][0] == str(out)
        assert told["attributes"]["body"] == "orc"
    one, same, other = ((tmp_path / name / "who.png").read_bytes() for name in "abc")
    assert one == same != other


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["an orc", "--actions", "dance"], 1, "actions: 'dance' is none of spellcast, thrust"),
        (["an orc", "-o", "who.gif"], 2, "expected a .png"),
        (["an orc", "--scale", "0"], 2, "expected whole numbers from 1 to 64"),
        (["an orc", "--padding", "-1"], 2, "padding"),
        ([" "], 2, "it is empty; expected a sentence"),
        ([], 2, "PROMPT"),
    ],
)
def test_refusals(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str],
    code: int, said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(*args, "-m", model) == code
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_model_of_another_world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("an orc", "-m", str(make_tiny(tmp_path / "plain")), "-o", str(tmp_path / "who.png")) == 1
    assert "model plain: its world has no sheets of characters; phenaki-sprites has" in capsys.readouterr().err
    assert not (tmp_path / "who.png").exists()
