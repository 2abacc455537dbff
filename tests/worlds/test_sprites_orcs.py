"""The faces of orcs, drawn over what a model draws of them, and the hair of those who are women."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_hairdos import without_hairdo
from storyreel.worlds.sprites_mends import mended
from storyreel.worlds.sprites_orcs import FACE, FRONT, RAMPS, with_face

WHITE = rgb(RAMPS["orc"])[-1]


def clip() -> np.ndarray:
    """Eight frames of a gray block."""
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 14:62, 24:40] = (120, 120, 120, 255)
    return frames


def whites(frames: np.ndarray) -> list[list[tuple[int, int]]]:
    """Where eyes and tusks are, relative to the first, by frame."""
    places = [np.argwhere((frame[..., :3] == WHITE).all(-1)) for frame in frames]
    return [[tuple(place - each[0]) for place in each] for each in places]


@pytest.mark.parametrize("head", ["bare head", "kettle hat", "leather cap"])
@pytest.mark.parametrize("facing", ["down", "left", "right"])
@pytest.mark.parametrize("sex", ["male", "female"])
def test_a_face_is_the_same_in_all_frames(sex: str, facing: str, head: str) -> None:
    worn = {"body": "orc", "sex": sex, "facing": facing, "head": head, "action": "walk"}
    seen = whites(with_face(clip(), worn))
    assert seen[0]
    assert all(each == seen[0] for each in seen)


def test_under_a_hood_it_is_there_and_under_a_closed_helmet_not() -> None:
    frames, worn = clip(), {"body": "orc", "facing": "right", "hair_style": "plain hair"}
    assert (with_face(frames, worn, "a goblin in a hood") == with_face(frames, {**worn, "hair_style": "bald"})).all()
    assert with_face(frames, {**worn, "head": "metal helmet"}) is frames
    assert with_face(frames, {**worn, "facing": "up"}) is frames


def test_tusks_are_short() -> None:
    for _, _, text in (FACE, *FRONT.values()):
        rows = text.split()
        assert len({len(row) for row in rows}) == 1
        longest = max("".join(column).count("666") for column in zip(*rows, strict=True))
        assert longest == 0


def test_who_falls_keeps_the_face() -> None:
    made = mended(clip(), {"body": "orc", "action": "hurt", "hair_style": "bald"})
    assert [len(each) > 4 for each in whites(made[:4])] == [True] * 4


def test_a_woman_has_hair_unless_more_is_said_of_her_head() -> None:
    her = {"body": "orc", "sex": "female", "head": "bare head"}
    made = without_hairdo("a female orc", her)
    assert made["hair_style"] == "long hair"
    assert without_hairdo("a female orc", made) == made
    for prompt, more in (("a bald female orc", {"hair_style": "bald"}), ("", {"head": "metal helmet"})):
        assert without_hairdo(prompt, {**her, **more}) == {**her, **more}
    assert "hair_style" not in without_hairdo("an orc", {**her, "sex": "male"})
