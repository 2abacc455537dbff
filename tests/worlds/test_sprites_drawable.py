"""What is said of a character who is drawn: nothing that no clip of the world shows together."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.generate.open_attributes import completed
from storyreel.options.generation import GenerateOptions
from storyreel.worlds.sprites import WORLD, draw_character
from storyreel.worlds.sprites_drawable import INSTEAD


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"sex": "male", "torso": "brown tunic"}, {"sex": "male", "torso": "brown shirt"}),
        ({"sex": "male", "feet": "maroon boots"}, {"sex": "male", "feet": "maroon shoes"}),
        ({"sex": "female", "feet": "maroon boots"}, {"sex": "female", "feet": "maroon boots"}),
        ({"sex": "male", "head": "tiara", "hair_color": "red"}, {"sex": "male", "head": "golden helmet"}),
        ({"legs": "brown skirt", "feet": "brown boots"}, {"legs": "brown skirt"}),
        ({"torso": "red robe", "legs": "red pants", "feet": "brown shoes"}, {"torso": "red robe"}),
        ({"torso": "green robe", "action": "shoot"}, {"torso": "green dress", "action": "shoot"}),
        ({"torso": "brown robe", "action": "shoot"}, {"torso": "brown robe", "action": "shoot"}),
    ],
)
def test_it_is_what_comes_nearest(said: dict[str, str], expected: dict[str, str]):
    assert WORLD.drawable
    assert WORLD.drawable(said) == expected


def test_what_the_world_draws_stays_as_it_is():
    assert WORLD.drawable
    for seed in range(400):
        seen = {name: v for name, v in draw_character(np.random.default_rng(seed)).attributes.items() if v}
        assert WORLD.drawable(seen) == seen


def test_a_man_wears_something_in_place_of_most_of_what_only_women_have():
    assert INSTEAD["torso"]["teal tunic"] == "teal shirt"
    assert "red dress" not in INSTEAD["torso"]


def test_the_text_that_the_model_sees_says_it_so():
    options = GenerateOptions.of({"prompt": "a man in brown boots and a teal tunic with a sword"})
    text = completed(options, WORLD.attributes, 0, 0, WORLD)[0].prompt
    assert "dagger" in text  # over which the sword is drawn
    assert "brown shoes" in text
    assert "teal shirt" in text
