"""Weapons that are drawn into the hands of sprites."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds import find
from storyreel.worlds.sprites_arms import JOINTS, SWUNG
from storyreel.worlds.sprites_blades import BLADES, nearest_slope
from storyreel.worlds.sprites_claws import fur_in
from storyreel.worlds.sprites_free_words import HELD
from storyreel.worlds.sprites_grips import skin_in, skin_of
from storyreel.worlds.sprites_holds import hold
from storyreel.worlds.sprites_materials import dyes_of, ramp_in
from storyreel.worlds.sprites_parts import ROWS, drawing_at
from storyreel.worlds.sprites_remains import without_weapon
from storyreel.worlds.sprites_still_arms import FAR, NEAR, with_still_arm
from storyreel.worlds.sprites_thrusts import without_pole
from storyreel.worlds.sprites_turning import KINDS, turned
from storyreel.worlds.sprites_weapon_shapes import COLORS, OUTLINE, POLES, SHAPES
from storyreel.worlds.sprites_weapons import BY_THEIR_NAMES, ROOM, Arms, armed, lacking, shown_best, weapon_in

WORLD = find("sprites")
FIGURE = (slice(15, 62), slice(22, 42))


def figures(channels: int = 4) -> np.ndarray:
    frames = np.full((8, 64, 64, channels), 0 if channels == 4 else 255, np.uint8)
    frames[:, FIGURE[0], FIGURE[1]] = (120, 120, 120, 255)[:channels]
    return frames


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("a knight with a sword", "longsword"),
        ("a viking with a battle axe", "battle axe"),
        ("a viking with an axe", "axe"),
        ("a samurai holding a katana", "katana"),
        ("a monk walking with a wooden staff", "quarterstaff"),
        ("a reaper with a scythe", "scythe"),
        ("a sea king with a trident", "trident"),
        ("someone mining", "pickaxe"),
        ("a knight attacking", "longsword"),
        ("a man without a sword", None),
        ("an archer with a bow", "bow"),
        ("a guard with a spear", "spear"),
        ("a girl in a dress", None),
        ("a spearman with a round shield", "spear"),
    ],
)
def test_the_weapon_is_read(prompt: str, kind: str | None) -> None:
    assert weapon_in(prompt) == kind


def test_all_that_can_be_read_has_a_shape_and_its_colors() -> None:
    assert {*HELD, *BY_THEIR_NAMES} == {*KINDS}
    assert {*POLES} <= {*SHAPES}
    assert {letter for shape in SHAPES.values() for row in shape.rows for letter in row} <= {*COLORS, "."}
    assert {letter for blade in BLADES.values() for part in blade[:3] for letter in part} <= {*COLORS}


@pytest.mark.parametrize(
    ("prompt", "action", "drawn", "over"),
    [
        ("a knight with a sword", "slash", "dagger", True),
        ("a knight with a sword", "walk", None, True),
        ("a knight with a sword", "spellcast", None, False),
        ("a farmer with a pitchfork", "thrust", "spear", True),
        ("a farmer with a pitchfork", "walk", None, True),
        ("a farmer with a pitchfork", "hurt", None, True),
        ("a guard with a spear", "thrust", "spear", True),
    ],
)
def test_a_model_draws_what_it_draws_best(prompt: str, action: str, drawn: str | None, over: bool) -> None:
    attributes = {**WORLD.read(prompt), "action": action, "facing": "down"}  # pyright: ignore[reportOptionalCall]
    found, arms = armed(prompt, attributes)
    assert found.get("weapon") == drawn
    assert (arms is not None) == over
    assert armed(prompt, found) == (found, arms)


@pytest.mark.parametrize("kind", KINDS)
def test_a_weapon_is_as_large_however_it_is_turned(kind: str) -> None:
    sizes = [len(turned(kind, (32, 32), degrees, mirrored=False)[0]) for degrees in (0, 45, 90, 135, 180, -90)]
    assert min(sizes) > 20
    assert max(sizes) < 1.35 * min(sizes)


def test_a_sword_is_in_each_frame_and_nothing_else_changes() -> None:
    frames = figures()
    made = Arms("longsword", "dagger", "male", "slash", "right")(frames)
    assert made.shape == (8, 64, 64 + 2 * ROOM, 4)
    changed = (made[:, :, ROOM:-ROOM] != frames).any(-1)
    drawn = (made[..., 3] > 0).sum((1, 2)) - (frames[..., 3] > 0).sum((1, 2)) + changed.sum((1, 2))
    assert (drawn > 80).all()
    assert not changed[:, :26].any()  # the head


def test_left_is_right_in_a_mirror() -> None:
    right = Arms("axe", "dagger", "female", "slash", "right")(figures())
    left = Arms("axe", "dagger", "female", "slash", "left")(figures()[:, :, ::-1])
    np.testing.assert_array_equal(left, right[:, :, ::-1])


def test_from_behind_a_figure_hides_it() -> None:
    frames = figures()
    made = Arms("longsword", None, "male", "walk", "up")(frames)
    beside = (made.shape[2] - 64) // 2
    inner = made[:, :, beside : beside + 64]
    np.testing.assert_array_equal(inner[:, *FIGURE], frames[:, *FIGURE])
    assert (made[..., 3] > 0).sum() > (frames[..., 3] > 0).sum()


def test_without_a_matte_what_is_wider_has_the_background() -> None:
    made = Arms("greatsword", "dagger", "male", "slash", "down")(figures(3))
    assert made.shape[2] == 64 + 2 * ROOM
    assert (made[:, 0] == 255).all()


def test_frames_of_another_size_stay() -> None:
    frames = np.zeros((8, 32, 32, 4), np.uint8)
    assert Arms("axe", "dagger", "male", "slash", "down")(frames) is frames


def test_poles_are_carried_upright_and_staffs_raised() -> None:
    frames = figures()
    for arms in (Arms("spear", None, "female", "walk", "down"), Arms("staff", None, "male", "spellcast", "right")):
        made = arms(frames)
        tall = (made != np.pad(frames, ((0, 0), (0, 0), *[((made.shape[2] - 64) // 2,) * 2], (0, 0)))).any(-1)
        assert (tall.any(2).sum(1) >= 40).all()


def test_blades_are_thrust_to_a_side_and_who_swings_one_is_seen_from_there() -> None:
    stab = "a thief stabbing with a dagger"
    found = shown_best(stab, {"action": "thrust", "facing": "down", "weapon": "dagger"})
    assert found == {"action": "thrust", "facing": "right", "weapon": "dagger"}
    assert not lacking(stab)
    drawn, arms = armed(stab, found)
    assert "weapon" not in drawn, "a model draws a fist"
    assert arms is not None
    made = arms(figures())
    tips = np.flatnonzero((made[5] != 0).any((0, 2)))[-1], np.flatnonzero((made[3] != 0).any((0, 2)))[-1]
    assert tips[0] > tips[1] + 5
    for prompt in ("a thief stabbing with a dagger, facing us", "a viking thrusting an axe"):
        assert shown_best(prompt, {"action": "thrust", "facing": "down"})["action"] == "slash"
        assert "a slash" in lacking(prompt).values()
    monk = shown_best("a monk slashing with a staff", {"action": "slash", "facing": "down"})
    assert monk == {"action": "thrust", "facing": "right"}
    assert "a thrust" in lacking("a monk slashing with a staff").values()
    orc = shown_best("an orc stabbing with a sword", {"body": "orc", "action": "thrust", "facing": "down"})
    assert orc["facing"] == "left"
    named = {"body": "orc", "action": "slash", "facing": "down"}
    assert shown_best("an orc with a sword", named) == named
    seen = {**named, "body": "light"}
    assert shown_best("a knight with a sword, facing the viewer", seen) == seen
    assert armed("a knight with a sword", seen)[0]["facing"] == "down"  # as a sheet has it
    assert armed("a knight with a sword", {"action": "thrust", "facing": "up"})[1] is None


def test_a_stab_is_told_to_be_a_slash_and_a_skirt_has_a_shirt() -> None:
    assert lacking("a thief stabbing with a dagger, facing us")["stabbing with a blade"] == "a slash"
    assert not any("blade" in phrase for phrase in lacking("a thief stabbing with a dagger"))
    assert not any("blade" in phrase for phrase in lacking("a guard thrusting a spear"))
    farmer = shown_best("a farmer girl in a brown skirt", {"torso": "brown shirt", "legs": "brown skirt"})
    assert farmer["torso"] == "white shirt"
    smith = {"torso": "leather armor", "legs": "brown skirt", "sex": "male"}
    dressed = {"torso": "white shirt", "legs": "teal pants", "feet": "black shoes", "sex": "male"}
    assert shown_best("a blacksmith walking", smith) == dressed
    king = shown_best("a king in white pants", {"torso": "red robe", "feet": "brown shoes"})
    assert (king["torso"], king["legs"]) == ("maroon shirt", "white pants")
    assert shown_best("a king in a red robe and white pants", {"torso": "red robe"}) == {"torso": "red robe"}
    scarf = {"head": "red bandana", "hair_style": "bald"}
    assert shown_best("a bald pirate", scarf)["head"] == "bare head"
    assert shown_best("a bald pirate with a bandana", scarf)["head"] == "red bandana"
    assert shown_best("a smith in leather armor", smith)["torso"] == "leather armor"
    maid = shown_best("a maid in an apron", {"torso": "white shirt", "legs": "red pants", "sex": "female"})
    assert (maid["torso"], maid["legs"]) == ("teal shirt", "brown skirt")
    assert shown_best("a zombie walking", {"legs": "red pants"})["legs"] == "teal pants"
    assert shown_best("a zombie in red pants", {"legs": "red pants"})["legs"] == "red pants"
    same = {"torso": "brown shirt", "legs": "brown skirt"}
    assert shown_best("a girl in a brown shirt and a brown skirt", same)["torso"] == "brown shirt"


def test_a_weapon_ends_at_the_bottom() -> None:
    frames = figures()
    for sex in ("male", "female"):
        made = Arms("greatsword", "dagger", sex, "slash", "down")(frames)
        short = Arms("dagger", "dagger", sex, "slash", "down")(frames)
        assert made.shape[1] == 64
        assert ((made[5] != frames[5, 0, 0]).any(-1).sum()) > ((short[5] != frames[5, 0, 0]).any(-1).sum()) + 40


def test_a_hand_in_the_color_of_the_face_holds_what_is_drawn() -> None:
    frames = figures()
    face = np.array([(250, 210, 180), (225, 160, 120), (170, 100, 70)], np.uint8)
    frames[:, 26:38, 24:40, :3] = face[np.arange(12) % 3][:, None]
    for facing in ("down", "right", "left"):
        seen = frames[:, :, ::-1] if facing == "left" else frames
        made = Arms("axe", None, "male", "walk", facing)(seen)
        hands = (made[:, 40:, :, None, :3] == face).all(-1).any(-1)
        assert (hands.sum((1, 2)) == 9).all(), facing


def test_who_falls_drops_what_they_hold() -> None:
    frames = figures()
    made = Arms("longsword", None, "male", "hurt", "down")(frames)
    room = (made.shape[2] - 64) // 2
    changed = (made[:, :, room : room + 64] != frames).any(-1)
    assert changed[0, :50].any(), "in hand"
    assert changed[1, 48:54, 16:22].any(), "in hand, and lower"
    for frame in changed[4:]:
        assert not frame[:52].any()
        assert frame[56:].any(), "on the ground"
    assert not changed[4:, *FIGURE].any(), "beside who lies"


@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 135, 180, -90, -133, -60])
@pytest.mark.parametrize("kind", BLADES)
def test_a_blade_is_whole_and_of_one_width(kind: str, degrees: float) -> None:
    places, colors = turned(kind, (32, 32), degrees, mirrored=False)
    steel = places[(colors != np.frombuffer(bytes.fromhex(OUTLINE), np.uint8)).any(1)]
    slope = np.radians(nearest_slope(degrees))
    along, across = (steel - 32) @ [np.sin(slope), np.cos(slope)], (steel - 32) @ [np.cos(slope), -np.sin(slope)]
    parts = [across[(along > start) & (along < start + 2.5)] for start in (3.5, 5, 6.5)]
    wide = [part.max() - part.min() for part in parts]
    assert min(wide) >= 0.9
    assert max(wide) <= 2 * min(wide) or max(wide) - min(wide) <= 1
    assert max(wide) < 4
    assert len({tuple(p) for p in places.tolist()}) == len(places)
    around = {(r + y, c + x) for r, c in steel.tolist() for y, x in ((0, 1), (1, 0), (0, -1), (-1, 0))}
    assert around <= {tuple(p) for p in places.tolist()}, "within a line"


def test_who_walks_leans_heavy_weapons_back() -> None:
    frames = figures()
    made = Arms("hammer", None, "male", "walk", "right")(frames)
    room = (made.shape[2] - 64) // 2
    changed = (made[:, :, room : room + 64] != frames).any(-1)
    assert not changed[:, 52:].any(), "feet are seen"
    assert not changed[:, 15:37, 22:42].any(), "the head, too"
    assert changed[:, :, :22].any((1, 2)).all()


def test_hands_are_of_the_color_of_whoever_has_them() -> None:
    green = np.zeros((64, 64, 4), np.uint8)
    green[20:40, 20:42] = (40, 150, 60, 255)
    hand = skin_in(green, "right", mirrored=False)
    assert hand is not None
    assert (hand[:, 1] > hand[:, 0]).all()
    assert skin_in(green, "up", mirrored=False) is None
    bones, gloves = skin_of({"body": "skeleton"}), skin_of({"hands": "metal gloves", "body": "light"})
    assert bones
    assert gloves not in ("", bones)
    assert skin_of({"body": "light", "head": "metal helmet"})
    assert not skin_of({"body": "light"})


@pytest.mark.parametrize("facing", ["left", "right"])
def test_two_hands_hold_a_shaft_of_one_color_before_the_body(facing: str) -> None:
    frames = figures()
    made = Arms("spear", "spear", "male", "thrust", facing, skin="0000c0 0000e0 0000ff")(frames)
    room = (made.shape[2] - 64) // 2
    inner = made[:, :, room : room + 64]
    hands = (inner[..., 2] >= 0xC0) & (inner[..., 0] == 0)
    assert (hands.sum((1, 2)) == 18).all()
    changed = (inner != frames).any(-1)
    for frame in changed:
        assert frame[42:48, FIGURE[1]].any(0).all()


@pytest.mark.parametrize(
    ("prompt", "letter", "kind"),
    [
        ("a wizard raising a golden staff", "l", "staff"),
        ("a knight with a silver sword", "w", "longsword"),
        ("a guard with a red spear", "b", "spear"),
        ("a king with a golden trident", "s", "trident"),
        ("a hero with a glowing blue sword", "w", "longsword"),
        ("a dwarf with a golden battle axe", "s", "battle axe"),
    ],
)
def test_a_color_before_a_weapon_is_that_of_its_main_part(prompt: str, letter: str, kind: str) -> None:
    assert weapon_in(prompt) == kind
    assert dyes_of(prompt, kind)[letter] != COLORS[letter]
    frames = figures()
    arms = armed(prompt, {"action": "walk", "facing": "down"})[1]
    plain = armed(" ".join(prompt.split()[:3]) + f" {kind}", {"action": "walk", "facing": "down"})[1]
    assert arms is not None
    assert plain is not None
    assert (arms(frames) != plain(frames)).any()


def test_colors_of_others_are_not_those_of_weapons() -> None:
    for prompt in ("a red knight with a sword", "a man in a blue robe holding a sword", "a black samurai", ""):
        assert ramp_in(prompt) is None
    assert ramp_in("a knight with a red shield and a sword") is None
    assert ramp_in("a knight with a red shield and a sword", shield=True) is not None
    assert armed("an archer with a black bow", {"action": "shoot"}) != armed("an archer", {"action": "shoot"})


def test_a_wand_is_in_the_hand_of_who_casts() -> None:
    frames = figures()
    for facing in ("down", "up", "left", "right"):
        arms = armed("a mage with a wand", {"action": "spellcast", "facing": facing})[1]
        assert arms is not None
        assert arms.kind == "wand"
        made = arms(frames)
        assert (
            (made[:, 10:, :] != np.pad(frames, ((0, 0), (0, 0), *[((made.shape[2] - 64) // 2,) * 2], (0, 0)))[:, 10:])
            .any((1, 2, 3))
            .all()
        )


@pytest.mark.parametrize("facing", ["down", "up", "left", "right"])
@pytest.mark.parametrize("channels", [3, 4])
def test_what_a_model_draws_beside_a_body_goes(facing: str, channels: int) -> None:
    frames = figures(channels)
    dirty = frames.copy()
    dirty[:, 30:32, 60:64, :3] = dirty[:, 30:32, :5, :3] = 90
    dirty[:, 30:32, 60:64, 3:] = dirty[:, 30:32, :5, 3:] = 255
    seen = {"action": "slash", "facing": facing}
    np.testing.assert_array_equal(without_weapon(dirty, seen), frames)
    assert without_weapon(dirty, {"action": "hurt", "facing": facing}) is dirty


@pytest.mark.parametrize("kind", KINDS)
def test_no_weapon_is_cut_at_an_edge(kind: str) -> None:
    for sex in ("male", "female"):
        for action in ("walk", "hurt", "thrust" if kind in POLES else "slash", "thrust" if kind in BLADES else "walk"):
            for facing in ("down", "right", "up"):
                arms = Arms(kind, None, sex, action, facing)
                side = "down" if action == "hurt" else facing
                for drawing in range(len(ROWS[action][1])):
                    held = hold(kind, sex, action, side, drawing)
                    if held is None:
                        continue
                    places = arms._pixels_of(held)[0]  # pyright: ignore[reportPrivateUsage]
                    inside = (places >= [0, -ROOM]) & (places < [64, 64 + ROOM])
                    assert inside.all(), (kind, sex, action, facing, drawing, places.min(0), places.max(0))


@pytest.mark.parametrize("facing", ["down", "right", "left"])
@pytest.mark.parametrize("sex", ["male", "female"])
def test_an_arm_reaches_the_hand_that_slashes(sex: str, facing: str) -> None:
    frames = figures()
    seen = frames[:, :, ::-1] if facing == "left" else frames
    side = "down" if facing == "down" else "right"
    for monster in (True, False):
        made = Arms("longsword", None, sex, "slash", facing, skin="0000c0 0000e0 0000ff", monster=monster)(seen)
        room = (made.shape[2] - 64) // 2
        inner = made[:, :, room : room + 64]
        inner = inner[:, :, ::-1] if facing == "left" else inner
        assert ((inner[..., 2] >= 0xC0) & (inner[..., 0] == 0)).sum((1, 2)).min() >= 15, "a hand"
        for i, frame in enumerate(inner):
            drawing = drawing_at("slash", i, 8)
            hand, joints = SWUNG[sex, side][drawing], JOINTS[sex, side][drawing]
            if joints and hand:
                rows, columns = np.linspace(joints[1], hand, 8).round().astype(int).T
                assert (frame[rows, columns, 3] == 255).all()


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("a werewolf attacking", "claws"),
        ("a bear man fighting", "claws"),
        ("a lizardman attacking", "claws"),
        ("a werewolf with a sword", "longsword"),
        ("a lion knight attacking", "longsword"),
        ("an orc attacking", "longsword"),
        ("a werewolf walking", None),
    ],
)
def test_creatures_have_claws_where_no_weapon_is_said(prompt: str, kind: str | None) -> None:
    assert weapon_in(prompt) == kind


def test_hands_of_creatures_have_the_color_of_their_fur() -> None:
    assert fur_in("a werewolf attacking")
    assert not fur_in("an orc attacking")
    arms = armed("a werewolf attacking", {"action": "slash", "facing": "down", "body": "orc"})[1]
    assert isinstance(arms, Arms)
    assert (arms.skin, arms.monster) == (fur_in("a werewolf attacking"), True)


@pytest.mark.parametrize("facing", ["left", "right"])
def test_arms_that_carry_a_pole_and_a_shield_do_not_swing(facing: str) -> None:
    frames = figures()
    for i in range(8):  # a hand that swings
        frames[i, 36:56, 18 + 2 * abs(i - 4) : 22 + 2 * abs(i - 4), :3] = (250, 10, 10)
    seen = frames[:, :, ::-1] if facing == "left" else frames
    made = with_still_arm(seen, "male", "walk", facing, NEAR)
    made = made[:, :, ::-1] if facing == "left" else made
    assert (made[:, 44:51, 14:36] == frames[3, 44:51, 14:36]).all()
    assert (made[:, :, 36:] == frames[:, :, 36:]).all()
    assert with_still_arm(frames, "male", "slash", facing, FAR) is frames
    assert with_still_arm(frames, "male", "walk", "down", FAR) is frames
    assert with_still_arm(frames[:5], "male", "walk", facing, FAR).shape == frames[:5].shape


@pytest.mark.parametrize("facing", ["down", "up"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_pole_that_is_thrust_to_us_or_away_is_whole_and_ours(facing: str, channels: int) -> None:
    frames = figures(channels)
    dirty = frames.copy()
    dirty[:, 50:52, 46:60, :3], dirty[3:, 2:8, 40:42, :3], dirty[3:, 2:8, 26:28, :3] = 90, 90, 90
    if channels == 4:
        dirty[:, 50:52, 46:60, 3] = dirty[3:, 2:8, 40:42, 3] = dirty[3:, 2:8, 26:28, 3] = 255
    seen = {"action": "thrust", "facing": facing, "sex": "female"}
    clean = without_pole(dirty, seen)
    beside = clean[3:, 50:52, 47:], clean[3:, 2:8, 26:28] if facing == "down" else clean[3:, 2:8, 40:42]
    assert all((each == frames[0, 0, 0]).all() for each in beside)
    assert without_pole(dirty, {**seen, "facing": "left"}) is dirty
    made = Arms("spear", "spear", "female", "thrust", facing, skin="0000c0 0000e0 0000ff")(frames)
    room = (made.shape[2] - 64) // 2
    changed = (made[:, :, room : room + 64] != frames).any(-1)
    assert (changed[3:].any(2).sum(1) > 20).all()
    hands = (made[..., 2] >= 0xC0) & (made[..., 0] == 0)
    assert (hands.sum((1, 2)) >= 20).all() == (facing == "down")
