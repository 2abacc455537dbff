"""Garments in colors that no sheet has are drawn in another and dyed; what no garment is stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.generate.dyeing import in_dyes
from storyreel.worlds import find
from storyreel.worlds.sprites_dyes import DRAWN, HEAD, RAMPS, dyed
from storyreel.worlds.sprites_hats import headgear_in
from storyreel.worlds.sprites_parts import BODIES, CAPES, FEET, HEADS, LEGS, TORSOS
from storyreel.worlds.sprites_reader import other_colors, read_freely

TEAL = [(1, 64, 91), (12, 104, 117), (28, 151, 169), (40, 178, 198), (64, 213, 228)]  # of the sheets, dark to light
OTHERS = [(253, 212, 183), (158, 61, 55), (115, 38, 3), (40, 25, 32), (126, 126, 126), (153, 26, 26), (85, 125, 132)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a boy in a green tunic walking", {"torso": ("tunic", "green")}),
        ("a woman in a yellow dress", {"torso": ("dress", "yellow")}),
        ("a man in an orange shirt and black trousers", {"torso": ("shirt", "orange"), "legs": ("pants", "black")}),
        ("a woman in orange walking left", {"torso": ("dress", "orange")}),
        ("a knight in black plate armour", {"torso": ("armor", "black")}),
        ("a ranger in a dark green woolen hood", {"head": ("hood", "green")}),
        ("a woman in a red skirt", {"legs": ("skirt", "red")}),
        ("a demon casting fire", {"body": ("red orc", "red")}),
        ("a blue goblin in a brown shirt", {"body": ("orc", "blue")}),
        ("a green orc", {}),
        ("a red orc", {"body": ("red orc", "red")}),
        ("a man in black leather armor and a brown hood", {}),
        ("a knight in silver armor with golden hair", {}),
        ("a man in a teal shirt and red pants", {}),
        ("a knight", {}),
        ("", {}),
    ],
)
def test_a_garment_in_a_color_that_it_does_not_come_in(prompt: str, expected: dict[str, tuple[str, str]]):
    assert other_colors(prompt) == expected


def test_it_is_drawn_in_another_color_and_dyed():
    prompt = "a boy in a green tunic walking"
    shown, (dye,) = dyed(prompt, {**read_freely(prompt), "torso": "teal shirt"})
    assert shown["torso"] == dye.drawn == "teal shirt"
    assert dyed(prompt, shown) == (shown, [dye]), "the same again"
    shown, (dye,) = dyed("a woman in a yellow dress", {"torso": "white dress", "sex": "female"})
    assert (shown["torso"], dye.color) == ("green dress", "yellow")
    shown, (dye,) = dyed("a woman in a red skirt", {"legs": "red pants", "sex": "female"})
    assert (shown["legs"], dye.color) == ("brown skirt", "red"), "and not in red pants"
    shown, (dye,) = dyed("a knight in black armor", {"torso": "plate armor"})
    assert (shown["torso"], dye.color) == ("plate armor", "black")
    assert dyed("a knight in black armor", {"torso": "red robe"})[1] == []


def test_a_suit_has_black_pants():
    shown, (dye,) = dyed("a butler walking", {"torso": "formal suit", "legs": "red pants"})
    assert (shown["legs"], dye.color) == ("teal pants", "black")
    said = "a butler in red pants walking"
    assert dyed(said, {"torso": "formal suit", "legs": "red pants"})[1] == []


def test_it_is_not_dyed_beside_something_in_the_same_color():
    prompt, shown = "an orc in a yellow robe", {"torso": "white robe", "body": "orc"}
    assert dyed(prompt, shown) == (shown, [])
    both, dyes = dyed("a man in an orange shirt and black pants", {"torso": "white shirt", "legs": "white pants"})
    assert both == {"torso": "teal shirt", "legs": "teal pants"}
    assert [dye.color for dye in dyes] == ["orange", "black"], "the teal of pants is another"


def test_the_pixels_of_the_garment_are_dyed_and_no_others():
    _, (dye,) = dyed("a boy in a green tunic", {"torso": "teal shirt", "legs": "teal pants"})
    frames = np.zeros((1, 1, len(TEAL + OTHERS), 4), np.uint8)
    frames[0, 0, :, :3], frames[..., 3] = TEAL + OTHERS, 200
    out = in_dyes(frames, [dye])
    assert (out[0, 0, len(TEAL) :] == frames[0, 0, len(TEAL) :]).all()
    assert (out[..., 3] == 200).all()
    new = out[0, 0, : len(TEAL), :3].astype(int)
    assert (new[:, 1] > new[:, 0]).all()
    assert (new[:, 1] > new[:, 2]).all(), "it is green"
    assert (np.diff(new.sum(1)) > 0).all(), "what was darker is darker"


def test_the_background_is_not_dyed():
    _, (dye,) = dyed("a knight in black armor", {"torso": "plate armor"})
    frames = np.full((1, 2, 3, 3), 128, np.uint8)
    frames[0, 1, 1] = (134, 126, 127)
    made = in_dyes(frames, [dye])
    assert made[0, 1, 1].max() < 80
    assert (np.delete(made.reshape(-1, 3), 4, 0) == 128).all(), "gray, like steel, but a background"
    matte = np.concatenate([frames, np.zeros((1, 2, 3, 1), np.uint8)], -1)
    assert (in_dyes(matte, [dye]) == matte).all(), "nobody is there"


def test_all_that_is_drawn_to_be_dyed_is_in_the_sheets():
    labels = {part.label for part in (*TORSOS, *LEGS, *FEET, *HEADS, *CAPES)} | set(BODIES)
    kinds = dict.fromkeys(("boots", "slippers"), "shoes")  # which stand in for those
    assert all(drawn.label in labels and drawn.label.endswith(kinds.get(kind, kind)) for kind, drawn in DRAWN.items())
    assert all(len(ramp.split()) == 4 for ramp in RAMPS.values())


def test_a_note_says_that_it_is_dyed():
    from storyreel.generate.vocabulary import note_for

    world = find("sprites")
    note = note_for(["a woman in a yellow dress walking"], ["woman"], "model", world.attributes, world)
    assert note == "yellow dress: not in this model's world; green dress is, and gets dyed"
    note = note_for(["an orc in a yellow robe walking"], ["orc"], "model", world.attributes, world)
    assert note is not None
    assert "yellow robe: not in this model's world" in note


def test_a_hood_goes_with_its_cloak_and_a_blue_dress_is_blue():
    hooded = {"torso": "green robe", "head": "cloth hood"}
    dyes = dyed("a ranger in a green hooded cloak", hooded)[1]
    assert {d.attribute: d.color for d in dyes} == {"head": "green", "torso": "green"}
    monk = dyed("a monk in a brown robe", {"torso": "brown robe", "head": "cloth hood"})[1]
    assert [(d.attribute, d.color) for d in monk] == [("torso", "brown")]
    shared = dyed("a priestess in a white hood and robe", {"torso": "brown robe"})[1]
    assert [(d.attribute, d.color) for d in shared] == [("torso", "white")]
    dress = {"torso": "blue dress"}
    assert [(d.attribute, d.color) for d in dyed("a girl in a blue dress", dress)[1]] == [("torso", "blue")]
    assert not dyed("a girl in a light blue dress", dress)[1]


def test_stray_pixels_of_its_hue_are_dyed_where_nothing_else_has_it():
    stray = np.array([[(10, 130, 140), (100, 150, 155)]], np.uint8)
    frames = np.dstack([stray, np.full((1, 2), 255, np.uint8)])[None]
    _, (dye,) = dyed("a boy in a red shirt", {"torso": "red shirt", "legs": "white pants"})
    assert (in_dyes(frames, [dye])[..., 0] > in_dyes(frames, [dye])[..., 2]).all()
    _, (careful,) = dyed("a boy in a red shirt", {"torso": "red shirt", "legs": "blue pants"})
    assert careful.hues is None
    assert (in_dyes(frames, [careful])[0, 0, 1] == frames[0, 0, 1]).all()


def test_shoes_are_dyed_at_the_feet():
    shown, (dye,) = dyed("a man in red shoes", {"feet": "maroon shoes"})
    assert shown == {"feet": "brown shoes"}
    frames = np.zeros((1, 64, 64, 4), np.uint8)
    frames[:, 10:62, 20:40] = (134, 94, 64, 255)
    changed = (in_dyes(frames, [dye]) != frames).any(-1)
    assert changed[0, 57:62, 20:40].all()
    assert not changed[0, :50].any(), "hair may have the color of shoes"
    assert dyed("a man in red shoes dies", {"feet": "maroon shoes", "action": "hurt"})[1] == []
    assert dyed("a boy in white sneakers", {"feet": "white slippers"})[0] == {"feet": "brown shoes"}


def test_clothes_are_a_shirt_and_pants():
    seen = {"torso": "brown shirt", "legs": "teal pants"}
    shown, dyes = dyed("a woman in black clothes", seen)
    assert shown == {"torso": "teal shirt", "legs": "teal pants"}
    assert [(dye.attribute, dye.color) for dye in dyes] == [("torso", "black"), ("legs", "black")]
    assert [dye.color for dye in dyed("a ninja walking", seen)[1]] == ["black", "black"]


def test_black_leather_goes_with_black_pants_and_green_capes_stay():
    seen = {"torso": "leather armor", "legs": "white pants"}
    shown, dyes = dyed("an assassin in black leather", seen)
    assert shown["legs"] == "teal pants"
    assert {dye.attribute: dye.color for dye in dyes} == {"torso": "black", "legs": "black"}
    assert [dye.attribute for dye in dyed("a rogue in black leather and white pants", seen)[1]] == ["torso"]
    (_, pants) = dyed("a ranger in a green cape and brown leather", seen)[1]
    assert pants.hues is None
    assert headgear_in("an assassin in black leather")[:2] == ("hood", "black")


def test_a_tunic_is_dyed_below_hair_like_it_and_brown_hair_is_brown():
    seen = {"torso": "teal tunic", "hair_color": "blue"}
    (tunic,) = dyed("a woman in a green tunic with blue hair", seen)[1]
    assert (tunic.color, tunic.top) == ("green", HEAD)
    (hair,) = dyed("a man with brown hair", {"hair_color": "brown", "torso": "white shirt"})[1]
    before, after = np.array([[147, 64, 2]], np.uint8), hair(np.array([[147, 64, 2]], np.uint8))
    assert np.ptp(after.astype(int)) < np.ptp(before.astype(int))


def test_hair_is_dyed_before_cloth_that_would_take_it_and_after_cloth_like_it():
    for color, last in (("blonde", False), ("brown", True)):
        dyes = dyed("a woman in black pants", {"legs": "teal pants", "hair_color": color})[1]
        assert (dyes[-1].attribute == "hair_color") is last


def test_a_hood_goes_with_clothes_and_a_green_leather_is_green():
    assert headgear_in("a thief in black clothes and a hood")[:2] == ("hood", "black")
    assert headgear_in("a bald monk in a brown hooded robe")[:2] == ("hood", "brown")
    assert read_freely("an archer in green leather clothes")["torso"] == "leather armor"
    assert read_freely("a mage with blue spiky hair")["hair_color"] == "blue"


def test_dark_elves_are_dark_and_a_purple_shirt_is_no_tabard():
    assert [dye.color for dye in dyed("a drow walking", {"body": "dark elf"})[1]] == ["drow"]
    shown, (shirt,) = dyed("a man in a purple shirt", {"torso": "purple tabard"})
    assert (shown["torso"], shirt.color) == ("teal shirt", "purple")
    assert dyed("a man in a purple tabard", {"torso": "purple tabard"}) == ({"torso": "purple tabard"}, [])
    assert headgear_in("an archer in a chain hood")[0] == ""


def test_a_knight_of_a_color_is_in_armor_of_it():
    for prompt, color in (("a black knight", "black"), ("the dark knight", "black"), ("a red knight walking", "red")):
        (armor,) = dyed(prompt, {"torso": "plate armor", "legs": "metal greaves"})[1]
        assert (armor.drawn, armor.color) == ("plate armor", color)
    assert dyed("an old knight", {"torso": "plate armor"})[1] == []


def test_leather_below_the_hair_and_pale_skin_are_dyed():
    shown, (dye,) = dyed("a rogue in black leather armor", {"torso": "leather armor"})
    assert (shown, dye.color, dye.top) == ({"torso": "leather armor"}, "black", 34)
    _, (skin,) = dyed("a vampire walking", {"body": "light"})
    assert (skin.attribute, skin.color) == ("body", "pale")
    assert dyed("a man walking", {"body": "light"})[1] == []


def test_a_cape_is_seen_before_what_is_worn():
    shown, dyes = dyed("the king in a red cape", {"torso": "red robe", "cape": "red cape"})
    assert shown["torso"] == "green robe"
    assert [dye.color for dye in dyes if dye.attribute == "torso"] == ["purple"]
    said = dyed("a king in a red robe and a red cape", {"torso": "red robe", "cape": "red cape"})[1]
    assert [dye.color for dye in said if dye.attribute == "torso"] == ["red"]
