"""The grammar of the sprites' captions: true, varied, complete, and with words and forms that training never has."""

import random
from collections import Counter

import numpy as np
import pytest

from storyreel.worlds import sprites_forms, sprites_phrases, sprites_wardrobe, sprites_words
from storyreel.worlds.sprites import JUDGED, draw_character
from storyreel.worlds.sprites_captions import PHRASINGS, Mix, caption, with_typo
from storyreel.worlds.sprites_reader import lexicon, read, tokens_of
from storyreel.worlds.sprites_words import Phrases

EXACT = Mix(typos=0)


def draws(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    return [(draw_character(rng).attributes, rng) for _ in range(n)]


def thesaurus() -> list[Phrases]:
    found: list[Phrases] = []

    def collect(thing) -> None:
        if isinstance(thing, Phrases):
            found.append(thing)
        elif isinstance(thing, (dict, tuple)):
            for part in thing.values() if isinstance(thing, dict) else thing:
                collect(part)

    for module in (sprites_words, sprites_wardrobe, sprites_phrases):
        for name, thing in vars(module).items():
            if name.isupper() and name != "GARMENT":  # its phrases are composed of the others
                collect(thing)
    return found


def as_words(phrase: str) -> str:
    for slot in ("{c}", "{w}", "{p}"):
        phrase = phrase.replace(slot, "")
    return f" {' '.join(tokens_of(phrase))} "


@pytest.mark.parametrize("phrasing", PHRASINGS)
def test_what_a_caption_says_is_what_it_mentions_and_true(phrasing):
    for seen, rng in draws(3000):
        told = caption(seen, rng, phrasing=phrasing, mix=EXACT)
        reading = read(told.text)
        assert reading.attributes == {name: seen[name] for name in told.mentions}, told
        assert not reading.conflicts, told


def test_no_phrase_of_the_thesaurus_means_two_things():
    assert len(lexicon()) > 5000  # it raises where one does


def test_most_captions_say_all_that_can_be_seen():
    complete = 0
    for seen, rng in draws(2000):
        mentions = caption(seen, rng).mentions
        complete += all(seen[n] is None or n in mentions or str(seen[n]).startswith("bare") for n in JUDGED)
    assert complete > 1300
    for seen, rng in draws(500, seed=1):
        mentions = caption(seen, rng, full=True).mentions
        assert all(seen[n] is None or n in mentions or str(seen[n]).startswith("bare") for n in JUDGED)


def test_shares_of_short_and_partial_captions_are_options():
    seen = draws(1, seed=4)[0][0]
    rng = np.random.default_rng(0)
    short = [len(caption(seen, rng, mix=Mix(short=1.0, partial=0.0)).mentions) for _ in range(200)]
    assert max(short) <= 3
    assert min(short) >= 1
    assert len({caption(seen, rng, mix=Mix(short=0.0, partial=1.0)).mentions for _ in range(200)}) > 20
    full = {len(caption(seen, rng, mix=Mix(short=0.0, partial=0.0)).mentions) for _ in range(200)}
    assert min(full) > 4
    for wrong in ({"short": 1.2}, {"partial": -0.1}, {"short": 0.6, "partial": 0.6}):
        with pytest.raises(ValueError, match="expected"):
            Mix(**wrong)
    with pytest.raises(ValueError, match="phrasing"):
        caption(seen, rng, phrasing="held_out")


def test_there_are_thousands_of_templates_and_no_form_is_all_of_them():
    templates = Counter(caption(seen, rng).template for seen, rng in draws(8000))
    assert len(templates) > 1000
    forms = Counter()
    for template, count in templates.items():
        forms[template.split()[0]] += count
    assert len(forms) >= 20
    assert max(forms.values()) < 0.15 * 8000


def test_held_out_words_and_forms_are_in_no_training_caption():
    groups = thesaurus()
    held = {as_words(p) for group in groups for p in group.held_out}
    known = {as_words(p) for group in groups for p in group.known}
    assert len(held) > 150
    assert not [(h, k) for h in held for k in known if h in k]
    for seen, rng in draws(3000, seed=2):
        told = caption(seen, rng, mix=EXACT)
        assert told.template.split()[0] not in {form.__name__ for form in sprites_forms.HELD_OUT_FORMS}
        said = as_words(told.text)
        assert not [h for h in held if h in said], told.text


def test_held_out_captions_use_held_out_forms_and_words():
    groups = thesaurus()
    held = {as_words(p) for group in groups for p in group.held_out}
    new, forms = 0, set()
    for seen, rng in draws(300, seed=3):
        told = caption(seen, rng, phrasing="held-out", full=True, mix=EXACT)
        forms.add(told.template.split()[0])
        new += any(h in as_words(told.text) for h in held)
    assert forms == {form.__name__ for form in sprites_forms.HELD_OUT_FORMS}
    assert not forms & {form.__name__ for form in sprites_forms.FORMS}
    assert new > 290


def test_every_phrase_occurs():
    """What is in the thesaurus for training is said in training."""
    said = " ".join(as_words(caption(seen, rng, mix=EXACT).text) for seen, rng in draws(12000, seed=5))
    wanted = {as_words(p) for p in sprites_words.WEAPON["mace"].known + sprites_wardrobe.GARMENT["head"]["tiara"].known}
    wanted |= {as_words(p) for p in sprites_words.HAIR_COLOR["black"].known}
    assert not {w for w in wanted if w.strip() not in said}


@pytest.mark.parametrize(
    ("prompt", "attributes"),
    [
        ("a raven-haired woman", {"hair_color": "black", "sex": "female"}),
        ("an orc clad in gilded plate", {"body": "orc", "torso": "golden armor"}),
        ("Somebody in crimson breeches", {"legs": "red pants"}),
        ("a man hewing at someone to the west", {"sex": "male", "action": "slash", "facing": "left"}),
        ("a lady seen over her shoulder", {"sex": "female", "facing": "up"}),
        ("a red-haired girl in a green dress", {"sex": "female", "hair_color": "red", "torso": "green dress"}),
        ("princess with a tiara", {"sex": "female", "head": "tiara"}),
        ("SKELETON WARRIOR, kettle hat", {"body": "skeleton", "head": "kettle hat"}),
        ("a drow attacking with a sabre", {"body": "dark elf", "action": "slash", "weapon": "saber"}),
        ("grey leg armour", {}),
    ],
)
def test_prompts_are_read(prompt, attributes):
    assert read(prompt).attributes == attributes


def test_words_that_mean_nothing_here_are_given():
    assert read("a zombie in a green dress").rest == ("a", "zombie", "in", "a")
    assert read("a man and a woman").conflicts == (("sex", "female"),)


def test_a_typo_is_one_letter_in_a_long_word():
    for seed in range(200):
        wrong = with_typo("a woman wearing crimson trousers", random.Random(seed))
        assert wrong != "a woman wearing crimson trousers" or "ss" in wrong  # two equal letters swapped
        assert abs(len(wrong) - len("a woman wearing crimson trousers")) <= 1
        assert wrong.startswith("a woman ")


def test_captions_fit_into_what_the_recipes_read():
    """Even CLIP's 77 tokens are enough for training; the held-out words are rarer, so they are longer in pieces."""
    from tokenizers import Tokenizer

    from storyreel.text.minilm import find_weights

    pieces = Tokenizer.from_file(str(find_weights()["tokenizer.json"]))
    pieces.no_truncation()
    pieces.no_padding()
    texts = [caption(seen, rng, full=True).text for seen, rng in draws(3000, seed=6)]
    assert max(len(e.ids) for e in pieces.encode_batch(texts)) <= 77


def test_a_caption_depends_on_its_generator_alone():
    seen = draws(1)[0][0]
    assert caption(seen, np.random.default_rng(3)) == caption(seen, np.random.default_rng(3))
    assert len({caption(seen, np.random.default_rng(i)).text for i in range(100)}) > 95
