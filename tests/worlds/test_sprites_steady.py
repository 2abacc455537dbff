"""Heads that are the same in all steps of a walk."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.sprites_figures import figures
from storyreel.worlds.sprites_steady import commonest, with_steady_head


def clip(attributes: dict[str, str]) -> np.ndarray:
    """Eight frames of a block whose head is moved as in the drawings, with a stray pixel in each."""
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    for i, (view, _, (down, right)) in enumerate(figures(frames, attributes)):
        view[14 + down : 62, 24 + right : 40 + right] = (120, 60, 20, 255)
        view[20 + down, 26 + right + i] = (220, 200, 60, 255)
    return frames


@pytest.mark.parametrize("facing", ["down", "up", "left", "right"])
@pytest.mark.parametrize("sex", ["male", "female"])
def test_stray_pixels_are_gone_and_heads_stay_where_they_are(sex: str, facing: str) -> None:
    worn = {"body": "light", "sex": sex, "facing": facing, "action": "walk"}
    made = with_steady_head(before := clip(worn), worn)
    assert (made[..., 3] == before[..., 3]).all()
    assert (made[:, 14:36][made[:, 14:36, :, 3] > 0] == (120, 60, 20, 255)).all()


@pytest.mark.parametrize("sex", ["male", "female"])
@pytest.mark.parametrize(
    ("action", "facing"),
    [("slash", "down"), ("slash", "left"), ("slash", "up"), ("thrust", "right"), ("spellcast", "down"),
     ("spellcast", "right")],
)  # fmt: skip
def test_heads_of_who_slashes_thrusts_or_casts_a_spell_are_moved_and_never_changed(
    sex: str, action: str, facing: str
) -> None:
    worn = {"body": "light", "sex": sex, "facing": facing, "action": action}
    before = clip(worn)
    hands = np.zeros(before.shape[:3], bool)
    hands[:, 31:34, :14] = hands[:, 31:34, 50:] = True
    before[hands] = (250, 210, 170, 255)
    made = with_steady_head(before, worn)
    assert (made[..., 3] == before[..., 3]).all()
    assert (made[:, 18:26][made[:, 18:26, :, 3] > 0] == (120, 60, 20, 255)).all(), "stray pixels are gone"
    assert (made[hands] == (250, 210, 170, 255)).all(), "arms stay"


def test_other_actions_and_what_is_carried_high_stay() -> None:
    for more in (
        {"action": "shoot"},
        {"action": "hurt"},
        {"action": "slash", "body": "orc"},
        {"action": "walk", "weapon": "spear"},
    ):
        frames = clip(worn := {"body": "light", "facing": "down"} | more)
        assert with_steady_head(frames, worn) is frames
    frames = clip({})
    assert with_steady_head(frames[:, :32, :32], {}).shape == (8, 32, 32, 4)
    assert with_steady_head(frames[:2], {}).shape == (2, 64, 64, 4)


def test_where_no_color_is_the_commonest_that_of_the_likeliest_picture_is_taken() -> None:
    pictures = np.zeros((3, 1, 3, 1), np.uint8)
    pictures[:, 0, 0, 0] = 1, 2, 3
    pictures[:, 0, 1, 0] = 5, 5, 6
    pictures[:, 0, 2, 0] = 9, 8, 8
    assert commonest(pictures)[0, :, 0].tolist() == [2, 5, 8]
