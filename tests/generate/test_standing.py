"""Who is said to stand: one frame of a walk, held."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from storyreel.clip import Clip
from storyreel.generate.standing import standing
from storyreel.worlds import find

WALK = Clip(np.arange(8, dtype=np.uint8).repeat(64 * 64 * 4).reshape(8, 64, 64, 4), Fraction(8), "a guard")
CAPTION = "a light-skinned man wearing chain mail walking facing {}"


@pytest.mark.parametrize(("facing", "frame"), [("the viewer", 0), ("left", 7), ("right", 7), ("away", 0)])
def test_the_frame_that_stands_is_held(facing: str, frame: int):
    made = standing(WALK, find("sprites"), "an idle guard", CAPTION.format(facing))
    assert (made.frames == WALK.frames[frame]).all()
    assert len(made) == len(WALK)
    assert made.meta["standing"] == frame


@pytest.mark.parametrize(
    ("world", "prompt", "caption"),
    [
        ("sprites", "a guard", CAPTION.format("left")),
        ("sprites", "an idle guard", "a man falling down"),
        ("digits", "an idle guard", "a 3"),
    ],
)
def test_others_stay_as_they_are(world: str, prompt: str, caption: str):
    assert standing(WALK, find(world), prompt, caption) is WALK
    assert standing(WALK, None, prompt, caption) is WALK
