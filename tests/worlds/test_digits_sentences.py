"""Captions that tell one of two digits, and prompts that are taken apart into such."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from storyreel.generate.open_attributes import completed
from storyreel.generate.vocabulary import note_for
from storyreel.options.generation import GenerateOptions
from storyreel.worlds.digits import MOTIONS, WORLD, Digits
from storyreel.worlds.digits_language import SPEEDS, caption, sentences

PACES = [phrase for forms in SPEEDS.values() for phrase in forms]


def test_every_caption_of_two_digits_is_taken_apart():
    rng = np.random.default_rng(0)
    for number in range(3_000):
        digits = rng.permutation(10)[:2].tolist()
        motions, speeds = (rng.choice(names, 2).tolist() for names in (MOTIONS, list(SPEEDS)))
        text, mentions = caption(digits, motions, speeds, rng, full=number % 4 == 0)
        told = sentences(text)
        wanted = {f"Two digits: digit {d} is moving {m}" for d, m in zip(digits, motions, strict=True)}
        bare = {each.rstrip(".") for each in told}
        bare = {
            next((each.removesuffix(f" {pace}") for pace in PACES if each.endswith(f" {pace}")), each) for each in bare
        }
        assert bare == wanted, text
        assert ("speeds" in mentions) == any(pace in each for each in told for pace in PACES), text


@pytest.mark.parametrize(
    "prompt",
    [
        "", "Digit 3 spins.", "Digit 3 goes up, stays and goes left.", "a 3 and a 5", "A 3 goes up, then a 5.",
        "Digit 1 moves up while digit 10 moves down.",
        "three sevens", "a 3 moves up while a 5 moves left and a 7 moves down", "a cat moves up while a dog moves down",
    ],
)  # fmt: skip
def test_what_says_nothing_of_one_or_two_digits_stays_as_it_is(prompt: str):
    assert list(sentences(prompt)) == [prompt]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("show me a 3 that climbs", "Digit 3 is moving up."),
        ("Digit 3 moves up.", "Digit 3 is moving up."),
        ("a lonely seven drifting back and forth, fast", "Digit 7 is moving left and right fast."),
        ("an eight, first up, then down", "Digit 8 is moving up then down."),
        ("the number 0 goes downward", "Digit 0 is moving down."),
    ],
)
def test_what_is_said_of_one_digit_is_said_as_captions_say_it(prompt: str, said: str):
    assert list(sentences(prompt)) == [said]


def test_the_world_takes_prompts_apart():
    assert WORLD.sentences is not None
    assert list(WORLD.sentences("A seven moves UP slowly while a 2 moves left then right")) == [
        "Two digits: digit 7 is moving up slowly.",
        "Two digits: digit 2 is moving left then right.",
    ]


def test_captions_that_tell_one_of_two():
    clip, row = Digits(captions=5, alone=1.0, doubles=1.0, digits="both").make(3, 1)
    plain, other = Digits(captions=5, doubles=1.0, digits="both").make(3, 1)
    assert (clip.frames == plain.frames).all()
    assert row["captions"][0] == other["captions"][0], "the first is in the papers' words"
    assert row["mentions"][0]
    assert not any(row["mentions"][1:]), "nothing that holds of all of a clip"
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    for text in row["captions"][1:]:
        words = text.lower().replace("two digits", "").replace("one of", "").replace(".", "").split()
        said = {d for d in range(10) if str(d) in words or names[d] in words}
        assert len(said & set(row["attributes"]["digits"])) == 1, text
    single, told = Digits(captions=3, alone=1.0, digits="1").make(3, 1)
    assert all(told["mentions"])
    assert len(single) == 10


def test_a_share_has_a_range():
    with pytest.raises(ValueError, match=r"alone: expected 0 to 1, got 1\.5"):
        Digits(alone=1.5)


@pytest.mark.parametrize(
    ("prompt", "seen"),
    [
        ("a big nine climbs", "Digit 9 is moving up."),
        ("a 2 rises and a 7 falls down slowly", "Digit 2 moves up while digit 7 moves down slowly."),
        ("a nine moves straight up", "a nine moves straight up"),
        ("two digits", "two digits"),
    ],
)
def test_words_that_no_caption_has_are_said_in_those_of_captions(prompt: str, seen: str):
    assert WORLD.reworded
    assert WORLD.reworded(prompt) == seen


def test_what_the_world_reads_is_neither_drawn_nor_unknown():
    options = GenerateOptions.of({"prompt": "a nine climbs"})
    assert completed(options, WORLD.attributes, 3, 0, WORLD) == (replace(options, prompt="Digit 9 is moving up."), {})
    assert note_for(["a nine climbs"], ["nine", "up"], "m", WORLD.attributes, WORLD) is None
    assert "spins" in str(note_for(["a nine spins"], ["nine", "up"], "m", WORLD.attributes, WORLD))
