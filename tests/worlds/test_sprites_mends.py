"""What is mended of sprites in motion."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.sprites_mends import mended, mirrored


def clip() -> np.ndarray:
    frames = np.zeros((16, 64, 64, 4), np.uint8)
    frames[:, 15:46, 22:42] = 100
    frames[..., 0] = np.where(
        frames[..., 3] > 0, 10 * np.arange(16)[:, None, None], 0
    )  # each frame in a color of its own
    return frames


@pytest.mark.parametrize("facing", ["down", "left", "right"])
def test_an_orc_keeps_the_head_of_the_first_frame(facing: str) -> None:
    made = mended(clip(), {"body": "orc", "action": "slash", "facing": facing, "hair_style": "messy hair"})
    assert set(np.unique(made[:8, 18:22, 28:36, 0])) == {0}
    assert set(np.unique(made[8:, 18:22, 28:36, 0])) == {80}


def test_a_head_is_moved_as_in_the_drawings() -> None:
    made = mended(clip(), {"body": "red orc", "action": "slash", "facing": "down"})
    tops = [np.flatnonzero(frame[..., 3].any(1))[0] for frame in made[:8]]
    assert tops[0] == 15
    assert max(tops) == 17


@pytest.mark.parametrize(
    "attributes",
    [
        {"body": "light", "action": "thrust", "facing": "up"},
        {"body": "orc", "action": "thrust", "facing": "up"},
        {"body": "orc", "action": "slash", "facing": "up"},
    ],
)
def test_all_else_stays(attributes: dict[str, str]) -> None:
    frames = clip()
    assert mended(frames, attributes) is frames


def test_monsters_who_look_right_are_drawn_looking_left() -> None:
    named = {"body": "orc", "action": "walk", "facing": "right"}
    found, flipped = mirrored("an orc walking right", named)
    assert found == {**named, "facing": "left"}
    assert flipped
    assert mirrored("an orc walking right", found) == (found, True)
    assert mirrored("an orc walking left", {**named, "facing": "left"}) == ({**named, "facing": "left"}, False)
    assert not mirrored("a man walking right", {"body": "light", "action": "walk", "facing": "right"})[1]


@pytest.mark.parametrize("sex", ["male", "female"])
def test_who_falls_keeps_the_head_of_the_first_frame_until_the_face_is_hidden(sex: str) -> None:
    falling = clip()[:8]
    falling[:, 4:15, 22:42] = falling[:, 15:16, 22:42]  # hair that a model leaves above
    made = mended(falling, {"body": "light", "sex": sex, "action": "hurt"})
    assert set(np.unique(made[:5, 30:36, 28:36, 0])) == {0}
    tops = [np.flatnonzero(frame[..., 3].any(1))[0] for frame in made]
    assert tops[4] > tops[3] > tops[1], "it goes down"
    assert (made[5:7] == falling[5:7]).all()


def test_a_skeleton_has_ribs_as_long_as_they_are_seen() -> None:
    made = mended(clip()[:8], {"body": "skeleton", "action": "hurt"})
    changed = (made != clip()[:8]).any(-1)
    assert changed[:5, 43:50].any((1, 2)).all()
    assert not changed[5:7].any()
