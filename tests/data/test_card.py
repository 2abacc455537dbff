"""`datasets.load_dataset(FOLDER)` gives our captions, splits and counts, of a folder of `data make`."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml

from storyreel import worlds
from storyreel.clip import Clip
from storyreel.data.folder import DatasetFolder, write_folder, write_world
from storyreel.model_card import header, licence_of, split


def loaded(folder: DatasetFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import datasets

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return datasets.load_dataset(str(folder.path), cache_dir=str(tmp_path / "cache"))


def check_same(found: Any, folder: DatasetFolder) -> None:
    """Each split has our rows in our order, with captions and the clip's file."""
    import datasets

    assert {name: part.num_rows for name, part in found.items()} == {
        name: folder.splits.count(name) for name in set(folder.splits)
    }
    for name, part in found.items():
        part = part.cast_column("video", datasets.Video(decode=False))
        ours = [index for index, each in enumerate(folder.splits) if each == name]
        assert part["captions"][:] == [folder.column("captions")[index] for index in ours]
        paths = [Path(each["path"]).resolve() for each in part["video"]]
        assert paths == [(folder.path / folder.file_names[index]).resolve() for index in ours]


class EveryFifthHeldOut:
    """Digits, some of which are held out, as in the worlds that have combinations."""

    def __init__(self) -> None:
        self.digits = worlds.find("digits").maker()

    def make(self, seed: int, index: int) -> tuple[Clip, dict[str, Any]]:
        clip, row = self.digits.make(seed, index)
        return clip, {**row, "split": "held_out" if index % 5 == 2 else "train"}


def test_a_made_folder_and_one_that_grew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    world: Any = EveryFifthHeldOut()
    plan = {"world": "digits"}
    few = write_world(tmp_path / "d", world, 1, 0, workers=1, plan=plan)
    assert set(few.splits) == {"train"}
    check_same(loaded(few, tmp_path / "a", monkeypatch), few)
    many = write_world(tmp_path / "d", world, 12, 0, workers=1, plan=plan)
    assert set(many.splits) == {"train", "held_out"}
    check_same(loaded(many, tmp_path / "b", monkeypatch), many)
    head = yaml.safe_load((many.path / "README.md").read_text().split("---\n")[1])
    assert head["license"] == ["apache-2.0"]
    assert [each["split"] for each in head["configs"][0]["data_files"]] == ["train", "held_out"]
    assert json.loads((many.path / "dataset.json").read_text())["world"] == "digits"


def test_a_set_that_was_killed_before_its_card_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    world, plan = worlds.find("digits").maker(), {"world": "digits"}
    with monkeypatch.context() as killed:
        killed.setattr("storyreel.data.write.write_card", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            write_world(tmp_path / "d", world, 2, 0, workers=1, plan=plan)
    assert not (tmp_path / "d/README.md").exists()
    write_world(tmp_path / "d", world, 2, 0, workers=1, plan=plan)
    assert "2 clips of the world" in (tmp_path / "d/README.md").read_text()
    assert not (tmp_path / "d/.parts").exists()


def test_a_card_that_a_person_edited_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    world = worlds.find("digits").maker()
    write_world(tmp_path / "d", world, 1, 0, workers=1, plan={"world": "digits"})
    (tmp_path / "d" / "README.md").write_text("# mine\n")
    write_world(tmp_path / "d", world, 2, 0, workers=1, plan={"world": "digits"})
    assert (tmp_path / "d" / "README.md").read_text() == "# mine\n"
    assert "README.md: was written or edited by hand, and stays as it is" in capsys.readouterr().err


def test_clips_of_a_program_with_three_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clip, row = worlds.find("digits").maker().make(0, 0)
    splits = ["val", "train", "test", "train"]
    items = [(clip, {**row, "split": each, "caption": f"clip {n}"}) for n, each in enumerate(splits)]
    folder = write_folder(tmp_path / "d", items, workers=1)
    check_same(loaded(folder, tmp_path, monkeypatch), folder)


def test_each_world_has_a_licence_that_hubs_know():
    assert {name: licence_of(worlds.find(name).licence) for name in worlds.names()} == {
        "sprites": "cc-by-sa-3.0", "digits": "apache-2.0", "skies": "cc0-1.0", "road": "cc0-1.0"
    }  # fmt: skip


def test_headers_are_yaml_and_come_back(tmp_path: Path):
    values = {"license": "mit", "tags": ["a: b", "- c", "#d"], "title": 'says "x": {y}', "none": None}
    found, body = split(header(values) + "# Title\n\n---\nmore\n", "README.md")
    assert found == {name: value for name, value in values.items() if value}
    assert body == "# Title\n\n---\nmore\n"
    assert split("# only\n", "README.md") == ({}, "# only\n")
    for card, said in (
        ("---\nlicense: mit\n", "has no end"),
        ("---\n[\n---\n", "is no YAML"),
        ("---\n- a\n---\n", "mapping"),
    ):
        with pytest.raises(ValueError, match=f"README.md: its header .*{said}"):
            split(card, "README.md")


BOMB = "a: &a [x, x]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in pairwise("abcdefghi"))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(BOMB, id="bomb"),
        pytest.param("a: " + "[" * 5000, id="brackets"),
        pytest.param("a: " + "[" * 5000 + "]" * 5000, id="deep"),
        pytest.param("a: " + "9" * 6000, id="digits"),
        pytest.param("a: .nan", id="nan"),
        pytest.param("a: !!set {b}", id="set"),
        pytest.param('a: "\\ud800"', id="surrogate"),
        pytest.param("a: !!python/name:os.system", id="code"),
        pytest.param("a: " + "x" * 70_000, id="long"),
    ],
)
def test_headers_of_strangers_end_in_one_line(head: str):
    """That of a dataset is read when a training is done, that of a model before it is uploaded."""
    with pytest.raises(ValueError, match=r"README\.md: its header ") as told:
        split(f"---\n{head}\n---\n", "README.md")
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 300


def test_a_date_in_a_header_is_text():
    assert split("---\nlicense: mit\ndate: 2024-01-31\n---\n", "README.md")[0] == {
        "license": "mit",
        "date": "2024-01-31",
    }


def test_cards_of_shipped_models_have_what_hubs_read():
    folder = Path(worlds.__file__).parents[1] / "pretrained"
    cards = [card for card in sorted(folder.glob("*/README.md")) if (card.parent / "model.json").exists()]
    assert len(cards) >= 8
    for card in cards:
        head, _ = split(card.read_text(), str(card))
        assert head["library_name"] == "storyreel"
        world = card.parent.name.rpartition("-")[2]
        assert head["datasets"] == [world]
        assert head["license"] == licence_of(worlds.find(world).licence)
        assert head["pipeline_tag"] in ("text-to-video", "unconditional-image-generation", "feature-extraction")
        assert (head["pipeline_tag"] == "text-to-video") == (head.get("metrics") == ["accuracy"])
