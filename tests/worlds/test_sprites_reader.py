"""What a free prompt about a sprite says, what goes with it, and the caption that says the same."""

from __future__ import annotations

import numpy as np
import pytest

from storyreel.evaluate.benchmarks import prompts
from storyreel.evaluate.benchmarks.sprites import labels
from storyreel.worlds.sprites import WORLD, draw_character
from storyreel.worlds.sprites_captions import restated
from storyreel.worlds.sprites_free_words import inflected
from storyreel.worlds.sprites_reader import implied, lacking, read, read_freely, stands

ARMORED = {
    "torso": "plate armor", "head": "metal helmet", "legs": "metal greaves", "hands": "metal gloves",
    "feet": "metal boots",
}  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a drow priestess, back to us", {"body": "dark elf", "sex": "female", "facing": "up"}),
        ("orc sneaking left", {"body": "orc", "action": "walk", "facing": "left"}),
        ("wizard girl looking at me", {"sex": "female", "facing": "down"}),
        ("an undead king in shining armor", {"body": "skeleton", "sex": "male", "torso": "plate armor"}),
        ("his hair is white, she said", {"hair_color": "white", "sex": "male"}),
        ("blue jeans and a purple vest", {"legs": "teal pants", "torso": "purple tabard"}),
        ("zombie with an axe", {"body": "orc", "weapon": "mace"}),
        ("a pikeman fights with his spear", {"weapon": "spear", "action": "thrust", "sex": "male"}),
        ("nothing that this world has", {}),
        ("Sir Galahad walks up to a door", {"sex": "male", "action": "walk"}),
        ("Anna in a wedding dress", {"sex": "female", "torso": "white dress"}),
        ("a blacksmith's daughter", {"sex": "female"}),
        ("hood up, bow in hand", {"head": "cloth hood", "weapon": "bow"}),
        ("short blonde hair", {"hair_style": "plain hair", "hair_color": "blonde"}),
        ("a monk with a shaved head raising his arms", {"sex": "male", "hair_style": "bald", "action": "spellcast"}),
        ("white hair in a bun", {"hair_color": "white", "hair_style": "long hair in a knot"}),
        ("a red beard and an iron helmet", {"facial_hair": "red beard", "head": "kettle hat"}),
        ("Robin Hood shooting", {"action": "shoot"}),
        ("a shopkeeper in a green apron", {"torso": "white shirt"}),
        ("a tan young man", {"body": "tanned", "sex": "male"}),
        ("a thief in black leather", {"torso": "leather armor"}),
        ("a guard holding a spear", {"weapon": "spear", "action": "walk"}),
        ("a guard holding a longsword", {"weapon": "longsword"}),
        ("holding a spear, she fights", {"weapon": "spear", "action": "thrust", "sex": "female"}),
    ],
)
def test_words_that_no_caption_has(prompt: str, expected: dict[str, str]):
    assert read_freely(prompt) == expected


def test_free_words_give_way_to_the_words_of_captions():
    assert read_freely("a hiking man who falls down")["action"] == "hurt"
    assert read_freely("boots, golden boots")["feet"] == "golden boots"


def test_what_captions_say_is_read_alike_both_ways():
    for prompt in prompts("sprites").prompts:
        if prompt.group in ("training", "held-out"):
            sure = read(prompt.prompt).attributes
            assert {name: read_freely(prompt.prompt)[name] for name in sure} == sure


@pytest.mark.parametrize(("group", "least"), [("natural", 0.97), ("plain", 0.98)])
def test_nearly_all_that_other_wordings_say_is_read(group: str, least: float):
    """Plain prompts are of another grammar; natural ones were written by people."""
    pairs = [
        (value, read_freely(prompt.prompt).get(name))
        for prompt in prompts("sprites").prompts if prompt.group == group
        for name, value in labels(prompt.expected).items() if value and name in WORLD.judged
    ]  # fmt: skip
    assert np.mean([value == found for value, found in pairs]) >= least


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a knight", dict(ARMORED)),
        ("a knight in golden armor", {n: v.replace("metal", "golden") for n, v in ARMORED.items() if n != "torso"}),
        ("an orc with a spear", {"action": "thrust", "facing": "right"}),
        ("an orc with a spear, walking", {"facing": "right"}),
        ("a dark elf archer", {"ears": "elven", "torso": "leather armor", "action": "shoot", "facing": "right"}),
        ("a skeleton archer", {"action": "shoot", "facing": "right"}),
        ("an old man walking", {"hair_color": "gray"}),
        ("a grandma with red hair walking", {}),
        ("an old man in a metal helmet walking", {}),
        ("a princess walking", {"torso": "blue dress"}),
        ("a barbarian woman", {}),
        ("a zombie pirate", {"torso": "brown shirt", "head": "red bandana", "sex": "male"}),
        ("a red beard and an iron helmet", {}),
        ("a bearded man in a steel helmet", {"facial_hair": "brown beard"}),
        ("someone in a dark hooded cloak", {"head": "cloth hood"}),
        (
            "Robin Hood",
            {"torso": "leather armor", "head": "leather cap", "action": "shoot", "sex": "male", "facing": "right"},
        ),
        ("an orc, side view", {"facing": "right"}),
        ("an orc slashing", {"weapon": "longsword", "facing": "down"}),
        ("a man slashing", {"weapon": "longsword", "facing": "down"}),
        ("a man slashing with a saber", {"facing": "right"}),
        ("a man with a mace", {"action": "slash", "facing": "down"}),
        ("a man with a shield", {"action": "walk", "facing": "down"}),
        ("a man punching", {"facing": "right"}),
        ("a bald man with a brown beard", {}),
        ("a nun", {"torso": "black robe", "head": "cloth hood"}),
        ("an orc slashing with a mace, seen from behind", {}),
        ("an orc, side view, facing left", {}),
    ],
)
def test_what_goes_with_it(prompt: str, expected: dict[str, str]):
    assert implied(prompt, read_freely(prompt)) == expected


def test_a_restated_prompt_says_all_of_it_in_words_of_captions():
    for seed in range(60):
        rng = np.random.default_rng(seed)
        seen = {n: v for n, v in draw_character(rng).attributes.items() if v and n in WORLD.attributes}
        if seen["body"] == "skeleton":
            seen.pop("sex", None)
        text = restated(seen, rng)
        said = read(text)
        assert {n: seen[n] for n in said.attributes} == said.attributes, text
        missing = set(seen) - set(said.attributes)
        assert missing <= {"ears", "hair_style", "eyes", "weapon"}, (text, missing)
        assert not said.conflicts


@pytest.mark.parametrize(
    ("verb", "forms"),
    [
        ("walk", "walk walks walking walked"),
        ("stab", "stab stabs stabbing stabbed"),
        ("die", "die dies dying died"),
        ("slash", "slash slashes slashing slashed"),
        ("carry", "carry carries carrying carried"),
        ("hike", "hike hikes hiking hiked"),
    ],
)
def test_forms_of_verbs(verb: str, forms: str):
    assert inflected(verb) == tuple(forms.split())


def test_who_is_hardly_described_is_dressed_from_head_to_toe():
    assert WORLD.complete
    for seed in range(12):
        made = WORLD.complete(
            {"sex": "female", "torso": "green dress", "action": "walk"}, np.random.default_rng(seed), False
        )
        assert not {"sex", "torso", "action", "head", "cape"} & set(made)
        assert {"feet", "hair_color", "hair_style"} <= set(made)
        assert "legs" not in made  # a dress hides them
        made = WORLD.complete({"body": "light", "legs": "teal pants"}, np.random.default_rng(seed), False)
        assert {"sex", "torso", "feet", "hair_color"} <= set(made)
    bones = WORLD.complete({"body": "skeleton"}, np.random.default_rng(0), False)
    assert bones == {"feet": "bare feet", "head": "bare head", "hair_style": "bald"}
    bones = WORLD.complete({"body": "skeleton", "torso": "chain mail"}, np.random.default_rng(0), False)
    assert bones["feet"] != "bare feet"
    for body in ("orc", "red orc", "skeleton"):  # else they get hair of every color
        made = WORLD.complete({"body": body}, np.random.default_rng(0), False)
        assert (made["head"], made["hair_style"]) == ("bare head", "bald")
        made = WORLD.complete({"body": body, "hair_style": "mohawk"}, np.random.default_rng(0), False)
        assert "hair_style" not in made
    for seed in range(12):
        made = WORLD.complete({"sex": "male", "torso": "brown shirt"}, np.random.default_rng(seed), False)
        assert not {"metal greaves", "metal boots", "white slippers"} & set(made.values())
        robed = WORLD.complete({"sex": "male", "torso": "gray robe", "facial_hair": "gray beard"},
                               np.random.default_rng(seed), False)  # fmt: skip
        assert "legs" not in robed
        assert robed["feet"] == "brown shoes"  # of a man in a robe, models show the feet
    for body in ("orc", "red orc", "skeleton"):  # whatever they wear on their heads
        made = WORLD.complete({"body": body, "head": "leather cap"}, np.random.default_rng(0), False)
        assert not {"head", "hair_color", "hair_style"} & set(made)
    gilded = {"golden armor", "golden greaves", "golden boots"}
    for seed in range(12):  # nobody is clad in gold or goes barefoot unasked
        made = WORLD.complete({"legs": "brown skirt", "torso": "brown shirt"}, np.random.default_rng(seed), False)
        assert not {*gilded, "bare feet"} & set(made.values())
    for sex, style in (("male", "plain hair"), ("female", "long hair")):
        made = WORLD.complete({"sex": sex}, np.random.default_rng(5), True)
        assert (made["hair_color"], made["hair_style"]) == ("brown", style)
    helmet = WORLD.complete({"body": "light", "head": "metal helmet"}, np.random.default_rng(0), False)
    assert "hair_color" not in helmet
    same = WORLD.complete({"body": "orc"}, np.random.default_rng(3), False)
    assert same == WORLD.complete({"body": "orc"}, np.random.default_rng(3), False)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a woman in a green tunic", {"torso": "teal tunic"}),
        ("a man in a red shirt and black pants", {"torso": "maroon shirt", "legs": "teal pants"}),
        ("a girl in a yellow dress", {"torso": "white dress"}),
        ("a woman in a pink dress", {"torso": "red dress"}),
        ("a boy in grey shorts", {"legs": "white pants"}),
        ("a ninja in black", {"torso": "brown shirt", "legs": "teal pants"}),
        ("a girl all in white", {"torso": "white dress"}),
        ("a woman in blue walking", {"torso": "blue dress", "action": "walk"}),
        ("a man in black boots", {"feet": "black shoes"}),
    ],
)
def test_colors_that_a_garment_lacks_are_read_as_the_nearest(prompt: str, said: dict[str, str]):
    assert WORLD.read
    found = WORLD.read(prompt)
    assert {name: value for name, value in found.items() if name != "sex"} == said


def test_words_of_attributes_are_such_as_people_read():
    for name, attribute in WORLD.attributes.items():
        for value in attribute.values.values():
            assert all(word == " ".join(word.split()).removeprefix("a ") for word in value.words), (name, value.words)


def test_beards_have_the_color_of_the_hair():
    assert WORLD.read
    assert WORLD.implied
    for prompt, hair, beard in (
        ("a bearded man", "brown", "brown beard"),
        ("a bearded man with black hair", "black", "black beard"),
        ("an old man with a mustache", "gray", "gray mustache"),
        ("a man with a red beard", "red", "red beard"),
        ("a dwarf with a red beard", None, "red beard"),  # under his kettle hat no hair is seen
    ):
        found = WORLD.read(prompt)
        both = {**WORLD.implied(prompt, found), **found}
        assert (both.get("hair_color"), both["facial_hair"]) == (hair, beard)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a viking with a red beard", {"torso": "leather armor", "head": "kettle hat"}),
        ("a bearded knight", {"head": "kettle hat", "facial_hair": "brown beard"}),
        ("a knight with long red hair", {"head": None, "torso": "plate armor"}),
        ("a dwarf with black hair", {"facial_hair": "black beard", "head": None}),
        ("a dwarf woman", {"facial_hair": None}),
        ("a dwarf without a beard", {"facial_hair": None, "head": "kettle hat"}),
        ("not a knight but a farmer", {"torso": "brown shirt", "head": None}),
        ("a wizzard", {"torso": "blue robe"}),
    ],
)
def test_callings_hide_and_add_nothing_against_what_is_said(prompt: str, expected: dict[str, str | None]):
    found = implied(prompt, read_freely(prompt))
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("neither hat nor boots", {"head": "bare head", "feet": "bare feet"}),
        ("no hood or beard", {"head": "bare head"}),
        ("a king who isn't wearing a crown", {"sex": "male", "head": "bare head"}),
        ("a knihgt with a sheild", {"weapon": "shield"}),
        ("a greybeard with a waraxe", {"facial_hair": "gray beard", "weapon": "mace"}),
        ("cape: blue, a red silk dress", {"cape": "blue cape", "torso": "red dress"}),
        ("a man in black", {"sex": "male", "torso": "black robe"}),
        ("a nun in a robe", {"sex": "female", "torso": "black robe"}),
        ("a robe", {"torso": "brown robe"}),
        ("a jester in yellow and red", {"torso": "red robe"}),
        ("a warrior queen", {"sex": "female"}),
        ("a blacksmith swinging a hammer", {"sex": "male", "weapon": "mace", "action": "slash"}),
    ],
)
def test_slips_compounds_denials_and_other_orders(prompt: str, expected: dict[str, str]):
    assert read_freely(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a girl in a yellow dress", {"yellow dress": "white dress"}),
        ("a purple hood", {"purple hood": "cloth hood"}),
        ("a red skirt", {"red skirt": "red pants"}),
        ("a green hood", {"green hood": "cloth hood"}),
        ("a straw hat", {"straw hat": "leather cap"}),
        ("a teal gown", {"teal gown": "blue dress"}),
        ("a reptile", {"reptile": "orc"}),
        ("a demon", {"demon": "red orc"}),
        ("a child", {"child": "a grown person"}),
        ("a goblin who is an orc", {"goblin": "orc"}),
        ("a red dress and a brown skirt", {}),
    ],
)
def test_what_there_is_not_is_said_with_what_comes_nearest(prompt: str, expected: dict[str, str]):
    assert lacking(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "like"),
    [
        ("a vampire", "black robe"),
        ("a ghost", "white dress"),
        ("a scarecrow", "leather cap"),
        ("a werewolf", "orc"),
    ],
)
def test_who_there_is_not_looks_like_somebody(prompt: str, like: str):
    assert like in lacking(prompt)[prompt.removeprefix("a ")]
    assert like in implied(prompt, read_freely(prompt)).values()


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("an idle guard", True),
        ("a knight standing still, facing left", True),
        ("a soldier standing guard", True),
        ("a knight", False),
        ("a standing archer shooting", False),
        ("a woman walks", False),
    ],
)
def test_who_stands_does_nothing_else(prompt: str, expected: bool):
    assert stands(prompt) is expected


def test_of_several_people_one_is_drawn_and_that_is_said():
    assert lacking("Two goblins walking")["two goblins"] == "one at a time"
    assert "one at a time" in lacking("three old men walking").values()
    for prompt in ("a knight with two swords", "a two-handed sword swung by an orc", "an orc"):
        assert "one at a time" not in lacking(prompt).values()
