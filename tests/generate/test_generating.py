"""One model, asked from Python: seeds, counts, metadata, progress, cancelling, and what is refused."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from tiny_model import tiny, tiny_folder  # noqa: F401

import storyreel
from storyreel import Clip
from storyreel.generate import registry

torch.set_num_threads(1)


@pytest.fixture
def model(tiny):  # noqa: F811
    return storyreel.load("tiny")


def same(a: Clip, b: Clip) -> bool:
    return a.fps == b.fps and np.array_equal(a.frames, b.frames)


def test_a_prompt_gives_a_clip_with_all_that_made_it(model):
    (clip,) = model("  an orc walks left ", seed=7)
    assert clip.frames.shape == (5, 16, 16, 3)
    assert clip.caption == "an orc walks left"
    told = {key: clip.meta[key] for key in ("model", "digest", "prompt", "seed", "index", "frames", "fps")}
    assert told == {
        "model": "tiny",
        "digest": model.digest,
        "prompt": "an orc walks left",
        "seed": 7,
        "index": 0,
        "frames": 5,
        "fps": "8",
    }
    assert clip.meta["steps"] == model.system.config.prior.steps
    assert clip.meta["options"] == {"prompt": "an orc walks left"}


def test_a_video_depends_on_seed_and_index_alone(model):
    three = model("an orc", seed=3, count=3)
    again = model("an orc", seed=3, count=2)
    assert same(three[0], again[0])
    assert same(three[1], again[1])
    assert not same(three[0], three[1])
    assert not same(three[0], model("an orc", seed=4)[0])
    model("a woman walks left and then right", seed=9)  # what was made before changes nothing
    assert same(model("an orc", seed=3)[0], three[0])


def test_the_text_counts(model):
    assert not same(model("an orc", guidance=3)[0], model("a woman", guidance=3)[0])


def test_settings_reach_the_system(model):
    (clip,) = model("an orc", frames=9, fps=Fraction(30000, 1001), steps=2, guidance=0)
    assert len(clip) == 9
    assert clip.fps == Fraction(30000, 1001)
    assert (clip.meta["steps"], clip.meta["guidance"]) == (2, 0.0)
    assert len(model("an orc", seconds=1.5)[0]) == 12
    assert len(model("an orc", seconds=1.5, fps=4)[0]) == 6


def test_a_story_lasts_as_long_as_its_parts(model):
    (clip,) = model(story=[("an orc walks left", 1), ("a woman walks right", 0.5)])
    assert len(clip) == 12
    assert clip.meta["story"] == [["an orc walks left", 1.0], ["a woman walks right", 0.5]]
    assert clip.caption == "an orc walks left, then a woman walks right"


def test_an_image_and_a_clip_can_be_gone_on_from(model, tmp_path):
    (first,) = model("an orc", seed=1)
    (moved,) = model("an orc", image=Clip(first.frames[:1]))
    assert same(moved, model("an orc", image=first.replace(frames=first.frames[:1]))[0])
    file = first.save(tmp_path / "first.mkv")
    (longer,) = model("a woman", extend=file, frames=4)
    assert longer.meta["options"]["extend"]["name"] == "first.mkv"
    assert str(tmp_path) not in json.dumps(longer.meta)
    assert same(longer, model("a woman", extend=first, frames=4)[0])


def test_progress_is_told_and_cancelling_stops(model):
    seen = []
    model("an orc", on_progress=seen.append, steps=4)
    assert [p.done for p in seen] == [1, 2, 3, 4]
    assert isinstance(seen[0].preview(), Clip)

    def stop(progress):
        calls.append(progress)
        if len(calls) == 6:
            raise storyreel.Cancelled("enough")

    calls = []
    with pytest.raises(storyreel.Cancelled) as stopped:
        model("an orc", count=5, steps=4, on_progress=stop)
    assert len(calls) == 6
    assert [len(clip) for clip in stopped.value.clips] == [5]


def test_unknown_words_are_said_once_and_it_generates_all_the_same(model):
    with pytest.warns(UserWarning, match="storyreel models show tiny"):
        assert model("blue cheese")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model("green cheese")


def test_known_words_are_no_reason_to_warn(model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model("Two orcs in Armor on the moon, walking")


@pytest.mark.parametrize(
    ("prompt", "settings", "message"),
    [
        ("", {}, "prompt: it is empty; expected a sentence"),
        ("  \n", {}, "prompt: it is empty"),
        (None, {}, "prompt: it is empty"),
        (7, {}, "prompt: expected a sentence, got int"),
        ("orc " * 400, {}, r"prompt: 'orc orc .* at most 256 tokens"),
        ("an orc", {"frames": 0}, "frames: expected a whole number from 1"),
        ("an orc", {"frames": 2.5}, "frames: expected a whole number"),
        ("an orc", {"frames": 90_000}, "frames: this model makes 1 to 4096 frames"),
        ("an orc", {"seconds": -1}, "seconds: expected a number above 0"),
        ("an orc", {"seconds": float("nan")}, "seconds: expected a number above 0"),
        ("an orc", {"seconds": 2, "frames": 3}, "seconds: frames is given as well"),
        ("an orc", {"fps": 0}, "fps: expected a frame rate above 0"),
        ("an orc", {"fps": "fast"}, "fps: expected a frame rate above 0"),
        ("an orc", {"steps": 0}, "steps: expected a whole number from 1"),
        ("an orc", {"guidance": float("inf")}, "guidance: expected a number from 0"),
        ("an orc", {"count": 0}, "count: expected a whole number"),
        ("an orc", {"seed": -1}, "seed: expected a whole number from 0"),
        ("an orc", {"transparent": True}, "transparent: this model has no matte"),
        ("an orc", {"story": [("a", 1)]}, "prompt: a story has its own prompts"),
        (None, {"story": [("a", 0)]}, "story, part 1: expected a duration over 0 seconds, got 0"),
        (None, {"story": [("a", 1)], "frames": 3}, "frames: a story's parts have their own durations"),
        ("an orc", {"height": 3}, "does not know the setting 'height'; there are prompt, story, frames, seconds"),
        ("an orc", {"image": 5}, "image: expected a Clip or the path of a file, got int"),
    ],
)
def test_what_cannot_be_served_is_refused(model, prompt, settings, message):
    with pytest.raises(ValueError, match=message):
        model(prompt, **settings)


def test_an_unknown_model_never_gets_the_name_of_an_encoder_or_a_judge(tiny):  # noqa: F811
    for name in ("nothere", "encoder", "encoder-digit", "judge-sprites", "digits"):
        with pytest.raises(ValueError, match="is not known") as error:
            storyreel.load(name)
        assert "encoder-" not in str(error.value).removeprefix(f"model {name!r}")
        assert "judge-" not in str(error.value).removeprefix(f"model {name!r}")
        assert any(each in str(error.value) for each in storyreel.models()), "one that is here"
    assert not [each for each in storyreel.models() if each.startswith(("encoder", "judge"))]
    assert registry.makes_videos(registry.find("tiny"))
    assert not registry.makes_videos(registry.find("encoder-digits")), "it is found where an encoder is wanted"


def test_an_unknown_model_gets_the_nearest_name(tiny):  # noqa: F811
    with pytest.raises(ValueError, match="'tinny' is not known; did you mean 'tiny'"):
        storyreel.load("tinny")
    with pytest.raises(ValueError, match=r"expected a folder with a model\.json"):
        storyreel.load(tiny.parent)


def test_a_model_is_found_by_path_and_by_run(tiny, tmp_path):  # noqa: F811
    run = tmp_path / "my-run"
    run.mkdir()
    (run / "model").symlink_to(tiny)

    assert registry.find(run) == run / "model"
    assert registry.find(str(tiny)) == tiny
    assert "tiny" in storyreel.models()


def test_the_public_names_are_all_there():
    for name in storyreel.__all__:
        assert getattr(storyreel, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        storyreel.nothing  # noqa: B018
