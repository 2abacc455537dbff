"""A new world is one file: everything else that knows worlds finds it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from storyreel import worlds
from storyreel.cli import main
from storyreel.data.dataset import open_dataset
from storyreel.data.folder import DatasetFolder

TOY = '''
"""World `squares`: a square of one colour that moves left or right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from storyreel.clip import Clip
from storyreel.worlds import Attribute, Described, Value, World, check_ranges, setting

COLORS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 230)}


@dataclass(frozen=True, kw_only=True)
class Squares:
    size: int = setting(16, "Canvas, pixels.")
    side: int = setting(6, "Of the square, pixels.")
    frames: int = setting(8, "Frames a clip.")
    fps: Fraction = setting(Fraction(8), "Frames a second, such as 8 or 30000/1001.")
    held_out_share: float = setting(0.0, "Share of clips of held-out combinations.")
    carried: float = setting(0.0, "Share of clips that begin with a given frame.")
    captions: int = setting(1, "Captions a clip.")

    def __post_init__(self) -> None:
        check_ranges(self)

    def make(self, seed: int, index: int, split: str = "train") -> tuple[Clip, dict[str, Any]]:
        rng = np.random.default_rng([seed, index])
        color, way = str(rng.choice(list(COLORS))), str(rng.choice(["left", "right"]))
        video = np.zeros((self.frames, self.size, self.size, 3), np.uint8)
        for frame, at in zip(video, np.linspace(0, self.size - self.side, self.frames), strict=True):
            x = int(at) if way == "right" else self.size - self.side - int(at)
            frame[5 : 5 + self.side, x : x + self.side] = COLORS[color]
        said = f"a {color} square moves {way}"
        row = {"caption": said, "captions": [said], "mentions": [["color", "way"]], "split": split, "context": 0}
        return Clip(video, self.fps, said), row | {"attributes": {"color": color, "way": way}}


def say(rng: np.random.Generator) -> Iterator[str]:
    yield Squares().make(int(rng.integers(1000)), 0)[0].caption


def describe(key: Sequence[int], split: str, phrasing: str) -> Described:
    clip, row = Squares().make(key[0], key[-1], split)
    return Described(clip.caption, row["attributes"], lambda _: clip)


WORLD = World(
    name="squares",
    maker=Squares,
    attributes={
        "color": Attribute(values={name: Value(words=(name,)) for name in COLORS}),
        "way": Attribute(
            values={
                "left": Value(words=("left", "leftwards"), weight=1, phrase="moving left"),
                "right": Value(words=("right", "rightwards"), weight=3, phrase="moving right"),
            }
        ),
    },
    say=say,
    describe=describe,
    licence="Squares are nobody's.",
)
'''


@pytest.fixture
def squares(tmp_path, monkeypatch):
    """The world in one file, in a folder that `storyreel.worlds` looks into."""
    folder = tmp_path / "world"
    folder.mkdir()
    (folder / "squares.py").write_text(TOY)
    monkeypatch.setattr(worlds, "__path__", [*worlds.__path__, str(folder)])
    monkeypatch.setenv("STORYREEL_CACHE", str(tmp_path / "cache"))
    importlib.invalidate_caches()
    sys.modules.pop("storyreel.cli.data", None)  # its options are those of the worlds there were
    yield worlds.find("squares")
    for name in ("storyreel.worlds.squares", "storyreel.cli.data"):
        sys.modules.pop(name, None)


@pytest.fixture
def storyreel(capsys):
    def run(*args):
        with pytest.raises(SystemExit) as end:
            main([str(arg) for arg in args])
        said = capsys.readouterr()
        return end.value.code, said.out, said.err

    return run


def test_it_is_made_trained_on_judged_and_compared(squares, storyreel, tmp_path, monkeypatch):
    made = tmp_path / "data"
    ask = ("data", "make", "squares", "-o", made, "--clips", 20, "--side", 5, "--workers", 1)
    assert storyreel(*ask)[:2] == (0, f"{made}: 20 clips of squares\n")
    folder = DatasetFolder.open(made)
    assert folder.world == "squares"
    assert json.loads((made / "dataset.json").read_text())["side"] == 5
    code, _, err = storyreel("data", "make", "squares", "-o", tmp_path / "x", "--digits", 1)
    assert code == 2
    assert "the world squares has no such setting" in " ".join(err.replace("│", " ").split())

    query = "squares:?clips=20&side=5&seed=0"
    assert open_dataset(query).all_captions == folder.all_captions
    monkeypatch.setattr("storyreel.data.world_clips.cores", lambda: 1)  # others do not have this file
    short = [f"--set=stages.{stage}.steps=1" for stage in ("tokenizer", "prior")]
    run = ("train", "phenaki_tiny", "--data", query, "-o", tmp_path / "run", *short, "--quiet")
    assert storyreel(*run)[0] == 0

    models = tmp_path / "models"
    with pytest.raises(ValueError, match="is not trained yet; `storyreel evaluate train-judge"):
        importlib.import_module("storyreel.evaluate.judges").load_judge("squares")
    learn = ("evaluate", "train-judge", "--data", query, "-o", models / "judge-squares", "--train-steps", 2)
    assert storyreel(*learn, "--batch", 4, "--quiet")[0] == 0
    assert "Squares are nobody's." in (models / "judge-squares" / "README.md").read_text()
    monkeypatch.setenv("STORYREEL_MODELS", str(models))
    code, said, _ = storyreel("evaluate", made, "--judge", "squares", "--json", "--quiet")
    assert code == 0
    assert {"color", "way"} <= set(json.loads(said)["attributes"])
    code, said, _ = storyreel("evaluate", made, "--real", made, "--metrics", "judge", "--json", "--quiet")
    assert code == 0, said
    assert {"color", "way"} <= set(json.loads(said)["judge"]["attributes"])


def test_lists_of_worlds_have_it(squares, tmp_path):
    from storyreel.data.vocabulary import words_of
    from storyreel.encoder import load_encoder
    from storyreel.evaluate.extractors import names
    from storyreel.evaluate.judge_training import find_classes
    from storyreel.generate.crisp import palette_world
    from storyreel.leaderboard.prompts import prompts_of
    from storyreel.options.leaderboard import LeaderboardOptions

    assert worlds.names() == ["digits", "road", "skies", "sprites", "squares"]
    assert worlds.named_in("godiva_squares") == "squares"
    found = prompts_of(LeaderboardOptions(entries=("a", "b"), out=tmp_path, world="squares", count=4, seed=7), {})
    assert len(found.rows) == 4
    assert {"color", "way"} == set(next(iter(found.expected.values())))
    assert {"square", "leftwards"} <= set(words_of("squares", draws=3))
    with pytest.raises(ValueError, match="encoder_squares --data DIR"):
        load_encoder("squares")
    assert palette_world({"recipe": {"name": "godiva_squares"}}) is None  # it has no palette
    assert list(find_classes(open_dataset("squares:?clips=20", tmp_path))) == ["color", "way"]
    assert "squares-v1" in importlib.reload(importlib.import_module("storyreel.evaluate.extractors")).names()
    importlib.reload(importlib.import_module("storyreel.evaluate.extractors"))
    assert names


def test_declarations_are_whole():
    """Weights and phrases come together; what is judged, drawn or said has values; options say what they are."""
    for name in worlds.names():
        world = worlds.find(name)
        assert world.name == name == world.maker.__name__.lower()
        assert all(setting.metadata["about"] for setting in world.settings.values())
        for attribute in world.attributes.values():
            assert attribute.values
            assert all(value.words for value in attribute.values.values())
            weighed = [value for value in attribute.values.values() if value.weight]
            assert all(value.phrase for value in weighed)
            phrased = any(value.phrase for value in attribute.values.values())
            assert phrased == bool(weighed or (world.complete and attribute is world.attributes["hair_color"]))
        said = world.describe((1, 2, 3), "held_out", world.phrasings[0])
        assert said.prompt
        assert set(said.shows) <= set(world.attributes)
        assert next(iter(world.say(np.random.default_rng(0))))
        if world.palette:
            assert Path(world.palette[0]).is_file()
