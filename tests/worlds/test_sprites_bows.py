"""Bows that are drawn over sprites who shoot."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.worlds.garment_dye import rgb
from storyreel.worlds.sprites_bows import LIGHT, SHAFT, STRING, with_bow, without_bow
from storyreel.worlds.sprites_mends import mended
from storyreel.worlds.sprites_weapons import armed

SIDES = ("down", "up", "left", "right")
SKIN, SHADE, LIT, WOOD = (224, 170, 130), (200, 140, 105), (253, 213, 183), (150, 90, 30)


def archer(channels: int = 4) -> np.ndarray:
    """Sixteen frames of a block of a person with a head of another color in the first, and with a bow of the model's:
    a bar before face and chest in all others, and a piece of it beside."""
    frames = np.zeros((16, 64, 64, 4), np.uint8)
    frames[:, 16:61, 25:38] = (*SKIN, 255)
    frames[:, 28:31, 26:37] = (*SHADE, 255)
    frames[:, 31:34, 26:37] = (*LIT, 255)
    for i in (*range(1, 8), *range(9, 16)):
        frames[i, 10:34, 31:33] = (*WOOD, 255)
        frames[i, 50:54, 44:48] = (*WOOD, 255)
        frames[i, 50:54, 16:20] = (*WOOD, 255)
    if channels == 4:
        return frames
    flat = np.full((16, 64, 64, 3), 128, np.uint8)
    flat[frames[..., 3] > 0] = frames[frames[..., 3] > 0][:, :3]
    return flat


def has(frames: np.ndarray, *colors: str) -> np.ndarray:
    """How many pixels of each frame have one of these colors."""
    return np.any([(frames[..., :3] == rgb(color)[0]).all(-1) for color in colors], 0).sum((1, 2))


def drawn(frames: np.ndarray, attributes: dict[str, str]) -> np.ndarray:
    """As a clip is finished: mended, and in the end with the bow."""
    over = armed("an archer", attributes)[1]
    assert over is not None
    return over(mended(frames, attributes, "an archer"))


@pytest.mark.parametrize("facing", SIDES)
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("who", [{"sex": "male"}, {"sex": "female"}, {"body": "orc"}, {"body": "skeleton"}])
def test_there_is_a_bow_with_a_string_in_all_frames(who: dict[str, str], channels: int, facing: str):
    attributes = {**who, "action": "shoot", "facing": facing}
    made = drawn(archer(channels), attributes)
    assert made.shape == archer(channels).shape
    assert (has(made, LIGHT) >= 10).all()
    assert (has(made, STRING) >= 5).all()
    assert (made == drawn(archer(channels), attributes)).all()
    assert (made[:8] == made[8:]).all()


@pytest.mark.parametrize("facing", SIDES)
def test_the_bow_of_the_model_is_gone_and_the_face_is_that_of_the_first_frame(facing: str):
    given = archer()
    made = without_bow(given, {"action": "shoot", "facing": facing})
    assert (given == archer()).all(), "what is given stays"
    assert (made[:, 16:24] == given[:1, 16:24]).all()
    assert not made[:, :16, :, 3].any()
    right = made[:, :, ::-1] if facing == "left" else made
    beside = right[:, 50:54, 16:20] if facing == "up" else right[:, 50:54, 44:48]
    assert not beside[..., 3].any()


def test_a_string_reaches_from_the_tips_to_the_hand_before_a_face():
    made = with_bow(archer(), {"action": "shoot", "facing": "right"})
    for frame in made[1:6]:
        string = (frame[..., :3] == rgb(STRING)[0]).all(-1)
        assert (string[18:32].sum(1) == 1).all(), "a thin line"
        assert string[28:34, 26:37].any(), "before the face"


def test_from_behind_a_bow_is_upright_and_its_arrow_is_hidden():
    made = with_bow(archer(), {"action": "shoot", "facing": "up"})
    rows, columns = np.nonzero((made[4, ..., :3] == rgb(LIGHT)[0]).all(-1))
    assert np.ptp(rows) > 30
    assert np.ptp(columns) < 6
    assert has(made, SHAFT).sum() == 0


@pytest.mark.parametrize("facing", ["down", "left", "right"])
def test_an_arrow_is_on_the_string_while_it_is_drawn(facing: str):
    given = archer()
    made = with_bow(given, {"action": "shoot", "facing": facing})
    assert (given == archer()).all()
    shafts = has(made, SHAFT)
    assert (shafts[3:6] > 0).all()
    assert shafts[6] == 0


def test_who_looks_left_is_who_looks_right_mirrored():
    seen = {"action": "shoot", "sex": "male"}
    right = mended(archer(), {**seen, "facing": "right"})
    left = mended(archer()[:, :, ::-1].copy(), {**seen, "facing": "left"})
    assert (left == right[:, :, ::-1]).all()


@pytest.mark.parametrize("attributes", [{"action": "walk"}, {"action": "slash", "weapon": "bow"}, {}])
def test_who_does_not_shoot_stays(attributes: dict[str, str]):
    frames = archer()
    assert without_bow(frames, attributes) is frames
    assert with_bow(frames, attributes) is frames


@pytest.mark.parametrize("shape", [(12, 64, 64, 4), (8, 32, 32, 4)])
def test_frames_that_are_no_whole_action_stay(shape: tuple[int, ...]):
    frames = np.zeros(shape, np.uint8)
    for shot in (without_bow, with_bow):
        assert shot(frames, {"action": "shoot", "facing": "right"}) is frames
