"""The clip: checked when made, never changed, exact to and from tensors."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from storyreel.clip import Clip


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(2, 4, 4), (0, 4, 4, 3), (2, 0, 4, 3), (2, 4, 4, 1), (2, 4, 4, 5)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="frames: expected"):
        Clip(np.zeros(shape, np.uint8))


def test_wrong_dtype_and_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        Clip(np.zeros((1, 2, 2, 3), np.float32))
    for fps in (0, -3):
        with pytest.raises(ValueError, match="fps"):
            Clip(np.zeros((1, 2, 2, 3), np.uint8), Fraction(fps))


def test_frames_cannot_be_changed_and_do_not_follow_the_array_they_came_from() -> None:
    array = noise(2, 4, 4, 3)
    clip = Clip(array)
    before = clip.frames.copy()
    array[:] = 0
    assert (clip.frames == before).all()
    with pytest.raises(ValueError, match="read-only"):
        clip.frames[0, 0, 0, 0] = 1


def test_facts() -> None:
    clip = Clip(noise(12, 4, 6, 4), Fraction(24000, 1001), "a clip")
    assert len(clip) == 12
    assert clip.size == (4, 6)
    assert clip.has_alpha
    assert clip.seconds == pytest.approx(12 * 1001 / 24000)
    assert "6x4 RGBA" in repr(clip)
    assert clip.replace(caption="b").caption == "b"
    assert clip.caption == "a clip"


@pytest.mark.parametrize("channels", [3, 4])
def test_every_pixel_value_survives_the_tensor(channels: int) -> None:
    clip = Clip(noise(3, 16, 16, channels), Fraction(10))
    tensor = clip.to_tensor()
    assert tuple(tensor.shape) == (channels, 3, 16, 16)
    assert float(tensor.min()) >= -1
    assert float(tensor.max()) <= 1
    back = Clip.from_tensor(tensor, 10, "again", seed=1)
    assert (back.frames == clip.frames).all()
    assert (back.caption, back.meta, back.fps) == ("again", {"seed": 1}, Fraction(10))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_broken_tensor_makes_no_clip(bad: float) -> None:
    tensor = Clip(noise(1, 4, 4, 3)).to_tensor()
    tensor[0, 0, 0, 0] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        Clip.from_tensor(tensor)


def test_growing_by_whole_factors_repeats_pixels_and_shrinking_averages() -> None:
    clip = Clip(noise(2, 5, 7, 3))
    grown = clip.resize(15, 14)
    assert (grown.frames[:, ::3, ::2] == clip.frames).all()
    assert (grown.resize(5, 7).frames == clip.frames).all()
    checks = Clip(np.tile(np.array([[0, 255], [255, 0]], np.uint8)[None, :, :, None], (1, 4, 4, 3)))
    assert abs(checks.resize(4, 4).frames.astype(int) - 128).max() <= 1
    assert clip.resize(8, 9).size == (8, 9)


def test_transparent_pixels_do_not_bleed_when_shrunk() -> None:
    frames = np.zeros((1, 2, 2, 4), np.uint8)
    frames[0, 0] = (255, 0, 0, 255)  # the lower row is transparent black
    pixel = Clip(frames).resize(1, 1).frames[0, 0, 0]
    assert pixel[0] >= 250
    assert 126 <= pixel[3] <= 129


@pytest.mark.parametrize(("count", "wanted"), [(8, list(range(8))), (4, [1, 3, 5, 7]), (1, [4]), (16, [0, 0, 1, 1])])
def test_resample_keeps_the_duration(count: int, wanted: list[int]) -> None:
    frames = np.arange(8, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    clip = Clip(frames, Fraction(8))
    again = clip.resample(count)
    assert again.seconds == clip.seconds
    assert again.frames[: len(wanted), 0, 0, 0].tolist() == wanted
    with pytest.raises(ValueError, match="num_frames"):
        clip.resample(0)


def test_over_a_colour() -> None:
    frames = np.zeros((1, 1, 3, 4), np.uint8)
    frames[0, 0] = [(200, 100, 0, 255), (200, 100, 0, 0), (200, 100, 0, 128)]
    flat = Clip(frames).over((128, 128, 128))
    assert not flat.has_alpha
    assert flat.frames[0, 0].tolist() == [[200, 100, 0], [128, 128, 128], [164, 114, 64]]
    assert flat.over((0, 0, 0)) is flat
