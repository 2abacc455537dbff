"""What is drawn to be dyed is dyed in the end: in clips, in stories, and not where the prompt goes as it is written."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.clip import Clip
from storyreel.generate.dyeing import dyed
from storyreel.generate.model import load
from storyreel.generate.open_attributes import attributes_of, completed
from storyreel.options.generation import GenerateOptions
from storyreel.worlds import find

WORLD = find("sprites")
DRESS = (1, 107, 71)  # of a green dress


def clip() -> Clip:
    frames = np.zeros((2, 4, 4, 4), np.uint8)
    frames[:, 1:3, 1:3] = (*DRESS, 255)
    return Clip(frames)


def test_a_story_is_of_one_dress():
    told = [("a woman in a yellow dress walking", 1.0), ("she casts a spell", 1.0)]
    options = GenerateOptions.of({"story": told})
    seen, _ = completed(options, WORLD.attributes, 0, 0, WORLD)
    assert all("green dress" in prompt for prompt in seen.prompts)
    made = dyed(clip(), WORLD, " ".join(options.prompts), seen.prompts[0])
    assert {n: c for n, c in made.meta["dyed"].items() if n != "hair_color"} == {"torso": "yellow"}
    red, green, blue = made.frames[0, 1, 1, :3].tolist()
    assert red > green > blue + 50


def test_a_prompt_as_it_is_written_is_not_dyed():
    prompt = "a woman in a yellow dress walking"
    options = GenerateOptions.of({"prompt": prompt, "as_written": True})
    seen, made = completed(options, WORLD.attributes, 0, 0, WORLD)
    assert (seen.prompt, made) == (prompt, {})


@pytest.mark.parametrize("prompt", ["a woman in a green dress walking", "a skeleton walking"])
def test_what_the_sheets_have_is_not_dyed(prompt: str):
    plain = clip()
    assert dyed(plain, WORLD, prompt, prompt) is plain


def test_models_dye_what_they_make():
    model = load("phenaki-sprites")
    assert "torso" in attributes_of(model.info)
    options = {"steps": 1, "candidates": 1, "transparent": True}
    made = model("a man in an orange shirt and black pants walking", **options)[0]
    assert {n: c for n, c in made.meta["dyed"].items() if n != "hair_color"} == {"torso": "orange", "legs": "black"}
    assert "teal shirt" in made.meta["restated"][0]
    plain = model("a man in an orange shirt and black pants walking", as_written=True, **options)[0]
    assert "dyed" not in plain.meta


def test_eyes_are_not_dyed():
    frames = np.zeros((8, 64, 64, 4), np.uint8)
    frames[:, 20:60, 20:44] = (28, 151, 169, 255)  # teal
    made = dyed(Clip(frames), WORLD, "a man in a red shirt walking", "a man wearing a teal shirt walking toward us")
    assert (made.frames[:, 28:32, 28:36] == frames[:, 28:32, 28:36]).all()
    assert (made.frames[:, 45, 30, 0] > made.frames[:, 45, 30, 2]).all()
    behind = dyed(Clip(frames), WORLD, "a man in a red shirt", "a man wearing a teal shirt walking away from us")
    assert (behind.frames[:, 30, 30, 0] > behind.frames[:, 30, 30, 2]).all()
