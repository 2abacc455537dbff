"""GODIVA as a whole, from a model folder: sentences to clips, given frames, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_model import make_tiny

import storyreel
from storyreel import Clip, recipes
from storyreel.model import load_model
from storyreel.systems.base import Request
from storyreel.systems.godiva import Godiva, GodivaConfig
from storyreel.systems.godiva_tokenizer import FrameVQVAEConfig
from storyreel.text import load_text_encoder

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("shelf") / "tiny-godiva", "godiva_tiny")


@pytest.fixture
def model(folder: Path) -> Any:
    return storyreel.load(folder)


def picture(frames: int = 1, size: int = 16) -> Clip:
    rng = np.random.default_rng(0)
    return Clip(rng.integers(0, 255, (frames, size, size, 3), np.uint8))


def same(a: Clip, b: Clip) -> bool:
    return np.array_equal(a.frames, b.frames)


def test_a_sentence_becomes_a_clip(model):
    (clip,) = model("an orc", seed=7)
    assert clip.frames.shape == (5, 16, 16, 3)
    assert clip.caption == "an orc"
    assert clip.meta["guidance"] == model.system.config.generator.guidance
    assert clip.meta["steps"] is None
    assert same(clip, model("an orc", seed=7)[0])
    assert not same(clip, model("an orc", seed=8)[0])
    assert not same(clip, model("a woman walks", seed=7, guidance=4)[0])


def test_a_video_depends_on_seed_and_index_alone(model):
    three, two = model("an orc", count=3), model("an orc", count=2)
    assert same(three[1], two[1])
    assert not same(three[0], three[1])
    alone = model.system.candidates(Request.of(prompt="an orc", seed=3), 3, model.text, lambda _: None)
    model.system.together = 2
    assert [same(a, b) for a, b in zip(
        alone, model.system.candidates(Request.of(prompt="an orc", seed=3), 3, model.text, lambda _: None), strict=True
    )] == [True] * 3, "however many are made at a time"  # fmt: skip


def test_fewer_frames_are_the_first_ones(model):
    whole, short = model("an orc", seed=1)[0], model("an orc", seed=1, frames=2)[0]
    assert np.array_equal(whole.frames[:2], short.frames)
    with pytest.raises(ValueError, match="frames: this model makes 1 to 5 frames, got 6"):
        model("an orc", frames=6)


def test_an_image_is_the_first_frame(model):
    (clip,) = model("an orc", image=picture(), seed=2)
    assert len(clip) == 5
    assert np.array_equal(clip.frames[0], picture().frames[0])
    assert not np.array_equal(clip.frames[1:], model("an orc", seed=2)[0].frames[1:])


@pytest.mark.parametrize(("given", "frames", "whole"), [(2, None, 5), (4, 3, 7), (9, None, 11), (1, 4, 5)])
def test_a_clip_is_gone_on_from(model, given: int, frames: int | None, whole: int):
    clip = picture(given)
    (longer,) = model("an orc", extend=clip, frames=frames)
    assert len(longer) == whole
    assert np.array_equal(longer.frames[:given], clip.frames)
    with pytest.raises(ValueError, match="frames: this model makes 1 to 4 frames, got 5"):
        model("an orc", extend=clip, frames=5)


def test_what_it_cannot_do_is_refused(model):
    with pytest.raises(ValueError, match="story: this model makes one clip of one prompt"):
        model(story=[("an orc", 1), ("a woman", 1)])
    with pytest.raises(ValueError, match="steps: this model draws one token after the other"):
        model("an orc", steps=4)
    with pytest.raises(ValueError, match="transparent: this model has no matte"):
        model("an orc", transparent=True)


def test_a_caption_over_35_words_is_cut_and_that_is_said(model):
    long = " ".join(["an orc walks to the left and"] * 9)
    with pytest.warns(UserWarning, match="captions longer than 35 tokens are cut to 35"):
        (clip,) = model(long)
    assert same(clip, model(f"{long} then a woman")[0])


def test_progress_and_preview(model):
    seen = []
    model("an orc", on_progress=seen.append)
    assert (seen[-1].done, seen[-1].total) == (80, 80)
    assert seen[2].preview().frames.shape == (5, 16, 16, 3)


def test_another_tokenizer_is_refused_by_its_digest(folder: Path, tmp_path: Path):
    other = make_tiny(tmp_path / "other", "godiva_tiny")
    torch.manual_seed(5)
    system, recipe, _ = load_model(other)
    with torch.no_grad():
        system.tokenizer.quantize.vectors.mul_(2)  # pyright: ignore
    from storyreel.model import save_model

    save_model(other, system, recipe=recipe, card="", training={})
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    shutil.copytree(other / "tokenizer", mixed / "tokenizer", dirs_exist_ok=True)
    with pytest.raises(ValueError, match=r"tokenizer/model\.safetensors"):
        load_model(mixed)
    told = json.loads((mixed / "model.json").read_text())
    told["components"] |= {"tokenizer": json.loads((other / "model.json").read_text())["components"]["tokenizer"]}
    (mixed / "model.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match="its digest does not fit its components"):
        load_model(mixed)


def test_a_matte_goes_in_and_comes_out():
    tiny = recipes.get("godiva_tiny").system
    assert isinstance(tiny, GodivaConfig)
    torch.manual_seed(0)
    system = Godiva(
        replace(
            tiny, tokenizer=FrameVQVAEConfig(size=16, channels=4, patch=4, dim=16, levels=(4, 4, 4), widths=(8, 16))
        )
    ).eval()
    text = load_text_encoder("hash:32")
    clip = system.generate(Request.of(prompt="an orc", transparent=True), text, lambda _: None)
    assert clip.has_alpha
    assert set(np.unique(clip.frames[..., 3])) <= {0, 255}
    assert not system.generate(Request.of(prompt="an orc"), text, lambda _: None).has_alpha
    given = clip.replace(frames=clip.frames[:1])
    moved = system.generate(Request.of(prompt="an orc", image=given, transparent=True), text, lambda _: None)
    assert np.array_equal(moved.frames[0, ..., 3], given.frames[0, ..., 3])


def test_codes_are_prepared_small_and_give_the_same_loss(model):
    from storyreel.systems.base import Tick

    system, rng = model.system, torch.Generator().manual_seed(0)
    text, mask = model.text(["an orc", "a woman"])
    batch = {"video": torch.rand(2, 3, 5, 16, 16, generator=rng) * 2 - 1, "text": text, "text_mask": mask}
    codes = system.generator.prepare(batch)["codes"]
    assert codes.dtype == torch.int16
    assert codes.shape == (2, 5, 16, 1)
    ticks = [Tick(0, "main", torch.Generator().manual_seed(3)) for _ in range(2)]
    given = {"codes": codes, "text": text, "text_mask": mask}
    assert system.generator.loss(batch, ticks[0]).total.equal(system.generator.loss(given, ticks[1]).total)
    sheet = system.generator.samples(given, torch.Generator().manual_seed(0))
    assert sheet.shape == (2, 3, 5, 16, 16)
