"""The packed text encoder: the states of MiniLM but for rounding, and a plain word for what it lacks."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from storyreel.cli import main
from storyreel.data.vocabulary import typos, words_of
from storyreel.text import load_text_encoder
from storyreel.text.minilm_words import MiniLMWords, pack_minilm
from storyreel.worlds.digits import Digits
from storyreel.worlds.sprites import draw_character
from storyreel.worlds.sprites_captions import Mix, caption, with_typo


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text") / "digits"
    pack_minilm(words_of("digits", draws=500), "digits", folder)
    return folder


def test_states_are_minilms_but_for_rounding(digits):
    packed, whole = MiniLMWords(digits), load_text_encoder("minilm")
    captions = [text for seed in range(8) for text in Digits.say(np.random.default_rng(seed))]
    ours, mask = packed(captions)
    theirs, other = whole(captions)
    assert (mask == other).all()
    assert torch.linalg.norm(ours - theirs) / torch.linalg.norm(theirs) < 5e-3
    assert packed.name.startswith("minilm-words:")
    assert packed.name != whole.name  # states of the two are never mixed in a cache
    assert load_text_encoder(f"minilm-words:{digits}").name == packed.name
    assert sum(file.stat().st_size for file in digits.iterdir()) < 24 * 2**20


def test_other_words_are_refused_by_name(digits):
    packed = MiniLMWords(digits)
    with pytest.raises(ValueError, match=r"only the words of digits, and not 'zeppelin' in 'a zeppelin moves up'"):
        packed(["digit 3 moves up", "a zeppelin moves up"])


def test_all_captions_of_the_sprites_are_there_typing_errors_too(tmp_path):
    import random

    pack_minilm(words_of("sprites", draws=200), "sprites", tmp_path / "t")
    packed = MiniLMWords(tmp_path / "t")
    said = []
    for seed in range(150):
        rng = np.random.default_rng([99, seed])
        seen = draw_character(rng).attributes
        said.append(caption(seen, rng, mix=Mix(typos=1.0)).text)
        said.append(caption(seen, rng, phrasing="held-out").text)
    packed.ids(said)  # refuses none
    assert with_typo("spellcaster", random.Random(3)) in set(typos("spellcaster"))


def test_a_changed_folder_is_told(digits, tmp_path):
    import shutil

    with pytest.raises(ValueError, match=r"is no packed text encoder"):
        MiniLMWords(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(digits, copy)
    info = json.loads((copy / "text.json").read_text())
    (copy / "text.json").write_text(json.dumps(info | {"pieces": info["pieces"][:-1]}))
    with pytest.raises(ValueError, match="it was changed"):
        MiniLMWords(copy)
    shutil.copyfile(digits / "text.json", copy / "text.json")
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    with pytest.raises(ValueError, match=r"model\.safetensors: is missing, damaged or was changed"):
        MiniLMWords(copy)


def call(*args):
    with pytest.raises(SystemExit) as done:
        main([str(a) for a in args])
    return int(done.value.code or 0)


def test_the_verbs(tmp_path, digits, capsys, monkeypatch):
    monkeypatch.delenv("STORYREEL_TEXT", raising=False)
    assert call("models", "text", "--words", "digit", "-o", tmp_path / "x") == 1
    assert "digit" in capsys.readouterr().err
    query = "digits:?clips=12&size=32&digits=1"
    short = [f"--set=stages.{s}.{k}" for s in ("tokenizer", "prior") for k in ("steps=1", "data.batch=2")]
    short += ["--set=text=minilm", "--set=system.prior.text_dim=384"]
    run = tmp_path / "run"
    assert call("train", "phenaki_tiny", "--data", query, "-o", run, *short, "--quiet", "--text", tmp_path) == 1
    assert "is no packed text encoder" in capsys.readouterr().err
    assert call("train", "phenaki_tiny", "--data", query, "-o", run, *short, "--quiet", "--text", digits) == 0
    info = json.loads((run / "model/model.json").read_text())
    assert info["recipe"]["text"] == "minilm"
    assert info["training"]["text"]["words"] == "digits"
    monkeypatch.delenv("STORYREEL_TEXT", raising=False)
    made = ["-m", run / "model", "-o", tmp_path / "a.gif", "--quiet", "--text", digits]
    assert call("generate", "a zeppelin", *made) == 1
    assert "not 'zeppelin'" in capsys.readouterr().err
    assert call("generate", "digit 3 moves up", *made) == 0
