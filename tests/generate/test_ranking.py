"""How a world's judge and encoder rank candidates together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from storyreel import Clip
from storyreel.generate import ranking
from storyreel.generate.ranking import CLOSENESS, AttributeRanker, load_ranker


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
    assert load_ranker(None, ["phenaki-digits"]).name == "dark-v1", "this world has no judge that ranks"
    assert load_ranker(None, ["my model"]).name == "dark-v1"
