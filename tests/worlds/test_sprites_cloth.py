"""What is drawn over sprites: skirts, robes and capes, shields, and the faces of orcs who are seen from the side."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds import find
from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_capes import with_cape
from storyreel.worlds.sprites_cloth import LOWEST, Drape, hang
from storyreel.worlds.sprites_dyes import RAMPS, dyed
from storyreel.worlds.sprites_extras import apron_in, with_extras
from storyreel.worlds.sprites_long_hair import with_long_hair
from storyreel.worlds.sprites_mends import mended
from storyreel.worlds.sprites_orcs import RAMPS as FACES
from storyreel.worlds.sprites_orcs import with_face
from storyreel.worlds.sprites_reader import implied, other_colors, read_freely
from storyreel.worlds.sprites_shields import has_shield, with_shield
from storyreel.worlds.sprites_skirts import ROBE, with_skirt
from storyreel.worlds.sprites_weapons import armed, shown_best
from storyreel.worlds.sprites_wings import with_wings

SKIN, SHIRT = (253, 213, 183), (40, 178, 198)


def somebody(channels: int = 4) -> np.ndarray:
    """Eight frames of a block of a person, of skin with a shirt, on nothing or on gray."""
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 16:62, 24:40] = (*SKIN, 255)
    frames[:, 46:50, 24:40] = (*SHIRT, 255)
    if channels == 4:
        return frames
    flat = np.full((8, 64, 64, 3), 128, np.uint8)
    flat[frames[..., 3] > 0] = frames[frames[..., 3] > 0][:, :3]
    return flat


def has(frame: np.ndarray, color: str) -> np.ndarray:
    """Where a frame has this color."""
    return (frame[..., :3] == rgb(color)[0]).all(-1)


@pytest.mark.parametrize("facing", ["down", "up", "left", "right"])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    ("worn", "hem"), [("torso=green dress", 58), ("torso=green robe", 60), ("legs=brown skirt", 55)]
)
def test_a_skirt_is_whole_to_its_hem_and_sways(worn: str, hem: int, channels: int, facing: str):
    name, _, value = worn.partition("=")
    before = somebody(channels)
    made = with_skirt(before, {name: value, "action": "walk", "facing": facing, "sex": "female"})
    changed = (made != before).any(-1)
    assert changed.any((1, 2)).all()
    assert np.flatnonzero(changed.any((0, 2))).max() == hem
    widths = changed[:, hem - 3].sum(-1)
    assert (widths >= 15).all(), "wider than the legs"
    assert len({tuple(np.flatnonzero(row)) for row in changed[:, hem - 3]}) > 1, "it sways"
    assert (before == somebody(channels)).all(), "what is given stays"


def test_a_robe_is_closed_and_who_wears_none_stays_as_they_are():
    made = with_skirt(somebody(), {"torso": "green robe", "action": "walk", "facing": "down", "sex": "female"})
    chest = made[0, 39:45, 28:36, :3].reshape(-1, 3)
    assert {tuple(color) for color in chest.tolist()} <= {*rgb(ROBE)}
    for attributes in ({"torso": "blue robe"}, {"torso": "white shirt"}, {"torso": "red shirt", "action": "hurt"}):
        assert (with_skirt(somebody(), attributes) == somebody()).all()


def test_a_skirt_sinks_with_who_falls_and_none_hangs_from_who_lies():
    made = with_skirt(somebody(), {"torso": "green dress", "action": "hurt", "sex": "female"})
    changed = (made != somebody()).any((2, 3))
    tops = [int(np.flatnonzero(rows)[0]) for rows in changed if rows.any()]
    assert tops == sorted(tops)
    assert tops[0] < tops[-1]
    assert all(np.flatnonzero(rows)[-1] <= LOWEST for rows in changed if rows.any())
    assert not changed[-1].any()


def test_a_cape_is_before_the_back_behind_the_chest_and_trails():
    seen = {f: with_cape(somebody(), {"cape": "red cape", "facing": f}) for f in ("down", "up", "left", "right")}
    red = {
        f: np.isin(frames[..., 0], [c[0] for c in rgb(RAMPS["red"])]) & (frames[..., 3] > 0)
        for f, frames in seen.items()
    }
    assert not red["down"][:, 44:57, 26:38].any(), "somebody is before it"
    assert red["down"][:, 50, :24].any()
    assert red["down"][:, 50, 40:].any()
    assert red["up"][:, 50, 26:38].all()
    assert red["right"][:, 54, :24].any()
    assert not red["right"][:, 54, 42:].any()
    assert (seen["left"] == seen["right"][:, :, ::-1]).all()
    assert (with_cape(somebody(), {"cape": "wings"}) == somebody()).all()


def test_a_purple_cape_lies_on_shoulders():
    made = with_cape(
        somebody(), {"cape": "lavender cape", "action": "walk", "facing": "down"}, "a king in a purple cape"
    )
    shoulders = made[0, 39:43, 24:26, :3]
    assert (shoulders == rgb(RAMPS["purple"])[3]).all(-1).any()
    assert (made[0, 42, 30:34] == somebody()[0, 42, 30:34]).all(), "a chest is seen"


def test_cloth_behind_somebody_is_seen_on_the_ground_alone():
    frame = somebody()[0]
    hang(frame, Drape(40, 20, 20, 31.5), rgb(RAMPS["red"]), 0, 0.0, behind=np.zeros(4, np.uint8))
    body = somebody()[0][..., 3] > 0
    assert (frame[body] == somebody()[0][body]).all()
    assert frame[50, 20, 3] == 255


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a knight with a sword and a shield", True), ("a guard with a buckler", True), ("a shield-maiden", False),
        ("a soldier without a shield", False), ("an archer", False),
    ],
)  # fmt: skip
def test_a_shield_is_read(prompt: str, expected: bool):
    assert has_shield(prompt) == expected


def test_a_shield_goes_with_a_weapon_and_with_deeds_that_no_sheet_has_one_for():
    _, over = armed("a knight with a sword and a shield walking", {"action": "walk", "facing": "left"})
    assert over is not None
    assert (over.weapon, over.shield, over.kind) == ("longsword", True, "longsword, shield")
    found, over = armed("a soldier with a shield dies", {"action": "hurt", "weapon": "shield"})
    assert over is not None
    assert ("weapon" in found, over.kind) == (False, "shield")
    found, over = armed("a soldier with a shield walking", {"action": "walk", "weapon": "shield"})
    assert (found["weapon"], over) == ("shield", None)


@pytest.mark.parametrize("action", ["walk", "slash", "spellcast", "hurt"])
@pytest.mark.parametrize("facing", ["down", "up", "left", "right"])
def test_a_shield_is_seen_in_all_frames_and_from_behind_beside_its_bearer(action: str, facing: str):
    made = with_shield(somebody(), "male", action, facing)
    wood = np.stack([has(frame, "8a5a30") for frame in made])
    assert wood.any((1, 2)).all()
    if facing == "up" and action != "hurt":
        assert not wood[:, :, 24:40].any()


def test_a_bow_is_carried_and_drawn_over_the_model_s_where_it_shoots():
    found, over = armed("an archer with a bow walking", {"action": "walk", "weapon": "bow", "facing": "right"})
    assert over is not None
    assert ("weapon" in found, over.kind) == (False, "bow")
    made = over(somebody())
    assert all(has(frame, "d8d2c0").sum() > 20 for frame in made), "its string"
    found, over = armed("an archer with a bow", {"action": "shoot", "weapon": "bow"})
    assert over is not None
    assert (found["weapon"], over.kind) == ("bow", "bow")


@pytest.mark.parametrize("body", FACES)
@pytest.mark.parametrize("action", ["walk", "slash", "thrust", "spellcast", "shoot"])
def test_orcs_have_tusks_from_the_side(body: str, action: str):
    attributes = {"body": body, "action": action, "sex": "male"}
    right, left = (with_face(somebody(), {**attributes, "facing": facing}) for facing in ("right", "left"))
    assert all(has(frame, "f4f4ee").sum() >= 2 for frame in right), "eyes, and tusks where no arm is before them"
    assert (left == right[:, :, ::-1]).all() or action == "shoot"
    assert (with_face(somebody(), {**attributes, "facing": "up"}) == somebody()).all()
    assert (with_face(somebody(), {**attributes, "facing": "left", "head": "metal helmet"}) == somebody()).all()


def test_monsters_are_seen_from_the_left_where_nobody_says_from_where():
    assert shown_best("an orc with a spear", {"body": "orc", "facing": "right", "action": "thrust"})["facing"] == "left"
    said = {"body": "orc", "facing": "right", "action": "walk"}
    assert shown_best("an orc walking to the right", said) == said


@pytest.mark.parametrize(
    ("prompt", "skin"),
    [
        ("a zombie walking", "rotten"),
        ("a werewolf", "fur"),
        ("a demon", "red"),
        ("an orc", None),
        ("a wolf man", "fur"),
        ("a werewolf with grey fur", "gray"),
    ],
)
def test_creatures_are_orcs_in_another_skin(prompt: str, skin: str | None):
    assert other_colors(prompt).get("body", ("", None))[1] == skin
    if skin:
        seen = {**implied(prompt, read_freely(prompt)), **read_freely(prompt)}
        assert [dye.color for dye in dyed(prompt, seen)[1] if dye.attribute == "body"] == [skin]


def test_a_suit_has_pants_as_its_jacket_and_robes_are_dyed_from_the_words_of_the_prompt():
    seen = {"torso": "brown tunic", "legs": "teal pants"}
    found, dyes = dyed("a man in a black suit", seen)
    assert {dye.attribute: dye.color for dye in dyes} == {"torso": "black", "legs": "black"}
    again, same = dyed("a man in a black suit", found)
    assert (again, [dye.color for dye in same]) == (found, [dye.color for dye in dyes])
    found, dyes = dyed("a mage in a purple robe", {"torso": "purple robe"})
    assert (found["torso"], [dye.color for dye in dyes]) == ("green robe", ["purple"])
    assert [dye.color for dye in dyed("a mage in a purple robe", found)[1]] == ["purple"]


def test_frames_of_another_size_stay_as_they_are():
    frames = np.zeros((8, 32, 32, 4), np.uint8)
    assert (
        mended(frames, {"torso": "green dress", "cape": "red cape", "body": "orc", "facing": "left"}) == frames
    ).all()


@pytest.mark.parametrize(
    ("prompt", "color"),
    [
        ("a maid in a white apron", "white"), ("a smith with a leather apron", "brown"),
        ("a mother in an apron", "white"), ("a cook in a dirty green apron", "green"), ("a knight", ""),
    ],
)  # fmt: skip
def test_an_apron_is_read(prompt: str, color: str):
    assert apron_in(prompt) == color


@pytest.mark.parametrize("facing", ["down", "up", "left", "right"])
def test_an_apron_and_an_eyepatch_are_drawn_in_all_frames(facing: str):
    worn = {"action": "walk", "facing": facing}
    apron = with_extras(somebody(), worn, "a smith in a red apron")
    assert (apron != somebody()).any((1, 2, 3)).all()
    patch = with_extras(somebody(), worn, "a pirate with an eyepatch")
    assert (patch != somebody()).any((1, 2, 3)).all() == (facing != "up")
    assert with_extras(frames := somebody(), worn, "a pirate") is frames


def test_an_eyepatch_covers_a_whole_eye_and_no_note_misses_it():
    from storyreel.generate.vocabulary import note_for

    for facing, (rows, columns) in {"down": ((29, 32), (26, 29)), "right": ((29, 31), (32, 35))}.items():
        made = with_extras(somebody(), {"action": "spellcast", "facing": facing}, "a pirate with an eye patch")
        eye = made[0, rows[0] : rows[1] + 1, columns[0] : columns[1] + 1, :3]
        assert eye.max() < 70, facing
    world = find("sprites")
    for prompt in ("a pirate with an eyepatch", "a one-eyed pirate", "a pirate with a patch over his left eye"):
        assert note_for([prompt], ["pirate", "left"], "model", world.attributes, world) is None


@pytest.mark.parametrize("facing", ["down", "up", "left", "right"])
@pytest.mark.parametrize("prompt", ["an angel with white wings", "a demon with bat wings"])
def test_wings_are_behind_the_chest_and_before_the_back(prompt: str, facing: str):
    made = with_wings(somebody(), {"action": "walk", "facing": facing}, prompt)
    changed = (made != somebody()).any(-1)
    assert changed.any((1, 2)).all()
    if facing in ("down", "up"):
        assert changed[:, 25:50, 26:38].any() == (facing == "up")
        assert changed[:, 25:50, :24].any((1, 2)).all()
        assert changed[:, 25:50, 40:].any((1, 2)).all()
    assert with_wings(frames := somebody(), {"facing": facing}, "a knight") is frames


def test_capes_and_wings_are_drawn_and_not_asked_of_a_model():
    assert shown_best("a king in a red cape", {"cape": "red cape", "action": "walk"}) == {"action": "walk"}
    assert "cape" not in shown_best("a king in a red cape dies", {"cape": "red cape", "action": "hurt"})
    said = with_cape(somebody(), {"action": "walk", "facing": "up"}, "a king in a red cape")
    assert (said == with_cape(somebody(), {"action": "walk", "facing": "up", "cape": "red cape"})).all()


@pytest.mark.parametrize("facing", ["down", "up", "left", "right"])
def test_long_hair_is_long_in_the_color_of_the_head(facing: str):
    frames = somebody()
    frames[:, 14:28, 24:40, :3] = (120, 60, 20)
    made = with_long_hair(frames, {"hair_style": "very long hair", "facing": facing, "sex": "female"})
    changed = (made != frames).any(-1)
    assert all(np.flatnonzero(each.any(1)).max() >= 52 for each in changed)
    red, green, blue = made[changed][:, :3].astype(int).T
    assert ((red > green) & (green > blue)).all()
    worn = {"hair_style": "long hair", "facing": facing}
    assert with_long_hair(frames, worn, "a nun in a black hood") is frames
    for worn in ({"hair_style": "plain hair"}, {"hair_style": "long hair", "head": "metal helmet"}, {}):
        assert with_long_hair(frames, worn) is frames


def test_white_hair_is_drawn_in_colors_that_are_dyed():
    made = with_long_hair(somebody(), {"hair_style": "long hair", "hair_color": "white", "facing": "up"})
    (dye,) = dyed("a woman with white hair", {"hair_color": "white"})[1]
    hair = made[0, 30:44, 26:38, :3].reshape(-1, 3)
    assert {tuple(color) for color in dye(hair).tolist()} <= {*rgb(RAMPS["white"])} | {
        tuple(color) for color in dye(np.array(dye.colors, np.uint8)).tolist()
    }
    assert (dye(hair) != hair).any(-1).all()


@pytest.mark.parametrize(
    ("prompt", "color"), [("a man in a suit and a blue tie", "blue"), ("a clerk in a black suit", "red")]
)
def test_a_suit_has_a_shirt_and_a_tie(prompt: str, color: str):
    worn = {"action": "walk", "torso": "teal shirt"}
    for facing in ("down", "left", "right"):
        made = with_extras(somebody(), {**worn, "facing": facing}, prompt)
        tie = RAMPS[color].split()[2]
        assert all(has(frame, tie).any() for frame in made)
    assert with_extras(frames := somebody(), {**worn, "facing": "up"}, "a man in a suit of armor") is frames
