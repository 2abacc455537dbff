"""Stories and continuations by pipelines that begin with a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_hub_pipelines import make, run, settings

import storyreel
from storyreel.clip import Clip

Load = Callable[[str], Any]
STORY = [("a knight walking left", 0.2), ("a red monkey", 0.12)]  # 5 and 3 frames at 25 a second


def test_each_part_goes_on_from_the_last_frame_of_the_one_before(loaded: Load, picture: Clip):
    model = loaded("ltx")
    options = {"story": STORY, "steps": 2, "size": "40x24"}
    steps: list[tuple[int, int]] = []
    told = make(model, options, on_progress=lambda step: steps.append((step.done, step.total)))
    assert (len(told), told.size, told.caption) == (8, (24, 40), "a knight walking left, then a red monkey")
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [call["num_frames"] for call in told.meta["pipeline"]["arguments"]] == [9, 9]
    alone = {"prompt": STORY[0][0], "frames": 5, "steps": 2, "size": "40x24"}
    first = make(model, alone)
    assert np.array_equal(told.frames[:5], first.frames)
    changed = make(model, {**options, "story": [STORY[0], ("a blue monkey", 0.12)]})
    assert np.array_equal(changed.frames[:5], first.frames)
    assert not np.array_equal(changed.frames[5:], told.frames[5:])
    assert not np.array_equal(make(model, {**options, "story": [STORY[0]] * 2}).frames[5:], first.frames)
    begun = make(model, {**options, "image": picture})
    assert np.array_equal(begun.frames[:5], make(model, {**alone, "image": picture}).frames)


def test_a_file_with_a_story_is_made_again(pipeline: Callable[[str], Path], tmp_path: Path, capsys: Any):
    (tmp_path / "story.txt").write_text("0.2s: a knight walking left\n0.12s: a red monkey\n")
    args = ["--story", str(tmp_path / "story.txt"), "--steps", "2", "--size", "32x32", "-m", f"hub:{pipeline('ltx')}"]
    code, err = run([*args, "-o", str(tmp_path / "a.mkv")], capsys)
    assert code == 0, err
    again = ["--from", str(tmp_path / "a.mkv"), "-m", f"hub:{pipeline('ltx')}", "-o", str(tmp_path / "b.mkv")]
    code, err = run(again, capsys)
    assert code == 0, err
    one, two = storyreel.read(tmp_path / "a.mkv"), storyreel.read(tmp_path / "b.mkv")
    assert np.array_equal(one.frames, two.frames)
    assert one.meta["story"] == [list(part) for part in STORY]


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("wan", {}, r"story: wan \(WanPipeline\) takes no picture to go on from; it makes single videos"),
        ("svd", {}, r"story: svd .* takes no prompt"),
        ("ltx", {"variation": True}, "variation: ltx"),
    ],
)
def test_who_tells_none(name: str, more: dict[str, Any], said: str, loaded: Load, picture: Clip):
    more = {setting: picture for setting in more}
    with pytest.raises(ValueError, match=said) as told:
        make(loaded(name), {"story": STORY, "steps": 2, "size": "32x32", **more})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["ltx", "svd"])
def test_a_clip_stands_before_what_follows_it(name: str, loaded: Load, picture: Clip):
    model = loaded(name)
    before = Clip(np.random.default_rng(0).integers(0, 256, (3, 24, 40, 3), np.uint8))
    options = {**settings(name, picture), "frames": 4, "size": "40x24"}
    options.pop("image", None)
    onward = make(model, {**options, "extend": before})
    assert np.array_equal(onward.frames[:3], before.frames)
    begun = make(model, {**options, "frames": 5, "image": Clip(before.frames[-1:])})
    assert np.array_equal(onward.frames[3:], begun.frames[1:])
    assert make(model, {**options, "extend": before, "size": "32x32"}).size == (32, 32)


@pytest.mark.parametrize("name", ["wan-image", "cogvideox-image"])
def test_classes_that_make_nothing_without_a_picture(name: str, loaded: Load, picture: Clip):
    model = loaded(name)
    options = {"prompt": "a knight walking left", "frames": 6, "steps": 2, "size": "32x32"}
    begun = make(model, {**options, "image": picture})
    assert (len(begun), begun.meta["pipeline"]["arguments"]["num_frames"]) == (6, 9)
    other = Clip(255 - picture.frames)
    assert not np.array_equal(make(model, {**options, "image": other}).frames, begun.frames)
    onward = make(model, {**options, "extend": begun})
    assert np.array_equal(onward.frames[:6], begun.frames)
    assert len(onward) == 12
    for more, said in ({}, "image: "), ({"variation": begun}, "variation: "):
        with pytest.raises(ValueError, match=f"{said}{name}"):
            make(model, {**options, **more})
    parts = [(prompt, float(5 / model.fps)) for prompt in ("a knight", "a monkey")]
    assert len(make(model, {"story": parts, "image": picture, "steps": 2, "size": "32x32"})) == 10
