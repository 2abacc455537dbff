"""Pictures and clips that a generation starts from or ends with: which go together, and which models can follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_model import make_tiny, tiny, tiny_folder  # noqa: F401

from storyreel.clip import Clip
from storyreel.generate.model import load
from storyreel.options.generation import GenerateOptions


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_end": "p.png"}, "image_end: expected an image to begin with as well"),
        ({"backward": True}, "backward: expected an image or a clip to extend"),
        ({"fit": "pad"}, "fit: there is no picture to fit"),
        ({"image": "p.png", "fit": "stretch"}, "fit: expected crop or pad, got 'stretch'"),
        ({"image": "p.png", "variation": "c.gif"}, "variation: image is given as well"),
    ],
)
def test_pictures_that_do_not_go_together(
    settings: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Clip(np.zeros((1, 8, 8, 3), np.uint8)).save("p.png", scale=None)
    Clip(np.zeros((3, 8, 8, 3), np.uint8)).save("c.gif", scale=None)
    with pytest.raises(ValueError, match=said):
        GenerateOptions.of({"prompt": "an orc"} | settings)  # pyright: ignore[reportArgumentType]


def test_what_only_some_models_can_do(tiny: Path, tmp_path: Path):  # noqa: F811
    """A setting is refused by a model that cannot follow it, and followed by one that can."""
    model, picture, clip = (
        load("tiny"),
        Clip(np.zeros((1, 16, 16, 3), np.uint8)),
        Clip(np.zeros((3, 16, 16, 3), np.uint8)),
    )
    for prompt, settings, said in (
        ("an orc", {"image": picture, "image_end": picture}, "image_end: tiny cannot do that"),
        ("an orc", {"extend": clip, "backward": True}, "backward: tiny cannot do that"),
        (None, {"variation": clip}, "variation: tiny cannot do that"),
        (None, {"image": picture}, "prompt: it is empty; expected a sentence"),
    ):
        with pytest.raises(ValueError, match=said):
            model(prompt, **settings)
    able = load(make_tiny(tmp_path / "able", "make_a_video_tiny"))
    (made,) = able(image=picture, image_end=picture, frames=4, fit="pad", steps=1)
    assert len(made) == 4
    assert set(made.meta["options"]) == {"prompt", "frames", "steps", "image", "image_end", "fit"}
    again = GenerateOptions.from_json(made.meta["options"])
    assert again.image_end is not None
    assert again.fit == "pad"
