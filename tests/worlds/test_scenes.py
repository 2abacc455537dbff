"""Worlds of scenes: clips that depend on (seed, index, time) alone, captions that are true, balance and hold-out."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from storyreel import worlds
from storyreel.data.world_clips import open_query
from storyreel.worlds.scene_maker import SceneMaker, caption

NAMES = [name for name in worlds.names() if issubclass(worlds.find(name).maker, SceneMaker)]
everywhere = pytest.mark.parametrize("name", NAMES)


def maker(name: str, **settings: Any) -> Any:
    return worlds.find(name).maker(**settings)


def scenes(name: str, count: int, split: str = "train", seed: int = 0) -> list[Any]:
    kind = worlds.find(name).maker
    return [kind.draw(np.random.default_rng([seed, i]), split) for i in range(count)]


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal but for what rounding does to single pixels."""
    return int(np.abs(a.astype(int) - b.astype(int)).max()) <= 1


@everywhere
def test_a_clip_depends_on_seed_and_index_alone(name: str):
    make = maker(name, frames=4).make
    first, row = make(3, 5)
    make(3, 6)
    again, same = make(3, 5)
    assert np.array_equal(first.frames, again.frames)
    assert row == same
    assert first.frames.shape == (4, 64, 64, 3)
    assert not np.array_equal(first.frames, make(3, 6)[0].frames)
    assert not np.array_equal(first.frames, make(4, 5)[0].frames)
    fewer = maker(name, frames=4, captions=5).make(3, 5)[0]
    assert np.array_equal(first.frames, fewer.frames), "how many captions there are does not change the pictures"


@everywhere
def test_any_window_is_the_same_part_of_the_whole(name: str):
    short, long = maker(name, frames=12), maker(name, frames=40)
    whole = long.make(1, 2)[0].frames
    assert close(whole[:12], short.make(1, 2)[0].frames)
    assert close(whole[25:28], short.window(1, 2, 25, 3))
    late = short.window(1, 2, 4800, 2)  # ten minutes on
    assert late.shape == (2, 64, 64, 3)
    assert late.std() > 5


@everywhere
@pytest.mark.parametrize("size", [64, 100, 256])
def test_any_size_shows_the_same(name: str, size: int):
    for index in range(3):
        small = maker(name, frames=2).make(0, index)[0]
        large = maker(name, frames=2, size=size).make(0, index)[0]
        assert large.frames.shape == (2, size, size, 3)
        pooled = large.resize(16, 16).frames.astype(float) - small.resize(16, 16).frames
        assert np.abs(pooled).mean() < 8


@everywhere
def test_captions_are_true_and_say_what_they_mention(name: str):
    world = worlds.find(name)
    assert world.read is not None
    texts, full = set(), 0
    for number, scene in enumerate(scenes(name, 600)):
        seen = scene.attributes
        rng = np.random.default_rng([9, number])
        for whole in (True, False):
            text, told = caption(world.maker.grammar, seen, rng, full=whole, partial=0.3, short=0.3)
            read = world.read(text)
            assert {k: v for k, v in read.items() if seen[k] != v} == {}, text
            assert set(told) <= set(read), text
            assert not set("{}[]|") & set(text), text
            texts.add(text)
            full += whole and set(told) == world.maker.grammar.sayable(seen)
    assert len(texts) > 1000
    assert full > 400


@everywhere
def test_rows_tell_what_is_said_and_known(name: str):
    clip, row = maker(name, captions=4, frames=6).make(0, 1)
    assert len(row["captions"]) == len(row["mentions"]) == 4
    assert clip.caption == row["caption"] == row["captions"][0]
    world = worlds.find(name)
    for attribute, declared in world.attributes.items():
        assert row["attributes"][attribute] is None or row["attributes"][attribute] in declared.values
    known = {key: value for key, value in row["attributes"].items() if key not in world.attributes}
    assert any(isinstance(value, list) and len(value) == 6 for value in known.values())


@everywhere
def test_held_out_pairs_are_never_in_training(name: str):
    held_out = __import__(f"storyreel.worlds.{name}", fromlist=["held_out"]).held_out
    assert not any(held_out(scene.attributes) for scene in scenes(name, 1500))
    assert all(held_out(scene.attributes) for scene in scenes(name, 300, "held_out"))
    rows = [maker(name, held_out_share=0.5, frames=1).make(0, i)[1] for i in range(20)]
    assert {row["split"] for row in rows} == {"train", "held_out"}
    assert all(held_out(row["attributes"]) == (row["split"] == "held_out") for row in rows)
    for value in ("train", "held_out"):
        assert worlds.find(name).describe((1, 2, 3), value, "plain").shows
    with pytest.raises(ValueError, match="split: expected train or held_out, got 'test'"):
        maker(name).make(0, 0, "test")


@everywhere
def test_every_value_of_an_attribute_is_seen_and_none_is_rare(name: str):
    drawn = [scene.attributes for scene in scenes(name, 2000)]
    for attribute, declared in worlds.find(name).attributes.items():
        counts = Counter(seen[attribute] for seen in drawn if seen[attribute] is not None)
        assert set(counts) == set(declared.values)
        even = sum(counts.values()) / len(counts)
        assert min(counts.values()) > 0.2 * even, (attribute, counts)
        assert max(counts.values()) < 2.3 * even, (attribute, counts)


@everywhere
def test_nothing_pops(name: str):
    """Between frames of a fifth of a frame's time, no frame differs from its neighbours' mean by much more than others.

    Rain and snow are left out: drops are their own motion.
    """
    for scene in [s for s in scenes(name, 30, seed=4) if s.attributes["weather"] not in ("rain", "snow")][:10]:
        frames = worlds.find(name).maker.render(scene, 64, 1 + np.arange(24) / 40).astype(float)
        bend = np.abs(frames[1:-1] - (frames[:-2] + frames[2:]) / 2).mean((1, 2, 3))
        assert bend.max() < 4 * np.median(bend) + 0.5, scene.attributes


@everywhere
def test_all_clips_show_what_all_are_to_show(name: str):
    make = maker(name, only="weather=snow, time=night")
    shown = [make.scene(1, i).attributes for i in range(20)]
    assert all((seen["weather"], seen["time"]) == ("snow", "night") for seen in shown)
    assert len({tuple(seen.items()) for seen in shown}) > 5
    whatever = maker(name)
    some = [i for i in range(40) if whatever.scene(1, i).attributes["weather"] == "snow"]
    assert all(maker(name, only="weather=snow").scene(1, i) == whatever.scene(1, i) for i in some)


@everywhere
def test_queries_are_refused_in_one_line(name: str):
    for query, said in (
        ("clips=4&size=32", "size: expected 64 to 256, got 32"),
        ("clips=4&size=300", "size: expected 64 to 256, got 300"),
        ("clips=4&frames=0", "frames: expected 1 to 4096, got 0"),
        ("clips=4&short=0.9&partial=0.2", "partial . short: expected at most 1, got 1.1"),
        ("clips=4&short=2", "short: expected 0 to 1, got 2.0"),
        ("clips=4&fps=0", "fps: expected more than 0"),
        ("clips=4&only=snow", "only: expected pairs such as weather=dry,time=dusk, got 'snow'"),
        ("clips=4&only=wether=snow", "only: no attribute 'wether'; did you mean 'weather'?"),
        ("clips=4&only=weather=hail", "only: none of 2000 scenes .train. shows weather=hail; they have weather=.*snow"),
        ("clips=4&frame=5", "has no setting 'frame'; did you mean 'frames'"),
    ):
        with pytest.raises(ValueError, match=said) as error:
            open_query(f"{name}:?{query}")
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="has no folder of pictures"):
        open_query(f"{name}:/?clips=4")
    assert len(open_query(f"{name}:?clips=4&seed=2&size=80&frames=3")) == 4


@everywhere
def test_what_is_read_is_restated(name: str):
    world = worlds.find(name)
    assert world.read is not None
    assert world.caption is not None
    for number, scene in enumerate(scenes(name, 60)):
        some = {k: v for k, v in scene.attributes.items() if v is not None and (number + len(k)) % 3}
        text = world.caption(some, np.random.default_rng(number))
        assert world.read(text).items() <= scene.attributes.items()
        assert set(world.read(text)) & set(some)
