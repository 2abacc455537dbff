"""Magic at the hands of who casts a spell."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.sprites_spells import spell_in, with_spell


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("a wizard casting a fireball", "fire"),
        ("an ice mage", "ice"),
        ("a necromancer raising the dead", "dark"),
        ("a priest healing somebody", "healing"),
        ("a mage casting a spell", "arcane"),
        ("a firm believer casting a spell", "arcane"),
    ],
)
def test_its_kind_is_read(prompt: str, kind: str) -> None:
    assert spell_in(prompt) == kind


def frames() -> np.ndarray:
    made = np.zeros((8, 64, 64, 4), np.uint8)
    made[:, 14:62, 24:40] = (120, 120, 120, 255)
    return made


@pytest.mark.parametrize("facing", ["down", "up", "right", "left"])
def test_it_is_seen_from_each_side_and_what_came_in_stays(facing: str) -> None:
    before = frames()
    made = with_spell(before, {"action": "spellcast", "facing": facing}, "a mage casting fire")
    changed = (made != before).any(-1)
    assert not changed[0].any(), "it is not lit yet"
    assert changed[4:7].any((1, 2)).all()
    assert (before == frames()).all()
    reds, _, blues, alpha = made[changed].astype(int).T
    assert (reds > blues).mean() > 0.9, "it is a fire"
    assert (alpha == 255).all()


def test_left_is_right_in_a_mirror() -> None:
    right, left = (with_spell(frames(), {"action": "spellcast", "facing": f}, "a mage") for f in ("right", "left"))
    np.testing.assert_array_equal(left, right[:, :, ::-1])


def test_the_hand_that_holds_a_staff_has_none() -> None:
    seen = {"action": "spellcast", "facing": "down"}
    both, one = (with_spell(frames(), seen, prompt) for prompt in ("a mage casting", "a mage with a staff casting"))
    assert (both[5, :, :24] != frames()[5, :, :24]).any()
    assert (one[5, :, :24] == frames()[5, :, :24]).all()
    assert (one[5, :, 40:] != frames()[5, :, 40:]).any()


def test_others_stay() -> None:
    before = frames()
    casting = {"action": "spellcast", "facing": "down"}  # a row of a sheet
    for prompt in ("a knight in full plate", "a boy waving at us", ""):
        assert with_spell(before, casting, prompt) is before
    assert with_spell(before, casting, "a wizard in blue") is not before
    assert with_spell(before, {"action": "walk"}, "a fire mage walking") is before
