"""One character: what is drawn once for it, which candidates are kept, and the colors that its animations share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_model import make_tiny, make_tiny_sprites

import storyreel
from storyreel import Clip
from storyreel.generate import character
from storyreel.generate.crisp import without_pieces
from storyreel.generate.ranking import AttributeRanker
from storyreel.generate.shared_palette import harmonised
from storyreel.options.sheet import SheetOptions
from storyreel.worlds import find

POSED = ("action", "facing")


class Any:
    """Likes all clips the same."""

    name = "any-v1"

    def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
        return [0.5] * len(clips)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> storyreel.Model:
    return storyreel.load(make_tiny_sprites(tmp_path_factory.mktemp("models") / "tiny-sprites"))


def test_what_is_not_said_is_drawn_once_and_said_in_every_animation(model: storyreel.Model) -> None:
    attempts = character.attempted(model, SheetOptions(prompt="a drow with white hair", candidates=1, steps=1))
    world = attempts.world
    assert world.read is not None
    assert attempts.attributes["body"] == "dark elf"
    assert attempts.attributes["hair_color"] == "white"
    assert {"sex", "torso", "legs", "feet"} <= set(attempts.made)
    assert not {"body", "hair_color"} & set(attempts.made)
    assert len(attempts.captions) == 21
    for (action, facing), caption in attempts.captions.items():
        found = world.read(caption)
        assert (found["action"], found["facing"]) == (action, facing)
        for name in ("sex", "body", "torso", "legs", "feet"):
            assert found[name] == attempts.attributes[name], (caption, name)


def test_another_seed_gives_another_character_of_the_same_words(model: storyreel.Model) -> None:
    world = find("sprites")
    found = [character.who("a drow with white hair", model, world, seed)[0] for seed in range(6)]
    assert found[0] == character.who("a drow with white hair", model, world, 0)[0]
    assert len({json.dumps(each, sort_keys=True) for each in found}) > 3
    assert {(each["body"], each["hair_color"]) for each in found} == {("dark elf", "white")}


def test_an_animation_depends_on_the_seed_and_itself_alone(model: storyreel.Model) -> None:
    options = SheetOptions(prompt="an orc", candidates=2, steps=2, seed=5)
    all_of_them = character.attempted(model, replace(options, actions=("slash", "walk")))
    alone = character.attempted(model, replace(options, actions=("walk",)))
    assert next(iter(all_of_them.candidates))[0] == "slash", "in the order that was asked for"
    for row, clips in alone.candidates.items():
        for one, other in zip(clips, all_of_them.candidates[row], strict=True):
            assert (one.frames == other.frames).all()
    walks = [clips[0].frames for clips in alone.candidates.values()]
    assert any((walks[0] != other).any() for other in walks[1:])


def flat(color: tuple[int, int, int], count: int = 2) -> Clip:
    frames = np.zeros((count, 8, 8, 4), np.uint8)
    frames[:, 2:6, 2:6] = (*color, 255)
    return Clip(frames)


def test_the_candidate_is_kept_that_agrees_with_the_other_animations() -> None:
    red, blue = (200, 0, 0), (0, 0, 200)
    candidates = {
        ("walk", "up"): [flat(blue), flat(red)],
        ("walk", "left"): [flat(red), flat(blue)],
        ("walk", "down"): [flat(red), flat(red)],
    }
    captions = dict.fromkeys(candidates, "somebody")
    chosen, scores = character.best_together(candidates, captions, Any())
    assert chosen == {("walk", "up"): 1, ("walk", "left"): 0, ("walk", "down"): 0}
    assert scores[("walk", "up")] == [0.5, 0.5]


def test_a_candidate_that_shows_its_caption_far_better_wins_over_one_that_agrees() -> None:
    class Blue(Any):
        def rank(self, prompt: str, clips: Sequence[Clip]) -> list[float]:
            return [float(clip.frames[..., 2].mean() > 10) * 3 for clip in clips]

    candidates = {("walk", "up"): [flat((200, 0, 0)), flat((0, 0, 200))], ("walk", "down"): [flat((200, 0, 0))]}
    chosen, _ = character.best_together(candidates, dict.fromkeys(candidates, "blue"), Blue())
    assert chosen[("walk", "up")] == 1


class Missing(AttributeRanker):
    """Finds what is said in no clip of the first `rounds` that it is asked about."""

    def __init__(self, rounds: int) -> None:
        self.rounds, self.asked = rounds, []

    def shows(self, attributes: Mapping[str, str], clips: Sequence[Clip]) -> list[bool]:
        self.asked.append(dict(attributes))
        return [len(self.asked) > self.rounds] * len(clips)


@pytest.mark.parametrize(("rounds", "count"), [(0, 1), (1, 2), (9, 1 + character.AGAIN)])
def test_an_animation_that_lacks_what_is_said_is_made_again(model: storyreel.Model, rounds: int, count: int) -> None:
    options = SheetOptions(prompt="a drow", actions=("hurt",), candidates=1, steps=1)
    attempts = character.attempted(model, options)
    ranker = Missing(rounds)
    more = character.made_again(model, attempts, ranker).candidates[("hurt", "down")]
    assert len(more) == count
    assert (more[0].frames == attempts.candidates[("hurt", "down")][0].frames).all()
    assert ranker.asked[0] == {"body": "dark elf", "action": "hurt", "facing": "down"}
    assert character.made_again(model, attempts, Any()) is attempts


def test_a_candidate_that_shows_all_that_is_said_comes_first() -> None:
    candidates = {("walk", "up"): [flat((200, 0, 0)), flat((0, 0, 200))], ("walk", "down"): [flat((200, 0, 0))]}
    captions = dict.fromkeys(candidates, "somebody")
    assert character.best_together(candidates, captions, Any())[0][("walk", "up")] == 0
    alike = {("walk", "up"): [flat((200, 0, 0)), flat((201, 0, 0))], ("walk", "down"): [flat((200, 0, 0), 3)]}
    shown = {("walk", "up"): [False, True], ("walk", "down"): [True]}
    assert character.best_together(alike, captions, Any(), shown)[0][("walk", "up")] == 1


def test_a_color_that_one_animation_has_alone_is_taken_for_a_stain() -> None:
    animations = [flat((120, 80, 40)).frames.copy() for _ in range(8)]
    for each in animations:
        each[:, 2, 2:6] = (240, 200, 180, 255)
    animations[3][:, 4, 4] = (0, 110, 0, 255)
    new = harmonised(animations, lambda frames: 1.0)
    assert (new[3][:, 4, 4] == (120, 80, 40, 255)).all()
    for before, after in zip(animations, new, strict=True):
        assert (before[..., 3] == after[..., 3]).all()
        assert (after[:, 2, 2:6] == (240, 200, 180, 255)).all()


def test_colors_are_left_alone_where_the_character_would_be_lost() -> None:
    animations = [flat((120, 80, 40)).frames.copy() for _ in range(8)]
    animations[3][:, 4, 4] = (0, 110, 0, 255)
    green = lambda frames: float((np.stack(frames)[..., 1] == 110).any())  # noqa: E731
    assert all((one == other).all() for one, other in zip(animations, harmonised(animations, green), strict=True))


def test_what_does_not_touch_the_figure_is_no_part_of_it() -> None:
    frames = flat((9, 9, 9)).frames.copy()
    frames[0, 0, 0:2] = (1, 1, 1, 255)
    clean = without_pieces(frames, 14)
    assert not clean[0, 0].any()
    assert (clean[0, 2:6, 2:6] == frames[0, 2:6, 2:6]).all()
    touching = frames.copy()
    touching[0, 1, 2] = (1, 1, 1, 255)  # a corner is enough
    assert (without_pieces(touching, 14)[0, 1, 2] == (1, 1, 1, 255)).all()


def test_a_model_whose_world_has_no_sheets_is_refused(tmp_path: Path) -> None:
    plain = storyreel.load(make_tiny(tmp_path / "plain"))
    with pytest.raises(ValueError, match="model plain: its world has no sheets of characters"):
        storyreel.sheet("an orc", model=plain)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"actions": "walk,dance"}, "actions: 'dance' is none of spellcast, thrust, walk, slash, shoot, hurt"),
        ({"columns": 0}, "columns"),
        ({"scale": "1,0"}, "scale: expected whole numbers from 1 to 64"),
        ({"colour": 1}, "colour"),
    ],
)
def test_bad_settings_get_one_line(model: storyreel.Model, settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        storyreel.sheet("an orc", model=model, **settings)
    assert "\n" not in str(caught.value)


def test_an_empty_prompt_is_refused(model: storyreel.Model) -> None:
    with pytest.raises(ValueError, match="prompt: it is empty"):
        storyreel.sheet("  ", model=model)
