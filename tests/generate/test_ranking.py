"""How a world's judge and encoder rank candidates together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

import storyreel
from storyreel import Clip
from storyreel.generate import ranking
from storyreel.generate.ranking import CLOSENESS, AttributeRanker, default_candidates, load_ranker
from storyreel.options.generation import GenerateOptions


class Dark:
    """Ranks by how dark a clip is."""

    name = "dark-v1"

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        return [1 - float(clip.frames.mean()) / 255 for clip in clips]


class Levels:
    """Reads "color" off the red of the first pixel: how likely it is to be red."""

    config = SimpleNamespace(classes={"color": ("red", "blue")})

    def probabilities(self, clips: Iterable[Clip]) -> Iterator[dict[str, dict[str, float]]]:
        for clip in clips:
            red = float(clip.frames[0, 0, 0, 0]) / 255
            yield {"color": {"red": red, "blue": 1 - red}}


def read(prompt: str) -> dict[str, str]:
    return {word: value for word, value in (("color", "red"), ("size", "large")) if value in prompt}


def clips(*levels: int) -> list[Clip]:
    return [Clip(np.full((2, 4, 4, 3), level, np.uint8)) for level in levels]


def test_what_the_prompt_says_counts_most_and_what_the_judge_does_not_know_not_at_all():
    ranker = AttributeRanker(Dark(), Levels(), read)
    assert ranker.rank("a large red ball", clips(255, 51)) == pytest.approx([1.0, 0.2 + CLOSENESS * 0.8])
    assert ranker.name == "dark-v1+judge"


def test_without_a_known_attribute_the_encoder_ranks_alone():
    assert AttributeRanker(Dark(), Levels(), read).rank("a large ball", clips(255, 51)) == pytest.approx([0.0, 0.8])


def test_a_model_of_a_world_is_ranked_by_its_encoder_and_its_judge_and_a_named_encoder_alone(monkeypatch):
    monkeypatch.setattr(ranking, "_load", lambda name: Dark())
    assert load_ranker(None, ["phenaki-sprites"]).name == "dark-v1+judge"
    assert load_ranker("sprites", ["phenaki-sprites"]).name == "dark-v1"
    assert load_ranker(None, ["phenaki-digits"]).name == "dark-v1+judge"
    assert load_ranker(None, ["stylesv-skies"]).name == "dark-v1", "this world has no judge that ranks"
    assert load_ranker(None, ["my model"]).name == "dark-v1"


SPRITES = {"recipe": {"name": "phenaki_sprites"}, "together": 4}


@pytest.mark.parametrize(
    ("name", "info", "count"),
    [
        ("phenaki-sprites", SPRITES, 4),
        ("mine", SPRITES, 4),
        ("mine", SPRITES | {"together": 1}, 1),
        ("mine", {"recipe": {"name": "phenaki_sprites"}}, 1),
        ("mine", SPRITES | {"together": "x"}, 1),
        ("phenaki-digits", {"recipe": {"name": "phenaki_digits"}, "together": 4}, 4),
        ("stylesv-skies", {"recipe": {"name": "stylesv_skies"}, "together": 4}, 1),
        ("mine", {"together": 4}, 1),
    ],
)
def test_four_candidates_where_they_are_made_together_and_a_judge_ranks_them(name, info, count):
    assert default_candidates(name, info) == count


def test_only_a_prompt_alone_gets_candidates_by_default():
    prompt = GenerateOptions.of({"prompt": "an orc"})
    assert prompt.with_candidates(4).candidates == 4
    assert prompt.with_candidates(1) == prompt
    assert GenerateOptions.of({"prompt": "an orc", "candidates": 1}).with_candidates(4).candidates == 1
    story = GenerateOptions.of({"story": [("an orc walks", 1.0)]})
    assert story.with_candidates(4) == story
    first = GenerateOptions.of({"prompt": "an orc", "extend": clips(9)[0]})
    assert first.with_candidates(4) == first


def test_the_shipped_model_ranks_four_and_one_can_be_asked_for():
    model = storyreel.load("phenaki-sprites")
    (clip,) = model("a dark elf in plate armor", steps=2)
    assert (clip.meta["options"]["candidates"], len(clip.meta["candidates"]["scores"])) == (4, 4)
    assert clip.meta["candidates"]["encoder"].endswith("+judge")
    (alone,) = model("a dark elf in plate armor", steps=2, candidates=1)
    assert "candidates" not in alone.meta


def test_the_command_line_ranks_four_too_and_makes_the_same_again(tmp_path, capsys):
    from storyreel.cli import main

    def run(*args: str) -> None:
        with pytest.raises(SystemExit) as done:
            main(["generate", *args, "-q"])
        assert done.value.code == 0

    first, again = tmp_path / "orc.mkv", tmp_path / "again.mkv"
    run("an orc", "-m", "phenaki-sprites", "--steps", "2", "-o", str(first))
    meta = storyreel.read_meta(first)
    assert meta
    assert meta["options"]["candidates"] == 4
    run("--from", str(first), "-o", str(again))
    assert np.array_equal(Clip.open(first).frames, Clip.open(again).frames)
