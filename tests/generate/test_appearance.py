"""Who a given picture shows is read, said in a sentence and painted; what is no picture of the world is left alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from storyreel.clip import Clip
from storyreel.generate.appearance import appearance_of, of_world
from storyreel.generate.crisp import palette
from storyreel.generate.model import load
from storyreel.generate.registry import find
from storyreel.model_folder import read_model, weights_file
from storyreel.options.generation import GenerateOptions

PAINTS: Any = SimpleNamespace(paints=True, turns=False)
TURNS: Any = SimpleNamespace(paints=True, turns=True)


def picture(colors: np.ndarray | None = None) -> Clip:
    """A square of four colors of the world of sprites."""
    frame = np.zeros((1, 64, 64, 4), np.uint8)
    four = palette("sprites")[[0, 5, 9, 20]] if colors is None else colors
    frame[0, 20:44, 20:44, :3] = four[np.arange(24) // 6][:, None]
    frame[0, 20:44, 20:44, 3] = 255
    return Clip(frame)


def options(**settings: Any) -> GenerateOptions:
    return GenerateOptions.of({"prompt": "walking to the left", "image": picture(), **settings})


def sentence(**settings: Any) -> str:
    """Who the picture shows."""
    return appearance_of(PAINTS, info(), options(**settings), 0, 0)[0]


def info() -> dict[str, Any]:
    return read_model(find("svd-sprites"))


def test_the_sentence_says_what_is_read_of_the_picture_and_what_the_prompt_says():
    said = sentence()
    assert "walking" in said
    assert "left" in said
    assert len(said.split()) > 6
    assert said == sentence()
    alone = sentence(prompt="")
    assert alone
    assert "walking" not in alone, "nobody said what it does"
    robed = sentence(prompt="a woman in a red robe walking")
    assert "red robe" in robed, "the prompt is believed"


def test_whoever_turns_is_described_from_each_side():
    said, views = appearance_of(TURNS, info(), options(prompt="a man in plate armor, facing left"), 0, 0)
    assert said == sentence(prompt="a man in plate armor, facing left")
    assert len(views) == 4
    sides = ("left", "behind", "right", "front")
    assert all(side in view for side, view in zip(sides, views, strict=True)), "a turn begins as the prompt says"
    assert appearance_of(PAINTS, info(), options(), 0, 0)[1] == (), "others have one sentence"


@pytest.mark.parametrize(
    "settings", [{"image": None}, {"crisp": False}, {"image": picture(np.array([[255, 0, 255]] * 4, np.uint8))}]
)
def test_nothing_is_said_without_a_picture_of_the_world(settings: dict[str, Any]):
    assert appearance_of(PAINTS, info(), options(**settings), 0, 0) == ("", ())


def test_nothing_is_said_for_a_system_that_does_not_paint_or_whose_world_has_no_palette():
    assert appearance_of(SimpleNamespace(paints=False), info(), options(), 0, 0) == ("", ())  # pyright: ignore
    assert appearance_of(PAINTS, {**info(), "crisp": ""}, options(), 0, 0) == ("", ())


def test_a_picture_of_another_size_or_without_a_matte_is_seen_as_the_network_sees_it():
    large = picture().replace(frames=picture().frames.repeat(4, 1).repeat(4, 2))
    opaque = picture().frames[..., :3].copy()
    opaque[picture().frames[..., 3] == 0] = 255
    said = sentence()
    assert sentence(image=large) == said
    assert sentence(image=Clip(opaque)) == said


def test_a_picture_is_of_the_world_by_its_colors():
    assert of_world(picture(), "sprites")
    noise = np.random.default_rng(0).integers(0, 256, (4, 3))
    assert not of_world(picture(noise.astype(np.uint8) // 2 + np.array([120, 0, 120], np.uint8)), "sprites")
    assert not of_world(Clip(np.zeros((1, 64, 64, 4), np.uint8)), "sprites"), "nobody is there"


def test_the_video_of_a_picture_is_painted_unless_it_is_wanted_as_it_was_generated():
    model = load("svd-sprites")
    assert model.system.paints
    made, plain = (model(options(steps=1, transparent=True, crisp=crisp))[0] for crisp in (None, False))
    assert made.meta["looks"] == appearance_of(model.system, model.info, options(), 0, 0)[0]
    assert "looks" not in plain.meta
    assert made.frames.shape == plain.frames.shape
    assert (made.frames != plain.frames).any()
    again = model(options(steps=1, transparent=True))[0]
    assert (again.frames == made.frames).all()


def test_the_shipped_turnaround_is_factors_beside_the_networks_of_another_model():
    folder, other = find("svd-turnaround-sprites"), find("svd-sprites")
    components = read_model(folder)["components"]
    own = {name for name, component in components.items() if "of" not in component}
    assert own == {"turnaround"}, "each of the other networks is that of svd-sprites"
    assert all(weights_file(folder, name) == weights_file(other, name) for name in set(components) - own)
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 120_000
    (made,) = load(folder)(options(steps=1, transparent=True))
    assert made.frames.shape == (4, 64, 64, 4)
    assert "looks" in made.meta
