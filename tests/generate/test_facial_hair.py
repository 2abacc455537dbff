"""Beards that prompts say are in the clip, and its facts say so."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from storyreel.clip import Clip
from storyreel.generate.facial_hair import with_facial_hair
from storyreel.worlds import find

CLIP = Clip(np.full((8, 64, 64, 4), 128, np.uint8), Fraction(8))


def test_a_beard_that_is_said_is_drawn():
    prompt = "a man with a red beard walking toward us"
    made = with_facial_hair(CLIP, find("sprites"), prompt, prompt)
    assert made.meta["bearded"] == "red beard"
    assert (made.frames != CLIP.frames).any((1, 2, 3)).all()
    longer = with_facial_hair(CLIP, find("sprites"), prompt.replace("red", "long red"), prompt)
    assert (longer.frames != CLIP.frames).sum() > 1.4 * (made.frames != CLIP.frames).sum()


@pytest.mark.parametrize("prompt", ["a man walking toward us", "a man with a red beard walking away from us", ""])
def test_nothing_else_changes(prompt: str):
    assert with_facial_hair(CLIP, find("sprites"), prompt, prompt) is CLIP
    assert with_facial_hair(CLIP, find("skies"), prompt, prompt) is CLIP
    assert with_facial_hair(CLIP, None, prompt, prompt) is CLIP
