"""storyreel generate -o NAME.png: how the sprite sheet is laid out, loops, and what lies beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from tiny_model import make_tiny_sprites

from storyreel import cli, read_meta


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_sprites(tmp_path_factory.mktemp("models") / "tiny-sprites"))


def run(*args: str) -> int:
    try:
        cli.main(["generate", *args, "--steps", "1", "--candidates", "1", "-q"])
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def test_columns_padding_cells_and_powers_of_two(model: str, tmp_path: Path) -> None:
    out = tmp_path / "orc.png"
    grid = ("--columns", "3", "--padding", "2", "--cell", "96", "--pot")
    assert run("an orc walking", "-m", model, "-o", str(out), *grid, "--scale", "2") == 0
    atlas = json.loads(out.with_suffix(".json").read_text())
    boxes = [entry["frame"] for entry in atlas["frames"].values()]
    assert boxes[0] == {"x": 2, "y": 2, "w": 192, "h": 192}
    assert boxes[3]["x"] == 2, "three columns"
    assert boxes[3]["y"] == boxes[1]["x"] == 2 + 192 + 2
    assert all(side & (side - 1) == 0 for side in Image.open(out).size)
    terms = (tmp_path / "orc.LICENSE.txt").read_text()
    assert terms.startswith("orc.png\n")
    assert "CC-BY-SA 3.0" in terms
    assert run("an orc walking", "-m", model, "-o", str(out)) == 0, "its own files may be written again"
    (tmp_path / "orc.LICENSE.txt").write_text(terms + "and my own notes")
    assert run("an orc walking", "-m", model, "-o", str(out)) == 1
    assert (tmp_path / "orc.LICENSE.txt").read_text().endswith("and my own notes")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("--columns", "3", "-o", "orc.gif"), "columns: .gif is no sprite sheet"),
        (("--pot",), "pot: .mp4 is no sprite sheet"),
        (("--cell", "4", "-o", "orc.png"), "cell: the frames are "),
    ],
)
def test_a_grid_that_does_not_fit_is_refused(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("an orc", "-m", model, *args) == 1
    assert line in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_sheets_of_a_file_of_prompts_share_one_licence(model: str, tmp_path: Path) -> None:
    (tmp_path / "who.txt").write_text("an orc\na knight\n")
    for _ in range(2):
        out = ("-o", str(tmp_path / "clips"), "--format", "png")
        assert run("--prompts", str(tmp_path / "who.txt"), "-m", model, *out) == 0
        names = sorted(file.name for file in (tmp_path / "clips").glob("*.png"))
        assert len(names) == 2
        first = (tmp_path / "clips" / "LICENSE.txt").read_text().partition("\n")[0]
        assert sorted(first.split(", ")) == names


def test_a_loop_is_made_again_from_its_file(model: str, tmp_path: Path) -> None:
    one, other = tmp_path / "a.gif", tmp_path / "b.gif"
    assert run("an orc walking", "-m", model, "-o", str(one), "--loop") == 0
    meta = read_meta(one)
    assert meta is not None
    assert meta["options"]["loop"] is True
    assert "looped" in meta
    assert run("--from", str(one), "-m", model, "-o", str(other)) == 0
    assert one.read_bytes() == other.read_bytes()
