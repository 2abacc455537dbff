"""Weapons that are drawn into the hands of sprites."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds import find
from storyreel.worlds.sprites_free_words import HELD
from storyreel.worlds.sprites_weapon_shapes import COLORS, POLES, SHAPES
from storyreel.worlds.sprites_weapons import (
    BY_THEIR_NAMES,
    ROOM,
    Arms,
    armed,
    lacking,
    shown_best,
    turned,
    weapon_in,
)

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
    ],
)
def test_the_weapon_is_read(prompt: str, kind: str | None) -> None:
    assert weapon_in(prompt) == kind


def test_all_that_can_be_read_has_a_shape_and_its_colors() -> None:
    assert {*HELD, *BY_THEIR_NAMES} == {*SHAPES}
    assert {*POLES} <= {*SHAPES}
    assert {letter for shape in SHAPES.values() for row in shape.rows for letter in row} <= {*COLORS, "."}


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


@pytest.mark.parametrize("kind", SHAPES)
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


def test_nobody_stabs_with_a_blade_and_who_swings_one_is_seen_from_the_side() -> None:
    found = shown_best("a thief stabbing with a dagger", {"action": "thrust", "facing": "down", "weapon": "dagger"})
    assert found == {"action": "slash", "facing": "right", "weapon": "dagger"}
    named = {"body": "orc", "action": "slash", "facing": "down"}
    assert shown_best("an orc with a sword", named) == named
    seen = {**named, "body": "light"}
    assert shown_best("a knight with a sword, facing the viewer", seen) == seen
    assert armed("a knight with a sword", seen)[0]["facing"] == "down"  # as a sheet has it
    assert armed("a knight with a sword", {"action": "thrust", "facing": "up"})[1] is None


def test_a_stab_is_told_to_be_a_slash_and_a_skirt_has_a_shirt() -> None:
    assert lacking("a thief stabbing with a dagger")["stabbing with a blade"] == "a slash"
    assert not any("blade" in phrase for phrase in lacking("a guard thrusting a spear"))
    farmer = shown_best("a farmer girl in a brown skirt", {"torso": "brown shirt", "legs": "brown skirt"})
    assert farmer["torso"] == "white shirt"
    smith = {"torso": "leather armor", "legs": "brown skirt", "sex": "male"}
    assert shown_best("a blacksmith walking", smith) == {"torso": "white shirt", "legs": "teal pants", "sex": "male"}
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
    for frame in changed[4:]:
        assert not frame[:52].any()
        assert frame[56:].any(), "on the ground"
    assert not changed[4:, *FIGURE].any(), "beside who lies"
