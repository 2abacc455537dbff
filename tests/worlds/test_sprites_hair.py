"""Hair that is drawn over sprites: ponytails, pigtails, braids and buns, and red hair as people have it."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_beards import bearded
from storyreel.worlds.sprites_copper import with_copper_hair
from storyreel.worlds.sprites_dyes import COPPER, HAIR, RAMPS, dyed, is_copper
from storyreel.worlds.sprites_hair_colors import CROWN, colors_of
from storyreel.worlds.sprites_hairdos import NONE, Hairdo, hairdo_in, without_hairdo
from storyreel.worlds.sprites_hats import topped
from storyreel.worlds.sprites_mends import mended
from storyreel.worlds.sprites_tails import TAILS, tail_of, with_tails

BROWN, SKIN = (120, 60, 20), (253, 213, 183)
SIDES = ("down", "up", "left", "right")


def somebody(hair: tuple[int, int, int] = BROWN) -> np.ndarray:
    """Eight frames of a block of a person with hair on top, on nothing."""
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 14:62, 24:40] = (*SKIN, 255)
    frames[:, 14:28, 24:40, :3] = hair
    return frames


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("an elf with white hair in a ponytail", Hairdo("ponytail", braided=False, long=False)),
        ("a ranger with brown braids", Hairdo("pigtails", braided=True, long=False)),
        ("a woman with a long blonde braid", Hairdo("ponytail", braided=True, long=True)),
        ("a girl with red pigtails", Hairdo("pigtails", braided=False, long=False)),
        ("an old woman with grey hair in a bun", Hairdo("bun", braided=False, long=False)),
        ("a dwarf with a long ginger braid beard", NONE),
        ("a dwarf with a braided beard", NONE),
        ("a woman with long hair", NONE),
    ],
)
def test_a_hairdo_is_read(prompt: str, expected: Hairdo):
    assert hairdo_in(prompt) == expected


def test_a_model_draws_the_head_below_a_hairdo_in_short_hair():
    prompt, worn = "a girl with red pigtails", {"hair_style": "pigtails", "hair_color": "red"}
    assert topped(prompt, worn)[0] == {"hair_style": "plain hair", "hair_color": "red"}
    assert without_hairdo("a girl", worn) == worn, "what was drawn by lot stays"


@pytest.mark.parametrize("facing", SIDES)
@pytest.mark.parametrize("prompt", ["with a ponytail", "with a long braid", "with pigtails", "with braids", "in a bun"])
def test_it_is_drawn_in_every_frame_in_the_color_of_the_head_and_goes_with_it(prompt: str, facing: str):
    said = f"a woman {prompt}" if "with" in prompt else f"a woman with hair {prompt}"
    worn = {"action": "walk", "facing": facing, "sex": "female", "hair_style": "plain hair", "hair_color": "black"}
    made = with_tails(before := somebody(), worn, said)
    changed = (made != before).any(-1)
    assert changed.any((1, 2)).all()
    hair = {tuple(color) for color in colors_of(before, worn, {"left": "right"}.get(facing, facing))}
    drawn = {tuple(color) for color in made[changed][:, :3].tolist()}
    assert len(drawn & hair) >= 3
    assert len({tuple(np.flatnonzero(each.any(1))) for each in changed}) > 1, "it goes up and down with the head"
    assert (made[..., 3][changed] == 255).all()


def test_from_the_left_it_is_as_from_the_right_in_a_mirror_and_two_tails_are_alike():
    worn = {"action": "walk", "sex": "female", "hair_style": "plain hair"}
    right, left = (with_tails(somebody(), {**worn, "facing": f}, "a woman with a ponytail") for f in ("right", "left"))
    ground = somebody()[..., 3] == 0
    assert ((right != somebody()).any(-1) & ground)[0, :, :24].any(), "behind the back"
    assert (left[:, 20:30, 44:] == right[:, 20:30, :20][:, :, ::-1]).all()
    both = with_tails(somebody(), {**worn, "facing": "down"}, "a woman with pigtails")
    there = (both != somebody()).any(-1)[0]
    assert there[:, :24].sum() == there[:, 40:].sum() > 40


def test_nothing_is_drawn_under_a_hood_or_a_helmet_nor_on_orcs():
    worn = {"facing": "right", "hair_style": "ponytail"}
    for more, prompt in (({"head": "metal helmet"}, ""), ({"body": "orc"}, ""), ({}, "a nun in a black hood")):
        assert with_tails(frames := somebody(), {**worn, **more}, prompt) is frames
    bun = {"facing": "right", "hair_style": "long hair in a knot"}
    assert with_tails(frames := somebody(), bun, "a witch with a bun") is frames
    assert with_tails(frames := somebody(), {"hair_style": "plain hair"}, "a woman") is frames


def test_who_has_fallen_keeps_a_ponytail():
    worn = {"action": "hurt", "facing": "down", "sex": "female", "hair_style": "plain hair"}
    made = with_tails(somebody(), worn, "a woman with pigtails")
    assert (made != somebody()).any((1, 2, 3)).all()


def test_shapes_are_rectangles():
    for tail in TAILS.values():
        assert len({len(row) for row in tail.rows(9)}) == 1
        assert set("".join(tail.rows(9))) <= set(".1234tT")
    assert tail_of(Hairdo("pigtails", braided=True, long=False), "up") is TAILS["braids", "up"]


@pytest.mark.parametrize(
    ("prompt", "copper"),
    [
        ("a woman with ginger hair", True), ("a red-haired girl in a crimson dress", True),
        ("a woman with red hair and a scarlet robe", True), ("a man with auburn hair", True),
        ("a girl with crimson hair", False), ("a woman with long bright red hair", False),
        ("a fiery red-haired woman", False), ("her hair is red as blood", False), ("a clown walking", False),
    ],
)  # fmt: skip
def test_red_hair_is_copper_unless_it_is_said_to_be_glaring(prompt: str, copper: bool):
    assert is_copper(prompt) == copper


def test_red_hair_is_dyed_where_nothing_else_is_red_and_on_heads_alone_beside_that():
    (dye,) = dyed("a woman with ginger hair", {"hair_color": "red", "torso": "green dress"})[1]
    made = dye(np.array([(0xE1, 0x29, 0x43), (0xAF, 0x1C, 0x36), (0x9C, 0, 0), (0x9A, 0, 0)], np.uint8))
    assert (made[:3, 1].astype(int) > made[:3, 2]).all(), "no pink"
    assert tuple(made[3]) == (0x9A, 0, 0), "of a red dress"
    assert not dyed("a woman with crimson hair", {"hair_color": "red"})[1]
    assert not dyed("a woman with red hair", {"hair_color": "red", "torso": "red corset"})[1]
    worn = {"hair_color": "red", "torso": "red corset", "action": "walk", "facing": "down"}
    red = somebody((0xAF, 0x1C, 0x36))
    red[:, 45:50, 24:40, :3] = (0xAF, 0x1C, 0x36)
    made = with_copper_hair(red, worn, "a woman with red hair")
    assert (made[:, 14:28] != red[:, 14:28]).any(-1)[:, :, 24:40].all()
    assert (made[:, 45:50] == red[:, 45:50]).all()
    assert with_copper_hair(red, worn, "a woman with scarlet hair") is red
    assert with_copper_hair(red, {**worn, "hair_color": "brown"}, "a woman") is red
    assert HAIR["red"].drawn == "red"


def test_beards_are_copper_and_match_the_hair_of_the_clip():
    worn = {"facial_hair": "red beard", "action": "walk", "facing": "down", "hair_color": "red"}
    made = bearded(before := somebody(), worn, "a ginger dwarf")
    assert {tuple(c) for c in made[(made != before).any(-1)][:, :3].tolist()} == set(rgb(COPPER))
    made = bearded(before, worn, "a dwarf with a crimson beard")
    assert {tuple(c) for c in made[(made != before).any(-1)][:, :3].tolist()} == set(rgb(RAMPS["red"]))
    brown = {**worn, "facial_hair": "brown beard", "hair_color": "brown"}
    made = bearded(before, brown, "a bearded man")
    assert {tuple(c) for c in made[(made != before).any(-1)][:, :3].tolist()} <= set(colors_of(before, brown, "down"))
    made = bearded(before, {**brown, "hair_color": "gray"}, "a man with gray hair and a brown beard")
    assert {tuple(c) for c in made[(made != before).any(-1)][:, :3].tolist()} == set(rgb(RAMPS["brown"]))


def test_a_braided_beard_is_long():
    worn = {"facial_hair": "red beard", "action": "walk", "facing": "right"}
    short, braided = (bearded(somebody(), worn, text) for text in ("a dwarf", "a dwarf with a long ginger braid beard"))
    lowest = [np.flatnonzero((made != somebody()).any((0, 2, 3))).max() for made in (short, braided)]
    assert lowest[1] > lowest[0] + 6


def test_below_a_bandana_hair_has_the_color_of_its_name():
    views = somebody((0xAF, 0x10, 0x0E))
    assert colors_of(views, {"hair_color": "brown", "head": "red bandana"}, "right") == rgb(RAMPS["brown"])
    rows, columns = CROWN["right"]
    views[:, rows, columns, :3] = BROWN
    assert colors_of(views, {"hair_color": "brown"}, "right")[2] == BROWN


def test_all_that_is_mended_has_its_hairdo():
    worn = {"action": "walk", "facing": "up", "sex": "female", "hair_style": "plain hair", "hair_color": "brown"}
    made = mended(somebody(), worn, "a woman with a brown ponytail")
    assert (made != mended(somebody(), worn, "a woman with brown hair")).any((1, 2, 3)).all()


def test_orcs_who_are_said_to_have_a_ponytail_have_one():
    worn = {"body": "orc", "sex": "female", "facing": "up", "hair_style": "plain hair", "hair_color": "black"}
    before = somebody()
    assert (with_tails(before, worn, "an orc with a ponytail") != before).any((1, 2, 3)).all()
    assert with_tails(before, worn, "an orc") is before
    bald = with_tails(before, {**worn, "hair_style": "bald"}, "an orc with a red ponytail")
    assert (bald[..., :3] == rgb(RAMPS["red"])[2]).all(-1).any()
