"""Headgear drawn onto heads: what is read, where it sits, and what of hair is left."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.generate.vocabulary import note_for
from storyreel.worlds.sprites import WORLD
from storyreel.worlds.sprites_figures import MOVED
from storyreel.worlds.sprites_free_words import TOPPED, TOPPED_LIKE
from storyreel.worlds.sprites_hat_shapes import COLORS, SHAPES
from storyreel.worlds.sprites_hats import Headgear, art, headgear_in, topped
from storyreel.worlds.sprites_parts import ROWS

BODY = (slice(26, 60), slice(22, 42))


def figures(count: int = 8, channels: int = 4) -> np.ndarray:
    """uint8 (f, 64, 64, c): a gray box with brown hair."""
    frames = np.full((count, 64, 64, channels), 0 if channels == 4 else 255, np.uint8)
    frames[:, BODY[0], BODY[1]] = (120, 120, 120, 255)[:channels]
    frames[:, 12:26, 20:44] = (90, 50, 20, 255)[:channels]
    return frames


def headgear(kind: str, action: str = "walk", facing: str = "down", sex: str = "male") -> Headgear:
    return Headgear(kind, kind, "060608 1f1f27 33333f 50505f", sex, "light", action, facing)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a king walking", ("crown", "")),
        ("a man with a silver crown", ("crown", "silver")),
        ("a princess in a straw hat", ("straw hat", "")),
        ("a girl with a flower crown", ("flower wreath", "")),
        ("a viking with a horned helmet", ("horned helmet", "")),
        ("a woman with a red pointed hat", ("witch hat", "red")),
        ("a pointed red hat on a woman", ("witch hat", "red")),
        ("a wizard with a pointy hat", ("wizard hat", "")),
        ("a witch in a purple hat", ("witch hat", "purple")),
        ("a gentleman with a black top hat", ("top hat", "black")),
        ("a wide-brimmed hat", ("cowboy hat", "")),
        ("a man without a crown", ("", "")),
        ("a witch without a hat", ("", "")),
        ("a king in a golden helmet", ("", "")),
        ("a hooded witch", ("hood", "black")),
        ("a monk in a red hood", ("hood", "red")),
        ("a ranger in a green cloak and hood", ("hood", "green")),
        ("a werewolf", ("wolf head", "")),
        ("a nun", ("veil", "black")),
        ("nuns walking", ("veil", "black")),
        ("a nun in a white veil", ("veil", "white")),
        ("a bride with a veil", ("veil", "white")),
        ("a nun with a straw hat", ("straw hat", "")),
        ("a bald nun", ("", "")),
        ("a knight in a chain mail coif", ("", "")),
        ("a bald king", ("", "")),
        ("a man in a green hat", ("", "")),
    ],
)
def test_the_headgear_is_read(prompt: str, expected: tuple[str, str]) -> None:
    assert headgear_in(prompt)[:2] == expected


def test_all_that_can_be_read_has_a_shape_and_its_colors() -> None:
    assert {*TOPPED} == {kind for kind, _ in SHAPES}
    assert {*TOPPED_LIKE} <= {*TOPPED}
    for kind, side in ((kind, side) for kind in TOPPED for side in ("down", "right", "up")):
        top, left, letters = art(kind, side)
        assert {*letters.ravel().tolist()} <= {*COLORS, *"1234."}
        assert 0 <= top < 26
        assert 4 < left < 32


def test_heads_are_moved_in_drawings_that_there_are() -> None:
    assert all(drawing < len(ROWS[action][1]) for (_, action, _), moved in MOVED.items() for drawing in moved)


@pytest.mark.parametrize("prompt", ["a blonde farmer in a straw hat walking", "an old king", "a viking", "a wizard"])
def test_a_model_draws_a_bare_head(prompt: str) -> None:
    named = WORLD.read(prompt)  # pyright: ignore[reportOptionalCall]
    found, over = topped(prompt, {**WORLD.implied(prompt, named), **named})  # pyright: ignore[reportOptionalCall]
    assert "head" not in found
    assert over is not None
    assert topped(prompt, found) == (found, over)


def test_a_hat_hides_hair_and_no_face() -> None:
    frames = figures()
    made = headgear("witch hat")(frames)
    np.testing.assert_array_equal(made[:, 27:], frames[:, 27:])
    hair = (made[..., :3] == (90, 50, 20)).all(-1)
    assert not hair[0, :20].any()
    crowned = headgear("crown")(frames)
    assert (crowned[..., :3] == (90, 50, 20)).all(-1)[:, :16].any()


def test_no_tuft_of_hair_is_before_a_hood_and_a_hand_stays() -> None:
    frames = figures()
    frames[:, 18:26, 40:46], frames[:, 20, 46] = (90, 50, 20, 255), (253, 213, 183, 255)
    frames[:, 22:34, 30:40] = (253, 213, 183, 255)
    made = headgear("hood", facing="right")(frames)
    assert not (made[1, 15:26, 41:43, :3] == (90, 50, 20)).all(-1).any()
    assert (made[1, 20, 46] == frames[1, 20, 46]).all()
    assert tuple(made[1, 25, 40, :3]) == (40, 24, 32), "an outline in place of hair"


@pytest.mark.parametrize("kind", TOPPED)
def test_left_is_right_in_a_mirror(kind: str) -> None:
    right = headgear(kind, "slash", "right", "female")(figures())
    left = headgear(kind, "slash", "left", "female")(figures()[:, :, ::-1])
    np.testing.assert_array_equal(left, right[:, :, ::-1])


@pytest.mark.parametrize(
    ("kind", "lying"), [("top hat", True), ("hood", True), ("witch hat", True), ("crown", True), ("halo", False)]
)
def test_who_lies_has_it_on_upside_down_as_far_as_it_fits(kind: str, lying: bool) -> None:
    frames = figures()
    made = headgear(kind, "hurt")(frames)
    assert (made != frames).any((1, 2, 3)).tolist() == [True] * 7 + [lying]
    if lying:
        rows = np.flatnonzero((made[7] != frames[7]).any((1, 2)))
        assert rows.min() > 32, "where a head lies"
        darkest = (made[7, -1, :, :3] == (6, 6, 8)).all(-1)[made[7, -1, :, 3] > 0]
        assert darkest.all(), "it is not cut, but foreshortened"


def test_a_veil_has_a_white_coif_about_the_face_and_hides_hair() -> None:
    for facing, white in (("down", True), ("left", True), ("up", False)):
        made = headgear("veil", facing=facing, sex="female")(figures())
        assert bool((made[..., :3] == (242, 244, 248)).all(-1).any()) is white, facing
        assert (made[:, 21:25, 30:34, :3] != (90, 50, 20)).any(-1).all(), "no hair above a brow"


def test_without_a_matte_what_was_hair_is_the_background() -> None:
    made = headgear("cowboy hat")(figures(3, channels=3))
    assert (made[0, 12, 20] == 255).all()


def test_frames_of_another_size_stay() -> None:
    frames = np.zeros((8, 32, 32, 4), np.uint8)
    assert headgear("crown")(frames) is frames


@pytest.mark.parametrize(
    ("prompt", "phrase"),
    [
        ("a farmer in a straw hat", "straw hat"),
        ("a man with a halo", "halo"),
        ("a witch in a purple hat", "purple hat"),
        ("a king with a crown", "crown"),
    ],
)
def test_a_note_says_that_it_is_drawn_on(prompt: str, phrase: str) -> None:
    note = note_for([prompt], ["man", "woman"], "phenaki-sprites", WORLD.attributes, WORLD)
    assert note == f"{phrase}: not in this model's world, and drawn onto its clips"


def test_a_tiara_is_lost_in_a_fall_and_a_crown_not() -> None:
    frames = figures()
    assert (headgear("tiara", "hurt")(frames)[:7] != frames[:7]).any((1, 2, 3)).all()
    assert (headgear("tiara", "hurt")(frames)[7] == frames[7]).all()
    assert (headgear("crown", "hurt")(frames)[7] != frames[7]).any()


@pytest.mark.parametrize("facing", ["left", "right", "up"])
def test_a_turban_hides_the_hair_down_to_the_nape(facing: str) -> None:
    made = headgear("turban", "walk", facing)(figures())
    assert ((made != figures()).any(-1) & (np.arange(64) > 28)[:, None]).any()
