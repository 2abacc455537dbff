"""Candidates of two digits, ranked by what a judge finds in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest

from storyreel.clip import Clip
from storyreel.generate.ranking import ThingRanker
from storyreel.worlds.digits import WORLD, Digits


class Alike:
    """An encoder to which all clips are alike but the last, which is a little closer."""

    name = "alike"

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        return [0.5] * (len(clips) - 1) + [0.6]


class Told:
    """A judge that finds what it is told of each clip."""

    def __init__(self, found: list[list[tuple[str, str]]]) -> None:
        self.found = found

    def read(self, clips: Iterable[Clip]) -> Iterator[list[dict[str, str]]]:
        for _, found in zip(clips, self.found, strict=True):
            yield [{"digits": digit, "motions": motion} for digit, motion in found]


PROMPT = "Digit 3 moves up while digit 7 moves left."
SEEN = [
    [("3", "left"), ("7", "up")],  # both there, the motions exchanged
    [("3", "up")],
    [("7", "left"), ("3", "up")],
    [("3", "up"), ("7", "down")],
    [],
]


@pytest.fixture
def clips() -> list[Clip]:
    return [Digits(captions=1).make(0, i)[0] for i in range(len(SEEN))]


def test_the_candidate_with_the_most_things_right_ranks_first(clips: list[Clip]):
    assert WORLD.expected is not None
    scores = ThingRanker(Alike(), Told(SEEN), WORLD.expected).rank(PROMPT, clips)
    assert max(range(len(scores)), key=scores.__getitem__) == 2
    assert min(range(len(scores)), key=scores.__getitem__) == 4
    assert scores[3] > scores[0] > scores[4]


def test_between_equals_the_encoder_decides(clips: list[Clip]):
    assert WORLD.expected is not None
    scores = ThingRanker(Alike(), Told([SEEN[2]] * 5), WORLD.expected).rank(PROMPT, clips)
    assert max(range(5), key=scores.__getitem__) == 4


def test_where_a_prompt_says_of_no_digit_what_it_does_the_encoder_ranks(clips: list[Clip]):
    assert WORLD.expected is not None
    assert ThingRanker(Alike(), Told([]), WORLD.expected).rank("something moves", clips) == Alike().rank("", clips)


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        (PROMPT, {"digits": ["3", "7"], "motions": ["up", "left"]}),
        ("a nine that climbs", {"digits": ["9"], "motions": ["up"]}),
        ("three sevens", {}),
        ("a 3 and a 5", {}),
    ],
)
def test_what_a_prompt_wants(prompt: str, wanted: dict[str, list[str]]):
    assert WORLD.expected is not None
    assert WORLD.expected(prompt) == wanted
