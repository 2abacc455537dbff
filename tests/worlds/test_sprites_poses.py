"""What is seen of a character in each animation of the sprites' sheet."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds import find
from storyreel.worlds.sheet_layout import SheetLayout
from storyreel.worlds.sprites_parts import LEGS, ROWS, TORSOS
from storyreel.worlds.sprites_poses import views


@pytest.fixture(scope="module")
def layout() -> SheetLayout:
    found = find("sprites").sheet
    assert found is not None
    return found


def test_each_step_has_the_frame_that_shows_it(layout: SheetLayout) -> None:
    for action, cycle in layout.actions.items():
        assert cycle.steps == len(ROWS[action][1])
        frames = cycle.frames_of(8)
        assert len(frames) == cycle.steps
        shown = [(2 * i + 1) * cycle.steps // 16 for i in range(8)]  # as `Sprites` resamples the drawn cycle
        for step, frame in enumerate(frames):
            assert abs(shown[frame] - step) == min(abs(other - step) for other in shown)
        if cycle.steps <= 8:
            assert [shown[frame] for frame in frames] == list(range(cycle.steps))


def test_what_cannot_be_seen_is_not_said(layout: SheetLayout) -> None:
    who = {"sex": "female", "body": "light", "eyes": "green", "torso": "plate armor", "cape": "red cape",
           "head": "tiara", "hands": "metal gloves", "legs": "teal pants"}  # fmt: skip
    front, back, fall = (layout.posed(who, *pose) for pose in (("walk", "down"), ("walk", "up"), ("hurt", "down")))
    assert {**who, "action": "walk", "facing": "down"} == front
    assert back == {"sex": "female", "body": "light", "cape": "red cape", "hands": "metal gloves", "action": "walk",
                    "facing": "up"}  # fmt: skip
    assert "hands" not in fall


@pytest.mark.parametrize(
    ("weapon", "seen"),
    [
        ("saber", {"slash": "saber", "shoot": "bow"}),
        ("spear", {"thrust": "spear", "walk": "spear", "shoot": "bow"}),
        ("great bow", {"shoot": "great bow"}),
        (None, {"shoot": "bow"}),
    ],
)
def test_a_weapon_is_seen_where_it_is_drawn(layout: SheetLayout, weapon: str | None, seen: dict[str, str]) -> None:
    who = {"sex": "male"} | ({"weapon": weapon} if weapon else {})
    found = {action: layout.posed(who, action, "down").get("weapon") for action in layout.actions}
    assert {action: held for action, held in found.items() if held} == seen


def test_the_wardrobe_has_every_action(layout: SheetLayout) -> None:
    for seed in range(20):
        who = layout.dressed({"body": "light", "action": "walk"}, np.random.default_rng(seed))
        assert "action" not in who
        for parts, name in ((TORSOS, "torso"), (LEGS, "legs")):
            if name in who:
                of = [part for part in parts if part.label == who[name]]
                assert any(part.suits(who["sex"], action) for part in of for action in ["shoot"])


def test_hair_goes_with_the_beard_and_clothes_say_the_sex(layout: SheetLayout) -> None:
    rng = np.random.default_rng(0)
    assert layout.dressed({"facial_hair": "white beard", "sex": "male"}, rng)["hair_color"] == "white"
    assert layout.dressed({"torso": "green dress"}, rng)["sex"] == "female"
    assert layout.dressed({"torso": "bare chest"}, rng)["sex"] == "male"


def test_each_side_shows_what_is_seen_from_there():
    seen = views({"facing": "left", "body": "light", "facial_hair": "beard", "torso": "plate", "cape": "red"})
    assert [side["facing"] for side in seen] == ["left", "up", "right", "down"]
    assert ["facial_hair" in side for side in seen] == [True, False, True, True]
    assert ["torso" in side for side in seen] == [True, False, True, True], "a cape covers it"
    assert all(side["body"] == "light" for side in seen)
