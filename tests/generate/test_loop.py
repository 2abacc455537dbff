"""`loop`: the part of a clip that can be played round and round, or the clip there and back."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from storyreel import Clip
from storyreel.generate.loop import JUMP, looped


def moving(places: list[float], channels: int = 3) -> Clip:
    """A bright disc at these places of a circle's turn, from 0 to 1."""
    y, x = np.mgrid[0:40, 0:40]
    frames = np.zeros((len(places), 40, 40, channels), np.uint8)
    for frame, turn in zip(frames, places, strict=True):
        cx, cy = 20 + 12 * np.cos(2 * np.pi * turn), 20 + 12 * np.sin(2 * np.pi * turn)
        frame[(x - cx) ** 2 + (y - cy) ** 2 < 30] = 255
    return Clip(frames, Fraction(8))


def jump(clip: Clip) -> float:
    """The step from the last frame to the first, in largest steps within."""
    pixels = clip.frames.astype(np.float32)
    steps = [float(np.sqrt(((b - a) ** 2).mean())) for a, b in pairwise(pixels)]
    return float(np.sqrt(((pixels[-1] - pixels[0]) ** 2).mean())) / max(steps)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_turn_and_a_part_of_the_next_is_cut_to_one_turn(channels: int) -> None:
    clip = looped(moving([i / 24 for i in range(34)], channels))
    assert len(clip) == 24
    assert jump(clip) <= 1.01
    assert clip.meta["looped"]["last"] - clip.meta["looped"]["first"] == 23


def test_a_whole_turn_stays_as_it_is_and_its_first_frame_is_not_shown_twice() -> None:
    whole = moving([i / 24 for i in range(24)])
    assert (looped(whole).frames == whole.frames).all()
    twice = looped(moving([i / 24 for i in range(25)]))
    assert len(twice) == 24


def test_what_does_not_come_back_goes_there_and_back() -> None:
    clip = moving([i / 24 for i in range(10)])
    made = looped(clip)
    assert made.meta["looped"] == {"first": 0, "last": 9, "back": True}
    assert (made.frames == np.concatenate([clip.frames, clip.frames[8:0:-1]])).all()
    assert jump(clip) > JUMP
    assert jump(made) <= 1.01


@pytest.mark.parametrize("count", [1, 2, 5])
def test_short_and_still_clips_loop_already(count: int) -> None:
    clip = moving([0.3] * count)
    assert (looped(clip).frames == clip.frames).all()
