"""What a prompt leaves open is drawn from the seed, said in a line, and may be left open; unknown words are told."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction

import pytest

from storyreel.generate.model import load
from storyreel.generate.open_attributes import attributes_of, completed, drawn, note_of
from storyreel.generate.vocabulary import note_for
from storyreel.options.generation import GenerateOptions
from storyreel.worlds import Attribute, find
from storyreel.worlds.attribute_words import attributes_in

SPRITES = find("sprites").attributes
KNOWN = ["girl", "red", "walking", "knight", "dress", "hair", "castle"]


def test_what_is_said_is_not_drawn():
    assert attributes_in("an orc in plate armor walks, facing left", SPRITES) | {"torso": "plate armor"} == {
        "body": "orc", "torso": "plate armor", "action": "walk", "facing": "left",
    }  # fmt: skip
    assert drawn("an orc in plate armor walks, facing left", SPRITES, 1, 0) == {}
    made = drawn("a red-haired girl in a green dress", SPRITES, 1, 0)
    assert set(made) == {"action", "facing", "body"}
    assert made == drawn("a red-haired girl in a green dress", SPRITES, 1, 0)
    assert "facing" not in drawn("a skeleton falls down", SPRITES, 1, 0)  # who falls faces the viewer


def test_who_falls_has_no_side_whatever_is_held():
    world = find("sprites")
    options = GenerateOptions.of({"prompt": "a soldier with a shield and a helmet gets hit and dies"})
    for seed in range(4):
        resolved, made = completed(options, SPRITES, seed, 0, world)
        assert "facing" not in made
        assert attributes_in(resolved.prompt, SPRITES)["action"] == "hurt"


def test_a_weapon_says_what_is_done_with_it():
    for prompt, action in (
        ("a dark elf with a longsword", "slash"),
        ("an archer", "shoot"),
        ("a man, spear", "thrust"),
    ):
        assert {drawn(prompt, SPRITES, seed, 0)["action"] for seed in range(8)} == {action}


def test_nobody_dies_unasked_and_most_walk_towards_the_viewer():
    made = [drawn("a girl", SPRITES, seed, 0) for seed in range(400)]
    actions, facings = (Counter(one[name] for one in made) for name in ("action", "facing"))
    assert not {"hurt", "shoot"} & set(actions)
    assert (actions.most_common(1)[0][0], facings.most_common(1)[0][0]) == ("walk", "down")
    assert 0.75 < actions["walk"] / 400 < 0.95


def test_the_text_that_the_model_sees():
    options = GenerateOptions.of({"prompt": "a girl."})
    seen, made = completed(options, SPRITES, 3, 0)
    phrases = [SPRITES[name].values[value].phrase for name, value in made.items()]
    assert seen.prompt == ", ".join(["a girl", *phrases])
    assert note_of(made, SPRITES) == f"not said: {', '.join(phrases)}"
    assert completed(GenerateOptions.of({"prompt": "a girl.", "as_written": True}), SPRITES, 3, 0)[1] == {}
    story = GenerateOptions.of({"story": [("a girl walks", 1.0), ("she falls down", 1.0)]})
    seen, made = completed(story, SPRITES, 3, 0)
    assert "action" not in made
    assert [prompt for prompt, _ in seen.story] == [f"{p}, {SPRITES['body'].values[made['body']].phrase}"
                                                    for p in ("a girl walks", "she falls down")]  # fmt: skip


def test_a_card_carries_it_and_a_stranger_s_card_does_no_harm():
    told = json.loads(json.dumps({name: one.as_json() for name, one in SPRITES.items()}))
    info = {"recipe": {"name": "mine"}, "training": {"attributes": told}}
    ours = attributes_of(info)
    assert drawn("a girl", ours, 5, 2) == drawn("a girl", SPRITES, 5, 2)
    assert attributes_of({"recipe": {"name": "phenaki_sprites"}}) == SPRITES
    assert attributes_of({"recipe": {"name": "x"}, "training": {"data": [{"name": "sprites?clips=2"}]}}) == SPRITES
    assert attributes_of({"recipe": {"name": "mine"}}) == {}
    for bad in ({"values": 3}, {"values": {"a": 1}}, {"values": {"a": {"words": 3, "weight": "x", "phrase": []}}}):
        assert drawn("a girl", {"x": Attribute.from_json(bad)}, 0, 0) == {}


def test_unknown_words_are_told_with_the_nearest_known():
    note = note_for(["a zombie in a red dress walking"], KNOWN, "m", SPRITES)
    assert note == "zombie: not in this model's world; orc is"
    assert note_for(["a walking knightt"], KNOWN, "m", SPRITES) == "knightt: not in this model's world; knight is"
    assert note_for(["a girl walking"], KNOWN, "m", SPRITES) is None
    assert "knows no word of" in str(note_for(["qqq"], KNOWN, "m", SPRITES))
    assert note_for(["a fat man walking"], ["at", *KNOWN], "m", SPRITES) == "fat: not in this model's world"


def test_words_that_only_the_reader_knows_are_known():
    world = find("sprites")
    read = "a priest raises his hands and blesses us", "a ninja", "a fireball", "a wounded guard", "jeans"
    for prompt in read:
        assert note_for([prompt], KNOWN, "m", SPRITES, world) is None, prompt
    note = note_for(["a zombie pirate"], KNOWN, "m", SPRITES, world)
    assert note == "zombie: not in this model's world; orc is, and gets dyed"
    note = note_for(["a girl in a yellow dress and a straw hat"], KNOWN, "m", SPRITES, world)
    assert note == (
        "yellow dress: not in this model's world; green dress is, and gets dyed; "
        "straw hat: not in this model's world, and drawn onto its clips"
    )
    assert note_for(["a priest in a crowd"], KNOWN, "m", SPRITES, world) == "crowd: not in this model's world"
    assert "knows no word of" in str(note_for(["a temple of glass"], KNOWN, "m", SPRITES, world))


def test_metadata_says_what_was_drawn_and_older_files_are_made_again_as_written(tmp_path):
    import storyreel
    from storyreel.cli import main
    from storyreel.generate.provenance import origin_of

    model = storyreel.load("phenaki-digits")
    clip = model("the digit 3", seed=2, steps=1)[0]
    assert set(clip.meta["drawn"]) == {"motions"}
    assert clip.caption == "the digit 3"
    assert model("the digit 3", seed=2, steps=1, as_written=True)[0].meta["drawn"] == {}
    file = clip.save(tmp_path / "new.mkv")
    assert origin_of(file).options.as_written is False
    meta = {key: value for key, value in clip.meta.items() if key != "drawn"}
    old = storyreel.Clip(clip.frames, Fraction(8), "the digit 3", meta=meta).save(tmp_path / "old.mkv")
    assert origin_of(old).options.as_written is True
    with pytest.raises(SystemExit) as done:
        main(["models", "show", "phenaki-digits"])
    assert done.value.code == 0


def test_the_shell_reports_it_in_one_line(tmp_path, capsys):
    from storyreel.cli import main

    ask = ["generate", "the digit 3", "-m", "phenaki-digits", "--seed", "2", "--steps", "1"]
    for more, told in ((["--as-written"], False), ([], True)):
        with pytest.raises(SystemExit) as done:
            main([*ask, *more, "-o", str(tmp_path / f"{told}.png")])
        assert done.value.code == 0
        assert ("not said: moving" in capsys.readouterr().err) == told


def test_a_prompt_is_restated_in_the_words_of_the_world():
    world = find("sprites")
    options = GenerateOptions.of({"prompt": "a greenskin hiking to the west, boots of gold"})
    seen, made = completed(options, SPRITES, 3, 0, world)
    said = {"body": "orc", "action": "walk", "facing": "left", "feet": "golden boots"}
    assert not set(made) & set(said)
    assert {"sex", "torso"} <= set(made)
    assert world.read is not None
    assert world.read(seen.prompt) == {**said, **made}
    assert "greenskin" not in seen.prompt
    assert completed(options, SPRITES, 3, 0, world)[0] == seen
    written = GenerateOptions.of({"prompt": "a greenskin hiking", "as_written": True})
    assert completed(written, SPRITES, 3, 0, world) == (written, {})
    strange = GenerateOptions.of({"prompt": "a castle of glass"})  # nothing of it is read: it is about somebody
    seen, made = completed(strange, SPRITES, 3, 0, world)
    assert world.read(seen.prompt) == made


def test_the_character_of_a_story_goes_through_all_parts():
    world = find("sprites")
    assert world.read is not None
    parts = [("a bearded orc in plate walks left", 1.0), ("he swings his sword", 1.0), ("he falls", 1.0)]
    seen, _ = completed(GenerateOptions.of({"story": parts}), SPRITES, 3, 0, world)
    read = [world.read(prompt) for prompt, _ in seen.story]
    assert [one["action"] for one in read] == ["walk", "slash", "hurt"]
    assert [one.get("facing") for one in read] == ["left", "left", None]  # who falls faces the viewer
    assert {(one["body"], one["sex"], one["torso"]) for one in read} == {("orc", "male", "plate armor")}


def test_a_prompt_of_two_things_is_asked_for_by_a_sentence_each():
    """Only of a system that composes, whose world takes prompts apart."""
    model, two = load("phenaki-digits"), "Digit 3 moves left while digit 5 moves up."
    options = GenerateOptions.of({"prompt": two})
    assert not load("godiva-digits")._make_request(options, options, 0, 0).sentences, "it reads whole prompts"
    wanted = ("Two digits: digit 3 is moving left.", "Two digits: digit 5 is moving up.")
    assert model._make_request(options, options, 0, 0).sentences == {two: wanted}
    story = GenerateOptions.of({"story": ((two, 1), ("Digit 3 moves left.", 1))})
    assert model._make_request(story, story, 0, 0).sentences == {
        two: wanted,
        story.story[1][0]: ("Digit 3 is moving left.",),
    }
    strange = GenerateOptions.of({"prompt": "a 3 and a 5"})
    assert not model._make_request(strange, strange, 0, 0).sentences, "a prompt that says no motion stays as it is"


def test_without_retouching_a_model_is_told_what_the_prompt_says():
    prompt = "a king with a crown, a sword and a yellow tunic slashing"
    world = find("sprites")
    plain, kept = (GenerateOptions.of({"prompt": prompt, "retouch": on}) for on in (True, False))
    drawn_over, told = (completed(o, world.attributes, 0, 0, world)[0].prompt for o in (plain, kept))
    assert "dagger" in drawn_over
    assert "dagger" not in told
    assert "sword" in told
