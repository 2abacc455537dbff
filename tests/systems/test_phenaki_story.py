"""Phenaki as a whole: durations, clips that go on from one another, pictures, mattes, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from storyreel import recipes
from storyreel.clip import Clip
from storyreel.systems.base import Progress, Request
from storyreel.systems.phenaki import Phenaki, PhenakiConfig
from storyreel.systems.pixels import for_model
from storyreel.text import load_text_encoder

TEXT = load_text_encoder("hash:32")


def make(channels: int = 3, **more: Any) -> Phenaki:
    """Clips of 5 frames of 16x16 in 3 latent frames; 3 frames are carried; two steps."""
    config = recipes.get("phenaki_tiny").system
    assert isinstance(config, PhenakiConfig)
    torch.manual_seed(0)
    tokenizer, prior = replace(config.tokenizer, channels=channels), replace(config.prior, steps=2)
    return replace(config, tokenizer=tokenizer, prior=prior, **more).build().eval()


@pytest.fixture(scope="module")
def model() -> Phenaki:
    return make()


def quiet(_: Progress) -> None:
    pass


def generate(model: Phenaki, **wish: Any) -> Clip:
    return model.generate(Request.of(**wish), TEXT, quiet)


def picture(frames: int = 1, height: int = 16, width: int = 16, channels: int = 3) -> Clip:
    return Clip(np.random.default_rng(0).integers(0, 256, (frames, height, width, channels), np.uint8))


def test_a_prompt_gives_one_clip(model: Phenaki):
    clip = generate(model, prompt="a cat")
    assert clip.frames.shape == (5, 16, 16, 3)
    assert clip.fps == 8
    assert clip.caption == "a cat"


def test_seed_and_index_decide(model: Phenaki):
    clip = generate(model, prompt="a cat", seed=3, index=1)
    assert np.array_equal(clip.frames, generate(model, prompt="a cat", seed=3, index=1).frames)
    assert not np.array_equal(clip.frames, generate(model, prompt="a cat", seed=3, index=2).frames)
    assert not np.array_equal(clip.frames, generate(model, prompt="a cat", seed=4, index=1).frames)


@pytest.mark.parametrize("frames", [1, 2, 5, 6, 7, 12])
def test_any_number_of_frames(model: Phenaki, frames: int):
    long = generate(model, prompt="a cat", frames=12)
    assert np.array_equal(generate(model, prompt="a cat", frames=frames).frames, long.frames[:frames])


def test_a_story_has_the_lengths_that_were_asked_for(model: Phenaki):
    story = (("a cat", 1.0), ("a dog", 0.5), ("a bird", 0.01))
    assert len(generate(model, story=story)) == 8 + 4 + 1
    clip = generate(model, story=story[:2], fps=Fraction(10))
    assert (len(clip), clip.fps) == (15, 10)


def test_each_clip_begins_with_the_frames_before_it(model: Phenaki, monkeypatch: pytest.MonkeyPatch):
    encoded: list[Tensor] = []
    conds: list[dict[str, Tensor]] = []
    encode, sample = model.tokenizer.encode, model.prior.sample
    monkeypatch.setattr(model.tokenizer, "encode", lambda video: encoded.append(video) or encode(video))
    monkeypatch.setattr(model.prior, "sample", lambda cond, **more: conds.append(cond) or sample(cond, **more))
    clip = generate(model, story=(("a cat", 0.5), ("a dog", 0.5)))  # 4 frames, then 4
    ends = [4, 6]  # the first clip is cut; the second part takes two clips of two new frames
    assert len(conds) == 3
    assert "prefix" not in conds[0]
    for at, video, told in zip(ends, encoded, conds[1:], strict=True):
        assert video.abs().max() <= 1, "what was decoded is brought back to what the tokenizer was trained on"
        carried = Clip.from_tensor(video[0])
        assert np.array_equal(carried.frames, clip.frames[at - 3 : at])
        assert told["prefix"].equal(encode(video))
    for told, prompt in zip(conds, ["a cat", "a dog", "a dog"], strict=True):
        assert told["text"].equal(TEXT([prompt])[0])


def test_what_comes_later_in_a_story_changes_nothing_before(model: Phenaki):
    one, two = (generate(model, story=(("a cat", 1.0), (second, 1.0))) for second in ("a dog", "the sea"))
    assert np.array_equal(one.frames[:8], two.frames[:8])


def test_an_image_becomes_the_first_frame(model: Phenaki):
    image = picture()
    clip = generate(model, prompt="a cat", image=image, frames=9)
    assert len(clip) == 9
    assert np.array_equal(clip.frames[0], image.frames[0])
    assert not np.array_equal(clip.frames[1], image.frames[0])


def test_an_image_of_another_size_is_cut_and_fitted(model: Phenaki):
    image = picture(1, 32, 48)
    clip = generate(model, image=image, frames=2)
    middle = Clip(image.frames[:, :, 8:40]).resize(16, 16)
    assert np.array_equal(clip.frames[0], middle.frames[0])


@pytest.mark.parametrize("before", [1, 2, 3, 8])
def test_an_extended_clip_keeps_its_frames(model: Phenaki, before: int):
    given = picture(before)
    clip = generate(model, prompt="a cat", extend=given, frames=6)
    assert len(clip) == before + 6
    assert np.array_equal(clip.frames[:before], given.frames)


@pytest.mark.parametrize(
    "wish",
    [{"frames": n} for n in (1, 5, 6, 7, 20)]
    + [{"image": picture(), "frames": n} for n in (1, 2, 5, 6, 9)]
    + [{"extend": picture(n), "frames": 7} for n in (1, 2, 3, 4, 9)]
    + [{"story": (("a", 0.1), ("b", 2.0), ("c", 0.4))}],
    ids=lambda wish: "-".join(f"{k}{len(v) if hasattr(v, '__len__') else v}" for k, v in wish.items()),
)
def test_progress_goes_up_to_its_total(model: Phenaki, wish: dict[str, Any]):
    told: list[Progress] = []
    model.generate(Request.of(**wish), TEXT, told.append)
    assert len({p.total for p in told}) <= 1
    assert [p.done for p in told] == list(range(1, len(told) + 1))
    if told:
        assert told[-1].done == told[-1].total
        assert told[0].preview is not None
        assert told[0].preview().size == (16, 16)
    else:
        assert wish == {"image": wish.get("image"), "frames": 1}, "only an image alone needs no sampling"


@pytest.mark.parametrize(
    "wish", [{"frames": 20}, {"extend": picture(9), "frames": 7}, {"story": (("a", 1.0), ("b", 1.0))}]
)
def test_a_preview_is_all_that_is_there(model: Phenaki, wish: dict[str, Any]):
    """So that of a video that is cancelled nothing is lost."""
    told: list[Progress] = []
    made = model.generate(Request.of(fps=Fraction(12), **wish), TEXT, told.append)
    shown = [step.preview() for step in told if step.preview]
    lengths = [len(clip) for clip in shown]
    assert lengths == sorted(lengths)
    assert lengths[0] < len(made) <= lengths[-1]
    np.testing.assert_array_equal(shown[-1].frames[: len(made)], made.frames)
    assert shown[-1].fps == made.fps == 12


def test_raising_from_progress_stops(model: Phenaki):
    class Enough(Exception):
        pass

    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 3:
            raise Enough

    with pytest.raises(Enough):
        model.generate(Request.of(prompt="a cat", frames=20), TEXT, stop)
    assert len(told) == 3


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"image": picture(), "extend": picture(3)}, "extend: image is given as well"),
        ({"story": (("a", 1.0), ("b", 0.0))}, "story, part 2: expected a duration over 0 seconds"),
        ({"story": (("a", -1.0),)}, "story, part 1: expected a duration over 0 seconds"),
        ({"frames": 5000}, "frames: this model makes 1 to 4096 frames, got 5000"),
        ({"frames": 0}, "frames: expected a whole number from 1 to 100000, got 0"),
        ({"story": (("a", 1000.0),)}, "frames: this model makes 1 to 4096 frames, got 8000"),
        ({"transparent": True}, "transparent: this model has no matte"),
        ({"steps": 0}, "steps: expected a whole number from 1 to 10000, got 0"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_sampled(model: Phenaki, wish: dict[str, Any], told: str):
    calls: list[Progress] = []
    with pytest.raises(ValueError, match=told):
        model.generate(Request.of(**wish), TEXT, calls.append)
    assert calls == []


def test_carried_frames_must_fit():
    with pytest.raises(ValueError, match="carry: 5 frames leave nothing to make in a clip of 5"):
        make(carry=5)
    with pytest.raises(ValueError, match="expected 1 \\+ a multiple of 2"):
        make(carry=2)


@pytest.mark.parametrize("part", ["tokenizer", "prior"])
def test_a_broken_model_makes_no_video(part: str):
    model = make()
    broken = model.tokenizer.to_tube.bias if part == "tokenizer" else model.prior.norm.bias
    broken.data[0] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        generate(model, prompt="a cat")


def test_a_matte_gives_transparency_or_a_flat_background():
    model = make(channels=4)
    clear, flat = (generate(model, prompt="a cat", transparent=t) for t in (True, False))
    assert clear.frames.shape == (5, 16, 16, 4)
    assert flat.frames.shape == (5, 16, 16, 3)
    matte = clear.frames[..., 3]
    assert set(np.unique(matte)) == {0, 255}
    assert (flat.frames[matte == 0] == 128).all()
    assert np.array_equal(flat.frames[matte == 255], clear.frames[..., :3][matte == 255])


def test_a_matte_is_found_before_a_background_of_one_colour():
    frames = np.full((2, 16, 16, 3), 200, np.uint8)
    frames[:, 4:8, 4:8] = 10
    video = for_model(Clip(frames), 16, 4)  # (1, 4, 2, 16, 16)
    inside = torch.zeros(16, 16, dtype=torch.bool)
    inside[4:8, 4:8] = True
    assert (video[0, 3] > 0).equal(inside.expand(2, 16, 16))
    assert (video[0, :3, :, ~inside] - (128 / 127.5 - 1)).abs().max() < 1e-6
    assert (video[0, :3, :, inside] - (10 / 127.5 - 1)).abs().max() < 1e-6


def test_an_opaque_picture_without_such_a_background_is_solid():
    assert (for_model(picture(2), 16, 4)[0, 3] == 1).all()


def test_candidates_are_made_together_and_are_what_they_are_alone(model: Phenaki):
    request = Request.of(story=(("an orc walks", 1.0), ("an orc falls", 0.5)), seed=5)
    seen: list[Progress] = []
    made = model.candidates(request, model.together + 1, TEXT, seen.append)
    assert len(made) == model.together + 1
    for number, clip in enumerate(made):
        alone = model.generate(replace(request, candidate=number), TEXT, quiet)
        assert clip.frames.shape == alone.frames.shape
        off = np.abs(clip.frames.astype(int) - alone.frames.astype(int))
        assert off.max() <= 2, "rounding alone"
    assert any((made[0].frames != other.frames).any() for other in made[1:])
    assert (seen[-1].done, len({step.total for step in seen})) == (seen[-1].total, 1)
