"""Motions are told from tracks: on the world's own tracks, on the pixels of its clips, and under noise."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.clip import Clip
from storyreel.evaluate.trajectory import middle_track, motion_of
from storyreel.worlds.digits import MOTIONS, Digits

FREE = 36.0


def made(world: Digits, count: int):
    for i in range(count):
        clip, row = world.make(5, i)
        yield clip, row["attributes"]


@pytest.mark.parametrize(("frames", "size"), [(10, 64), (20, 64), (10, 32)])
def test_every_motion_of_the_world_is_known_from_its_track(frames, size):
    world = Digits(size=size, frames=frames, digits="2")
    seen = set()
    for _, told in made(world, 150):
        for motion, track in zip(told["motions"], told["centres"], strict=True):
            assert motion_of(np.array(track), size - world.side).name == motion, (motion, track)
            seen.add(motion)
    assert seen == set(MOTIONS)


def test_the_motion_of_one_digit_is_known_from_its_pixels():
    world = Digits(digits="1")
    right = [motion_of(*_track_of(clip)).name == told["motions"][0] for clip, told in made(world, 150)]
    assert np.mean(right) > 0.97


def _track_of(clip: Clip):
    track, weights = middle_track(clip)
    return track, FREE, weights


def test_noise_of_a_pixel_and_a_lost_frame_are_forgiven():
    rng = np.random.default_rng(0)
    right = []
    for _, told in made(Digits(digits="1"), 150):
        track = np.array(told["centres"][0]) + rng.normal(0, 1.0, (10, 2))
        lost = int(rng.integers(10))
        track[lost] = rng.uniform(0, 64, 2)
        right.append(motion_of(track, FREE, np.arange(10) != lost).name == told["motions"][0])
    assert np.mean(right) > 0.97


def test_what_hardly_moves_stands_still():
    track = np.full((10, 2), 30.0) + np.random.default_rng(1).normal(0, 0.5, (10, 2))
    assert motion_of(track, FREE).name == "still"


def test_too_short_a_track_is_refused():
    with pytest.raises(ValueError, match=r"track: expected \(3 or more frames, 2\)"):
        motion_of(np.zeros((2, 2)), FREE)


def test_frames_without_anything_count_for_nothing():
    frames = np.zeros((5, 16, 16, 3), np.uint8)
    frames[2, 4:8, 6:9] = 255
    track, weights = middle_track(Clip(frames))
    assert weights.tolist() == [0, 0, 1, 0, 0]
    assert track[2].tolist() == [7.0, 5.5]
