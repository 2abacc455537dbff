"""The page's scripts in a headless Chromium: word pieces, prompts and GIFs are those of Python."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from engines import served
from PIL import Image
from webdriver import Browser, programs

from storyreel.text.minilm import find_weights, load_tokenizer
from storyreel.web.export import PAGE, _vocabulary
from storyreel.worlds import find, sprites_reader

pytestmark = pytest.mark.skipif(programs() is None, reason="sh .ci/browser installs Chromium and its driver")
SENTENCES = [
    "", "   ", "an orc", "A WOMAN with Purple-Hair, facing left!", "Émile's naïve façade", "don't  stop\tnow\n",
    "unbelievableness antidisestablishmentarianism", "x" * 100, "y" * 101, "骑士 walks 走", "ΟΔΥΣΣΕΥΣ and İstanbul ẞ",
    "emoji \U0001f9d9\u200d\u2642\ufe0f wizard", "[MASK] and [CLS]", "a\u00a0b\u3000c\u200bd\ufeffe", "100% of 3.14",
    "$5 #tag @you",
    "¿qué? «hola» — yes… “no”", "\u0007bell\x00null\ufffd", "ﬁne ligature ½",
    "한국어 텍스트", "a_b_c ~tilde` ^hat|pipe",
]  # fmt: skip
PROMPTS = [
    "a drow priestess, back to us", "an orc", "a knight with a golden helmet attacking with a mace", "nobody knows",
    "A raven-haired girl in a crimson dress strolling to the east", "skelleton archer", "she fights", "a fisherwoman",
    "an armoured man with a grey beard", "a wizard casting", "her hair is azure", "a pirate with a bandana dying",
    "a ninja in black", "a girl all in white", "a woman in blue walking", "a man in black boots",
    "a farmer in brown overalls", "a dwarf with a red beard", "a viking with a red beard and an iron helmet",
    "zombie pirate", "Gandalf casting a fireball", "a girl with white hair in a bun walks up to a door", "Robin Hood",
    "not a knight but a farmer, no hat or beard", "a knihgt with a waraxe", "cape: blue, a red silk dress",
    "a jester in yellow and red", "a barbarian queen", "a nun in a robe", "a greybeard, hoodless",
    "a knight w/o helmet, w/ sheild & mace", "fire mage casting a spell", "a ninja in black throwing a knife", "lefft",
    "a man punching", "a viking, bearded, in an iron helmet", "a paladin in golden armor, walking", "ripped jeans",
    "a brown hooded cloak", "singing angels", "a bald man with a red beard", "an orc slashing", "a man boxing",
    "a soldier with a shield", "a smith with a hammer",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("scripts")
    source = Path(__file__).parents[2] / "storyreel" / "web" / "page"
    for name in PAGE:
        (folder / name).write_bytes((source / name).read_bytes())
    tokenizer = load_tokenizer(find_weights()["tokenizer.json"])
    text = type("Text", (), {"_tokenizer": tokenizer})()
    (folder / "vocabulary.txt").write_text(_vocabulary(text))
    world = find("sprites")
    assert world.page is not None
    attributes = {name: each.as_json() for name, each in world.attributes.items()}
    (folder / "prompts.json").write_text(json.dumps({"attributes": attributes, **world.page()}))
    (folder / "try.html").write_text("""<!doctype html><meta charset="utf-8"><script type="module">
        import { WordPiece } from "./wordpiece.js";
        import { Prompts } from "./prompts.js";
        import { sample, random } from "./sampler.js";
        import { gif, withoutSpecks } from "./pixels.js";
        const pieces = (await (await fetch("vocabulary.txt")).text()).trimEnd().split("\\n");
        const data = await (await fetch("prompts.json")).json();
        const words = new Prompts({ attributes: data.attributes });
        const [word, prompts] = [new WordPiece(pieces), new Prompts(data)];
        window.all = { pieces: word, prompts, words, sample, random, gif, withoutSpecks };
    </script>""")
    with served(folder) as address, Browser(tmp_path_factory.mktemp("profile")) as opened:
        opened.open(f"{address}/try.html")
        opened.wait("window.all")
        yield opened


def test_word_pieces_are_those_of_the_tokenizer(browser: Browser):
    tokenizer = load_tokenizer(find_weights()["tokenizer.json"])
    expected = [tokenizer.encode(sentence).ids for sentence in SENTENCES]
    assert browser.run("return arguments[0].map(one => all.pieces.encode(one))", SENTENCES) == expected


def test_prompts_are_read_as_in_python(browser: Browser):
    got = browser.run("return arguments[0].map(one => all.prompts.read(one))", PROMPTS)
    for prompt, found in zip(PROMPTS, got, strict=True):
        assert found == sprites_reader.read_freely(prompt), prompt


def test_orcs_have_no_hair_and_beards_have_a_color(browser: Browser):
    ask = "return arguments[0].map(one => all.prompts.completed(one, 3).text)"
    asked = [
        "an orc with a leather cap",
        "a bearded man with black hair",
        "an old bearded man",
        "an orc",
        "a zombie pirate",
    ]
    cap, beard, old, bald, pirate = browser.run(ask, asked)
    assert "hair" not in cap
    assert "no hair" in bald
    assert "red bandana" in pirate
    assert "hair" not in pirate
    assert "black beard" in beard
    assert "gray beard" in old


def test_what_is_restated_keeps_what_was_said(browser: Browser):
    made = browser.run("return arguments[0].map((one, seed) => all.prompts.completed(one, seed))", PROMPTS)
    for prompt, one in zip(PROMPTS, made, strict=True):
        said = sprites_reader.read_freely(prompt)
        again = sprites_reader.read(one["text"])
        assert again.conflicts == ()
        hidden = {"sex", "ears"} if said.get("body") == "skeleton" else {"ears"} if "body" in said else set()
        assert {n: v for n, v in said.items() if n not in hidden} == {
            n: again.attributes.get(n) for n in said if n not in hidden
        }
        assert not re.search(r"undefined|null|\{|  ", one["text"])
        assert {"action", "torso"} <= set(again.attributes) or said.get("body") == "skeleton"


def test_the_same_seed_gives_the_same_draw(browser: Browser):
    draw = "return [7, 7, 8].map(seed => all.prompts.completed('an elf', seed).text)"
    first, again, other = browser.run(draw)
    assert first == again != other


def test_a_world_without_a_thesaurus_adds_what_is_open(browser: Browser):
    made = browser.run("return all.words.completed('a man with red hair', 0)")
    assert made["text"].startswith("a man with red hair, ")
    assert "walking" in made["text"]
    assert "facing the viewer" in made["text"]


def test_the_sampler_fills_every_hole_with_what_is_certain(browser: Browser):
    script = """
        const s = {sizes: [3, 4], tokens: 6, steps: 4, temperature: 1};
        const truth = [...Array(12).keys()].map(u => u % 3);
        const asked = [], shown = [];
        const logits = async codes => {
            asked.push(codes.filter((c, u) => c === s.sizes[u % 2]).length);
            const rows = new Float32Array(6 * 7).fill(-50);
            truth.forEach((v, u) => { rows[Math.floor(u / 2) * 7 + (u % 2) * 3 + v] = 50; });
            return rows;
        };
        return all.sample(s, 5, logits, async (step, codes) => shown.push([...codes]))
            .then(codes => ({codes: [...codes], truth, asked, shown}));
    """
    told = browser.run(script)
    assert told["codes"] == told["truth"]
    assert told["asked"] == [12, 11, 8, 4]  # the cosine schedule: floor(12 cos(pi/2 i/4))
    assert told["shown"] == [told["truth"]] * 4


def test_a_gif_has_the_pixels(browser: Browser):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 6, (3, 16, 16, 4)).astype(np.uint8) * 40
    frames[..., 3] = np.where(frames[..., 3] > 80, 255, 0)
    frames[frames[..., 3] == 0] = 0
    script = "return btoa(String.fromCharCode(...all.gif(new Uint8Array(arguments[0]), 3, 16, 8, 2)))"
    made = Image.open(io.BytesIO(base64.b64decode(browser.run(script, frames.flatten().tolist()))))
    assert made.size == (32, 32)
    assert made.n_frames == 3  # pyright: ignore[reportAttributeAccessIssue]
    for t, frame in enumerate(frames):
        made.seek(t)
        got = np.array(made.convert("RGBA"))[::2, ::2]
        got[got[..., 3] == 0] = 0
        np.testing.assert_array_equal(got, frame)


def test_specks_go_as_in_python(browser: Browser):
    from storyreel.generate.crisp import specks

    solid = np.random.default_rng(1).random((4, 16, 16)) < 0.08
    pixels = np.repeat(solid[..., None].astype(np.uint8) * 255, 4, -1)
    script = "return [...all.withoutSpecks(new Uint8Array(arguments[0]), 4, 16)]"
    got = np.array(browser.run(script, pixels.flatten().tolist())).reshape(pixels.shape)[..., 3] > 0
    expected = solid & ~specks(solid)
    assert expected.sum() < solid.sum()
    np.testing.assert_array_equal(got, expected)
