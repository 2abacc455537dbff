"""Afros, curls, dreadlocks and mohawks."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.generate.vocabulary import note_for
from storyreel.worlds.sprites import WORLD
from storyreel.worlds.sprites_curls import shades, with_curls
from storyreel.worlds.sprites_hairdos import look_in, named_color, without_hairdo
from storyreel.worlds.sprites_mends import mended

SIDES = ("down", "up", "left", "right")
SAID = {
    "a mercenary with an afro": ("afro", False),
    "a woman with a big black afro": ("afro", False),
    "a man with dreadlocks": ("dreadlocks", False),
    "an orc with a red mohawk": ("mohawk", False),
    "a girl with curly hair": ("curls", False),
    "a girl with long curly red hair": ("curls", True),
    "a girl with a curly ponytail": ("", False),
    "a man with wild hair": ("", False),
    "a woman with long hair": ("", False),
}


def clip() -> np.ndarray:
    """Eight frames of a block of a person with brown hair, on nothing."""
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 14:62, 24:40] = (253, 213, 183, 255)
    frames[:, 14:28, 24:40, :3] = (120, 60, 20)
    return frames


@pytest.mark.parametrize("prompt", SAID)
def test_it_is_read(prompt: str) -> None:
    assert look_in(prompt) == SAID[prompt]
    words = [word for name in WORLD.attributes.values() for value in name.values.values() for word in value.words]
    assert not note_for([prompt], words, "a model", WORLD.attributes, WORLD)


def test_a_model_draws_short_hair_or_none_below_it() -> None:
    worn = {"hair_style": "curly hair", "hair_color": "red"}
    assert without_hairdo("a man with an afro", worn) == {"hair_style": "plain hair", "hair_color": "red"}
    crest = {"hair_style": "mohawk", "hair_color": "red"}
    found = without_hairdo("a man with a red mohawk", crest)
    assert found == {"hair_style": "bald"}
    assert without_hairdo("a man with a red mohawk", found) == found
    assert named_color("a man with a red mohawk") == "red"
    assert named_color("a man with a mohawk") == "black"
    assert without_hairdo("a man", worn) == worn, "what was drawn by lot stays"


@pytest.mark.parametrize("facing", SIDES)
@pytest.mark.parametrize("prompt", [prompt for prompt, (look, _) in SAID.items() if look])
def test_it_is_drawn_in_every_frame_and_goes_with_the_head(prompt: str, facing: str) -> None:
    worn = {"action": "walk", "facing": facing, "sex": "male", "hair_style": "plain hair", "hair_color": "brown"}
    changed = (with_curls(before := clip(), worn, prompt) != before).any(-1)
    assert (changed.sum((1, 2)) > 40).all()
    assert len({tuple(np.flatnonzero(each.any(1))) for each in changed}) > 1


def test_from_the_left_it_is_as_from_the_right_in_a_mirror() -> None:
    worn = {"action": "walk", "hair_style": "plain hair"}
    right, left = (with_curls(clip(), {**worn, "facing": f}, "a man with an afro") for f in ("right", "left"))
    assert (right[..., 3] == left[:, :, ::-1, 3]).all()


def test_faces_stay_free() -> None:
    for look in ("afro", "curls", "dreadlocks", "mohawk"):
        assert not shades(look, "down", False, 0)[27:36, 28:36].any()
        assert not shades(look, "right", False, 0)[27:36, 34:41].any()


def test_hats_and_helmets_hide_it_but_for_dreadlocks() -> None:
    frames, worn = clip(), {"facing": "down", "hair_style": "plain hair"}
    for more, prompt in (
        ({"head": "metal helmet"}, "a knight with an afro"),
        ({}, "a monk with an afro in a hood"),
        ({}, "a witch with a mohawk"),
        ({"head": "red bandana"}, "a pirate with an afro"),
    ):
        assert with_curls(frames, {**worn, **more}, prompt) is frames
    assert (with_curls(frames, worn, "a witch with dreadlocks") != frames).any()
    assert (with_curls(frames, worn, "a king with an afro") != frames).any()
    assert with_curls(frames[:, :32, :32], worn, "a man with an afro").shape == (8, 32, 32, 4)


def test_who_falls_keeps_it() -> None:
    worn = {"action": "hurt", "hair_style": "plain hair", "hair_color": "brown"}
    for prompt in ("a man with an afro", "a man with dreadlocks", "a man with a mohawk"):
        assert (mended(clip(), worn, prompt) != clip()).any((1, 2, 3)).all()


def test_who_lies_has_all_of_it_above_the_lower_edge() -> None:
    worn = {"action": "hurt", "hair_style": "plain hair", "hair_color": "brown"}
    for prompt in ("a man with an afro", "a man with a mohawk", "a man with curly hair"):
        last = with_curls(before := clip(), worn, prompt)[-1]
        changed = (last != before[-1]).any(-1)
        assert changed.sum() > 40
        assert not changed[-1].any()
        assert changed[40:].any()


def test_a_red_mohawk_is_red_and_no_copper() -> None:
    made = with_curls(clip(), {"body": "orc", "facing": "down"}, "a green orc with a red mohawk")
    assert (made[0, ..., :3] == (196, 36, 36)).all(-1).any()
