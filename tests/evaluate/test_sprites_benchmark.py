"""The benchmark `sprites`: its prompts are what it says, real clips score as it says, and groups are told apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.parts.prompts import NATURAL
from storyreel.evaluate import benchmarks
from storyreel.evaluate.benchmarks import sprites
from storyreel.evaluate.benchmarks.prompt_list import PromptList
from storyreel.evaluate.judges import load_judge
from storyreel.worlds.sprites import held_out
from storyreel.worlds.sprites_forms import FORMS, HELD_OUT_FORMS
from storyreel.worlds.sprites_reader import read

JUDGED = ("sex", "body", "hair_color", "torso", "legs", "feet", "head", "action", "facing")


@pytest.fixture(scope="module")
def asked() -> PromptList:
    return sprites.prompts()


def test_there_are_four_groups_of_different_prompts(asked: PromptList):
    groups = [p.group for p in asked.prompts]
    assert [groups.count(g) for g in sprites.GROUPS] == [150, 150, 150, 125]
    assert len({p.prompt for p in asked.prompts}) == len(asked.prompts)
    assert all(any(name in p.expected for name in JUDGED) for p in asked.prompts)


def test_the_three_wordings_are_of_the_same_characters_of_held_out_combinations(asked: PromptList):
    for index in range(0, 150, 30):
        three = [asked.prompts[group * 150 + index] for group in range(3)]
        seen = sprites.character(three[0]).attributes
        assert held_out(seen)
        for prompt in three:
            assert prompt.expected == {name: seen[name] for name in prompt.expected}
    for prompt in asked.only("held-out").prompts + asked.only("training").prompts:
        assert read(prompt.prompt).attributes == prompt.expected


def test_natural_prompts_are_written_by_nobody_but_people_and_can_be_drawn(asked: PromptList):
    told = [json.loads(line) for line in NATURAL.read_text(encoding="utf-8").splitlines()]
    mine = asked.only("natural").prompts
    assert [(row["prompt"], row["attributes"]) for row in told] == [(p.prompt, p.expected) for p in mine]
    for prompt in mine[::25]:
        seen = sprites.character(prompt).attributes
        assert {name: seen[name] for name in prompt.expected} == prompt.expected
    assert len({form.__name__ for form in (*FORMS, *HELD_OUT_FORMS)}) > 25


def test_what_the_judge_says_of_real_clips_is_near_what_the_list_says(asked: PromptList, lpc: Path, tmp_path: Path):
    some = asked.only("natural").prompts[:12]
    for prompt in some:
        sprites.real_clip(prompt, lpc).save(tmp_path / f"{prompt.name}.mkv", scale=None)
    document, lines = benchmarks.run("sprites", tmp_path, quiet=True)
    found = document["groups"]["natural"]
    assert found["mean"]["accuracy"] > 0.9
    assert asked.protocol["real"]["natural"]["mean"] > 0.9
    assert found["missing"] == len(asked.only("natural").prompts) - 12
    assert document["comparable"] == []
    assert "relative" not in found
    assert any("natural" in line and "--" in line for line in lines)


def test_a_group_that_is_whole_is_compared_with_real_clips(asked: PromptList):
    from storyreel.evaluate.benchmarks.prompt_list import PromptFiles
    from storyreel.evaluate.score import AttributeAccuracy, labels

    judge = load_judge("sprites")
    metrics = {group: AttributeAccuracy(judge.attributes) for group in sprites.GROUPS}
    for prompt in asked.only("plain").prompts:
        metrics["plain"].update((labels(prompt.expected), labels(prompt.expected)))  # all right
    document = sprites.report("there", asked, PromptFiles({}, [], []), metrics, [], "sprites")
    assert document["comparable"] == ["plain"]
    real = asked.protocol["real"]["plain"]
    assert document["groups"]["plain"]["relative"] == {
        "mean": round(1 / real["mean"], 5),
        "all_right": round(1 / real["all_right"], 5),
    }


def test_a_group_alone_is_written_for_models(tmp_path: Path):
    written = benchmarks.prompts("sprites", "held-out").write_for_models(tmp_path / "p.jsonl")
    rows = [json.loads(line) for line in written.read_text().splitlines()]
    assert [row["name"] for row in rows[:2]] == ["0300", "0301"]
    with pytest.raises(ValueError, match="no group of prompts 'free'; there are plain, training, held-out, natural"):
        benchmarks.prompts("sprites", "free")
    with pytest.raises(ValueError, match="name their folder with --source"):
        benchmarks.write_real("sprites", tmp_path / "real")
