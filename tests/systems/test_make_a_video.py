"""Make-A-Video: what a request becomes, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from make_a_video_tiny import MAKES, NAMES, TEXT, generate, make, picture, tiny, video_stage
from torch import Tensor

from storyreel import recipes
from storyreel.clip import Clip
from storyreel.model import load_model, save_model
from storyreel.systems.base import Progress, Request
from storyreel.systems.make_a_video import MakeAVideo, MakeAVideoConfig
from storyreel.systems.make_a_video_prior import ImageTextStage
from storyreel.train.frozen_encoders import encoder_tensors


@pytest.fixture(scope="module")
def model() -> MakeAVideo:
    return make()


@pytest.fixture
def changed(model: MakeAVideo) -> Iterator[MakeAVideo]:
    """The same model for a test that does something to its weights."""
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    yield model
    model.load_state_dict(kept)


def test_a_prompt_gives_a_video_of_the_last_shape(model: MakeAVideo):
    told: list[Progress] = []
    clip = model.generate(Request.of(prompt="a cat"), TEXT, told.append)
    assert clip.frames.shape == (6, 16, 16, 3)
    assert (clip.fps, clip.caption) == (6, "a cat")
    assert [(p.done, p.total) for p in told] == [(i + 1, 16) for i in range(16)]
    assert list(dict.fromkeys(p.what for p in told)) == MAKES
    assert told[0].preview is not None
    assert told[0].preview().frames.shape == (3, 8, 8, 3)


def test_seed_index_and_prompt_decide(model: MakeAVideo):
    clip = generate(model, prompt="a cat", seed=3, index=1)
    assert np.array_equal(clip.frames, generate(model, prompt="a cat", seed=3, index=1).frames)
    assert not np.array_equal(clip.frames, generate(model, prompt="a cat", seed=3, index=2).frames)
    assert not np.array_equal(clip.frames, generate(model, prompt="a dog", seed=3, index=1).frames)


def test_any_prefix_of_the_cascade_is_a_product(model: MakeAVideo):
    shapes = [model.make(Request.of(prompt="a", steps=1), TEXT, upto=n).frames.shape[:2] for n in MAKES]
    assert shapes == [(3, 8), (6, 8), (6, 12), (6, 16)]
    with pytest.raises(ValueError, match=r"stage: expected one of decoder_video, .*, got 'sr_x'"):
        model.make(Request.of(prompt="a", steps=1), TEXT, upto="sr_x")
    with pytest.raises(ValueError, match="stage: a picture or a clip does not pass through 'decoder_video'"):
        model.make(Request.of(image=picture(), steps=1), TEXT, upto="decoder_video")


@pytest.mark.parametrize(
    ("wish", "frames"),
    [
        ({"prompt": "a cat", "frames": 2}, 2),
        ({"prompt": "a cat", "frames": 15}, 15),
        ({"image": picture()}, 6),
        ({"image": picture(), "prompt": "a cat", "frames": 9}, 9),
        ({"image": picture(), "backward": True, "frames": 8}, 8),
        ({"image": picture(), "image_end": picture(1), "frames": 4}, 4),
        ({"extend": picture(frames=5), "frames": 7}, 7),
        ({"extend": picture(frames=5), "backward": True}, 6),
        ({"variation": picture(frames=5)}, 6),
    ],
)
def test_what_can_be_asked_for(model: MakeAVideo, wish: dict[str, Any], frames: int):
    told: list[Progress] = []
    clip = model.generate(Request.of(steps=1, **wish), TEXT, told.append)
    assert clip.frames.shape == (frames, 16, 16, 3)
    assert [p.done for p in told] == list(range(1, told[-1].total + 1))


def low_of(model: MakeAVideo, **wish: Any) -> np.ndarray:
    """The small frames of a request, in which what was known is as it was."""
    return model.make(Request.of(**({"steps": 1} | wish)), TEXT, upto="interpolation").frames


def test_known_pictures_stand_where_they_were_asked_for(model: MakeAVideo):
    flat = [Clip(np.full((1, 16, 16, 3), value, np.uint8)) for value in (40, 200)]
    assert (low_of(model, image=flat[0])[0] == 40).all()
    assert (low_of(model, image=flat[0], backward=True)[-1] == 40).all()
    both = low_of(model, image=flat[0], image_end=flat[1], frames=5)
    assert (both[0] == 40).all()
    assert (both[-1] == 200).all()
    long = Clip(np.repeat(np.array([10, 20, 200, 40], np.uint8), 16 * 16 * 3).reshape(4, 16, 16, 3))
    ahead, back = low_of(model, extend=long, frames=3), low_of(model, extend=long, frames=3, backward=True)
    assert not any((frame == v).all() for frame in (*ahead, *back) for v in (10, 20, 200, 40)), "only what is new"


def test_a_variation_is_of_the_mean_embedding(model: MakeAVideo, monkeypatch: pytest.MonkeyPatch):
    seen: list[Tensor] = []
    stage = video_stage(model)
    sample = stage.sample
    monkeypatch.setattr(stage, "sample", lambda cond, **more: seen.append(cond["embedding"]) or sample(cond, **more))
    clip = picture(frames=4)
    generate(model, variation=clip)
    each = model.encoder.images(clip.to_tensor()[None])
    torch.testing.assert_close(seen[0], torch.nn.functional.normalize(each.mean(1), dim=-1) * 4)


def test_a_picture_of_another_aspect_is_cut_or_padded(model: MakeAVideo):
    tall = Clip(np.full((1, 32, 16, 3), 250, np.uint8))
    assert (low_of(model, image=tall)[0] == 250).all()
    padded = low_of(model, image=tall, fit="pad")[0]
    assert (padded[:, 2:6] == 250).all()
    assert (padded[:, [0, 1, 6, 7]] == 128).all()
    matted = make(channels=4)
    assert generate(matted, image=tall, fit="pad", transparent=True).frames.shape == (6, 16, 16, 4)


def test_it_is_saved_and_loaded(model: MakeAVideo, tmp_path: Path):
    recipe = recipes.get("make_a_video_tiny")
    save_model(tmp_path / "m", model, recipe=recipe, card="", training={})
    again, loaded, told = load_model(tmp_path / "m")
    assert isinstance(again, MakeAVideo)
    assert loaded.system == recipe.system
    assert list(told["components"]) == NAMES
    rounded = make()
    with torch.no_grad():
        for p in rounded.parameters():
            p.copy_(p.half())
    ours, theirs = (generate(m, prompt="a cat").frames.astype(int) for m in (rounded, again))
    assert np.abs(ours - theirs).max() <= 3


def test_the_encoder_is_taken_by_name_and_digest():
    """The shipped model's: what it says of a picture and of a sentence is what the encoder itself says."""
    from storyreel.encoder import as_frames, load_encoder

    config = recipes.get("make_a_video_sprites").system
    assert isinstance(config, MakeAVideoConfig)
    stage = ImageTextStage(config.encoder)
    stage.take(*encoder_tensors(stage.weights_from))
    encoder, clip = load_encoder("sprites"), picture(size=(64, 64))
    told = encoder.frame_embeddings(as_frames(clip)[None])
    torch.testing.assert_close(stage.images(clip.to_tensor()[None]) / stage.dim**0.5, told, atol=1e-4, rtol=1e-3)
    states, mask = torch.randn(2, 5, 384), torch.ones(2, 5, dtype=torch.bool)
    torch.testing.assert_close(stage.texts(states, mask) / stage.dim**0.5, encoder.net.text(states, mask))
    other = ImageTextStage(replace(config.encoder, sha256="f00"))
    with pytest.raises(ValueError, match="encoder 'encoder-sprites': is another than the recipe's"):
        other.take(*encoder_tensors(other.weights_from))


# -- what is refused -------------------------------------------------------------------------------------------


def test_the_weights_of_another_cascade_are_refused_by_digest(changed: MakeAVideo):
    other = make(encoder=replace(tiny().encoder, sha256="f00"))
    for name, said in (
        ("prior", "stage 'prior': its weights are of another stage or of another cascade"),
        ("sr_l_video", "stage 'sr_l_video': its weights are of another stage or of another cascade"),
    ):
        stage: Any = changed.stages[name]
        stage.fingerprint.copy_(other.stages[name].fingerprint)  # pyright: ignore
        with pytest.raises(ValueError, match=said):
            generate(changed, prompt="a cat")
        with pytest.raises(ValueError, match=said):
            stage.notes()
        stage.fingerprint.copy_(torch.tensor(list(stage._expected), dtype=torch.uint8))
    assert len(generate(changed, prompt="a cat")) == 6


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"prompt": "a", "steps": 0}, "steps: expected a whole number from 1 to 10000, got 0"),
        ({"prompt": "a", "guidance": -1.0}, "guidance: expected a number from 0 to 1000, got -1"),
        ({"prompt": "a", "guidance": float("nan")}, "guidance: expected a number from 0 to 1000, got nan"),
        ({"prompt": "a", "frames": 0}, "frames: expected a whole number from 1 to 100000, got 0"),
        ({"image": picture(), "image_end": picture(), "frames": 2}, "between two pictures this model makes 3 to 6"),
        ({"image": picture(), "image_end": picture(), "frames": 7}, "between two pictures this model makes 3 to 6"),
        ({"image_end": picture()}, "image_end: expected an image to begin with as well"),
        ({"prompt": "a", "backward": True}, "backward: expected an image or a clip to extend"),
        ({"image": picture(), "extend": picture(frames=2)}, "extend: image is given as well"),
        ({"variation": picture(frames=2), "prompt": "a"}, "prompt: the clip to vary says what is to be seen"),
        ({}, "prompt: it is empty; expected a sentence"),
        ({"story": (("a cat", 1.0),)}, "story: this model makes a video from one prompt alone"),
        ({"prompt": "a", "transparent": True}, "transparent: this model has no matte"),
    ],
)
def test_what_cannot_be_served_is_named(model: MakeAVideo, wish: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        generate(model, **wish)


@pytest.mark.parametrize(("name", "weight"), [("prior", "to_image.bias"), ("sr_l_video", "unet.head.bias")])
def test_nan_names_stage_and_step(changed: MakeAVideo, name: str, weight: str):
    changed.stages[name].get_parameter(weight).data[0] = torch.nan
    with pytest.raises(ValueError, match=f"stage '{name}': .*NaN or infinity in step 1 of 2"):
        generate(changed, prompt="a cat")


def test_settings_that_cannot_be_are_refused():
    c = tiny()
    for change, said in (
        ({"skip": 3}, "skip: 3 frames, one in 3, are 7 to 9; sr_l has 6"),
        ({"carry": 6}, "carry: expected 1 to 5, got 6"),
        ({"sr_h": c.sr_l}, "sr_h.shape: expected larger frames than 6x12x12"),
        ({"text_dim": 5}, "text_dim: expected the encoder's 32, got 5"),
        ({"decoder": replace(c.decoder, shape=replace(c.decoder.shape, fps=4))}, "sr_l.shape.fps: expected 2 times"),
    ):
        with pytest.raises(ValueError, match=said):
            replace(c, **change)
    with pytest.raises(ValueError, match=r"shape.height: expected a multiple of 2, got 9"):
        replace(c.decoder, shape=replace(c.decoder.shape, height=9, width=9))
    with pytest.raises(ValueError, match=r"shape.width: expected the height, 8, got 16"):
        replace(c.decoder, shape=replace(c.decoder.shape, width=16))
    with pytest.raises(ValueError, match=r"sampling.tile: expected a network without attention"):
        replace(c.decoder, sampling=replace(c.decoder.sampling, tile=8))
    with pytest.raises(ValueError, match=r"prior.tries: expected at least 1, got 0"):
        replace(c.prior, tries=0)
