"""The crisp step: palette, hard edges, no specks; real clips pass as they are; models declare it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storyreel.clip import Clip
from storyreel.generate.crisp import BACKGROUND, crisp, palette, palette_world, snapped, specks
from storyreel.options.generation import GenerateOptions


def figure() -> np.ndarray:
    """Eight frames of 64x64 RGBA: a square of one color of the palette."""
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 20:40, 20:40, :3] = palette("sprites")[3]
    frames[:, 20:40, 20:40, 3] = 255
    return frames


def test_colors_are_those_of_the_palette():
    noisy = figure()
    rng = np.random.default_rng(0)
    noisy[:, 20:40, 20:40, :3] = rng.integers(0, 256, (8, 20, 20, 3))
    made = crisp(Clip(noisy), "sprites").frames
    colors = {tuple(c) for c in made[made[..., 3] == 255][:, :3].tolist()}
    assert colors <= {tuple(c) for c in palette("sprites").tolist()}
    near = figure()
    near[:, 20:40, 20:40, :3] += (near[:, 20:40, 20:40, :3] < 250).astype(np.uint8)
    assert (crisp(Clip(near), "sprites").frames == figure()).all()


def test_alpha_is_hardened_and_what_is_crisp_stays():
    soft = figure()
    soft[:, 20:40, 20, 3] = 130
    soft[:, 20:40, 41, 3] = 100
    made = crisp(Clip(soft), "sprites").frames
    assert set(np.unique(made[..., 3])) == {0, 255}
    assert (made == figure()).all()
    assert (crisp(Clip(made), "sprites").frames == made).all()


def test_specks_that_no_neighbor_frame_has_are_dropped():
    solid = figure()[..., 3] > 0
    solid[3, 5, 5:8] = True  # three pixels, once
    solid[5, 50, 50:54] = True  # four pixels
    solid[6:8, 10, 10] = True  # one pixel, twice
    solid[0, 19, 19] = True  # hangs together with the figure by a corner
    found = specks(solid)
    assert found.sum() == 3
    assert found[3, 5, 5:8].all()


def test_over_grey_the_background_stays():
    clip = Clip(figure()).over((BACKGROUND,) * 3)
    noisy = clip.frames.copy()
    noisy[2, 3, 3] = 200
    noisy[:, 30, 30] += 2
    made = crisp(Clip(noisy), "sprites").frames
    assert (made == clip.frames).all()


def test_other_sizes_are_left_alone_and_nothing_is_something():
    small = Clip(np.full((2, 16, 16, 3), 77, np.uint8))
    assert crisp(small, "sprites") is small
    empty = Clip(np.zeros((2, 64, 64, 4), np.uint8))
    assert not crisp(empty, "sprites").frames.any()
    assert len(snapped(np.zeros((0, 3), np.uint8), palette("sprites"))) == 0


def test_real_clips_of_the_world_hardly_change(lpc: Path):
    from storyreel.worlds.sprites import Sprites

    world = Sprites(source=lpc)
    for index in range(6):
        clip = world.make(5, index)[0]
        made = crisp(clip, "sprites").frames
        hard = (clip.frames[..., 3] == 255) & (made[..., 3] == 255)
        far = np.abs(clip.frames[hard].astype(int) - made[hard].astype(int))[:, :3].max(1)
        assert (far > 24).mean() < 0.02


def test_models_declare_their_world():
    assert palette_world({"recipe": {"name": "phenaki_sprites"}}) == "sprites"
    assert palette_world({"recipe": {"name": "phenaki_digits"}}) is None
    assert palette_world({"recipe": {"name": "my_own"}, "crisp": "sprites"}) == "sprites"
    assert palette_world({"recipe": {"name": "phenaki_sprites"}, "crisp": ""}) is None
    assert palette_world({}) is None


def test_the_setting_is_kept_in_what_made_a_file():
    assert "crisp" not in GenerateOptions(prompt="a man").as_json()
    assert GenerateOptions(prompt="a man", crisp=False).as_json()["crisp"] is False
    assert GenerateOptions.from_json({"prompt": "a man", "crisp": False}).crisp is False
    with pytest.raises(ValueError, match="crisp"):
        GenerateOptions(prompt="a man", crisp="no")  # pyright: ignore[reportArgumentType]
