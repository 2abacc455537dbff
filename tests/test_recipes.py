"""Every recipe: it builds, its numbers agree with one another, and it is JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from storyreel import recipes
from storyreel.json_file import read_object
from storyreel.recipe import Recipe, as_json, from_json, override, override_all
from storyreel.recipes import _sizes
from storyreel.recipes._sizes import FILE, size_of
from storyreel.systems.base import Batch, Stage, Tick
from storyreel.systems.make_a_video_prior import ImageTextStage

CLIP = "clip:openai/clip-vit-large-patch14"


def built_on_meta(name: str) -> Any:
    with torch.device("meta"):
        return recipes.get(name).system.build()


def parameters(stage: Stage) -> int:
    """What is left of a stage when it has been trained."""
    out = {id(p) for name in stage.training_only for p in stage.get_submodule(name).parameters()}
    return sum(p.numel() for p in stage.parameters() if id(p) not in out)


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_builds(name: str):
    recipe, system = recipes.get(name), built_on_meta(name)
    assert recipe.name == name
    trained = [n for n, stage in system.stages.items() if not (stage.frozen or isinstance(stage, ImageTextStage))]
    assert recipes.system_of(name) == system.name
    assert _sizes.size_in(recipe, system) == size_of(name), "run python -m storyreel.recipes._sizes"
    assert list(recipe.stages) == trained, "a recipe for each stage, in the order of training"
    assert all(p.is_meta for p in system.parameters())


def seen_by(config: Any, stage: str) -> tuple[int, int]:
    """Pixels and channels of the clips that a stage of a system is fed."""
    if hasattr(config, "clips"):  # a cascade
        return max(config.clips[stage]), config.channels
    if hasattr(config, "dual"):
        return config.dual.size, config.channels
    if hasattr(config, "clip_frames"):  # a video GAN
        return config.size, config.channels
    return config.tokenizer.size, config.tokenizer.channels


@pytest.mark.parametrize("recipe_name", recipes.names())
def test_its_numbers_agree(recipe_name: str):
    recipe, system = recipes.get(recipe_name), built_on_meta(recipe_name)
    config: Any = recipe.system
    for name, stage in recipe.stages.items():
        size, channels = seen_by(config, name)
        whole = getattr(config, "clip_frames", None) or config.frames
        frames = 1 if stage.data.image_share == 1 else whole  # single frames, with or without captions
        assert (stage.data.frames, stage.data.size, stage.data.channels) == (frames, size, channels)
        assert stage.data.batch % stage.accumulate == 0
        assert stage.optim.warmup <= stage.steps
    dims = {
        "minilm": 384,
        "t5:google/t5-v1_1-xxl": 4096,
        "hash:32": 32,
        "hash:1": 1,
        "words:32768": 2,
        "words:2048": 2,
        "words:1024": 2,
        CLIP: 768,
    }
    dims["clip:laion/CLIP-ViT-H-14-laion2B-s32B-b79K"] = 1024
    assert system.text_dim == dims[recipe.text]


def test_every_size_is_kept_and_one_that_is_not_is_counted(tmp_path, monkeypatch):
    assert list(read_object(FILE)) == recipes.names()
    monkeypatch.setattr(_sizes, "FILE", tmp_path / "sizes.json")
    monkeypatch.setattr(_sizes, "_saved", lambda: {})
    monkeypatch.setattr(_sizes, "names", lambda: ["phenaki_tiny"])
    _sizes.main()
    size = size_of("phenaki_tiny")
    assert size.clips == (5, 16, 16)
    kept = {"parameters": size.parameters, "clips": list(size.clips)}
    assert read_object(tmp_path / "sizes.json") == {"phenaki_tiny": kept}


@pytest.mark.parametrize("name", recipes.names())
def test_it_is_json_and_back(name: str):
    recipe = recipes.get(name)
    told = json.loads(json.dumps(as_json(recipe)))
    assert from_json(type(recipe.system), told["system"]) == recipe.system


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ValueError, match="recipe: no 'phenaki_tinny'; did you mean 'phenaki_tiny'"):
        recipes.get("phenaki_tinny")


def test_a_setting_is_changed_by_its_path():
    recipe: Recipe = override(recipes.get("phenaki_tiny"), "system.prior.depth", "3")
    assert len(recipe.system.build().prior.blocks) == 3


def test_settings_that_have_to_agree_change_together_in_any_order():
    recipe = recipes.get("imagen_video_tiny")
    at = "system.base"
    changes = [(f"{at}.distill.steps", "(4, 2)"), (f"{at}.distill.guidance", "3"), (f"{at}.sampling.guidance", "3")]
    changes += [(f"{at}.sampling.steps", "2"), ("seed", "7"), ("seed", "8")]
    with pytest.raises(
        ValueError, match="sampling: expected the 2 steps and the constant guidance 3 that it is distilled to"
    ):
        override_all(recipe, changes[:3])
    for each in (changes, changes[3::-1] + changes[4:]):
        made: Recipe = override_all(recipe, each)
        assert (made.system.base.distill.final, made.system.base.sampling.steps, made.seed) == (2, 2, 8)
    with pytest.raises(ValueError, match=r"seed.more: goes into a int, which has no fields"):
        override_all(recipe, [("seed", "7"), ("seed.more", "8")])


def test_phenaki_paper_has_the_papers_size():
    """Villegas et al. 2022: a transformer of 1.8 B (Table 7), a tokenizer of about 50 M (Section 3.3)."""
    system = built_on_meta("phenaki_paper")
    assert parameters(system.prior) == pytest.approx(1.8e9, rel=0.05)
    assert parameters(system.tokenizer) == pytest.approx(50e6, rel=0.08)
    assert system.prior.time.shape[0] * system.prior.space.shape[0] == 1536  # tokens of a video, Table 6
    assert system.config.frames == 11
    assert system.config.carry == 5


def test_make_a_video_paper_has_the_papers_size():
    """As later papers count it: 9.7 B in five networks, each whole: 1.3, 3.1, 3.1, 1.4 and 0.7 B."""
    system = built_on_meta("make_a_video_paper")
    stages, c = system.stages, system.config
    counts = [parameters(stages["prior"]) - parameters(stages["encoder"])]
    nets = [stages[name].unet for name in ("decoder_video", "interpolation", "sr_l_video", "sr_h")]
    counts += [sum(p.numel() for p in net.parameters()) for net in nets]
    for count, wanted in zip(counts, (1.3e9, 3.1e9, 3.1e9, 1.4e9, 0.7e9), strict=True):
        assert count == pytest.approx(wanted, rel=0.05)
    shapes = [str(s) for s in (c.decoder.shape, c.sr_l.shape, c.sr_h.shape)]
    assert shapes == ["16x64x64 at 6 fps", "76x256x256 at 30 fps", "76x768x768 at 30 fps"]


def test_make_a_video_sprites_fits_the_package():
    """At most 16 MB packed, where a value takes 0.7 bytes to 1.3, the encoder that it holds included."""
    system = built_on_meta("make_a_video_sprites")
    whole = {id(p) for p in system.parameters()}
    assert {id(p) for p in system.encoder.parameters()} <= whole, "the encoder that it holds is counted"
    assert sum(p.numel() for p in system.parameters()) <= 12_000_000


@pytest.mark.parametrize("name", [n for n in recipes.names() if n.endswith("_tiny")])
def test_a_tiny_recipe_takes_steps(name: str):
    recipe = recipes.get(name)
    torch.manual_seed(0)
    system: Any = recipe.system.build()
    for key in recipe.stages:
        stage = system.stages[key]
        optimizers = {t: torch.optim.AdamW(stage.parameters_for(t), lr=1e-3) for t in stage.turns}
        before = [p.detach().clone() for p in stage.parameters()]
        losses = [step(stage, optimizers, batch(recipe, key), number) for number in range(2)]
        assert all(loss.isfinite() for loss in losses)
        assert any(not p.equal(old) for p, old in zip(stage.parameters(), before, strict=True))


def batch(recipe: Recipe, stage: str) -> Batch:
    data, rng = recipe.stages[stage].data, torch.Generator().manual_seed(0)
    b, dim = 2, int(recipe.text.rpartition(":")[2])
    return {
        "video": torch.rand(b, data.channels, data.frames, data.size, data.size, generator=rng) * 2 - 1,
        "length": torch.tensor([data.frames, 1]),
        "context": torch.tensor([1, 0]),
        "text": torch.randn(b, 4, dim, generator=rng),
        "text_mask": torch.ones(b, 4, dtype=torch.bool),
    }


def step(stage: Stage, optimizers: dict[str, torch.optim.Optimizer], data: Batch, number: int) -> torch.Tensor:
    total = torch.zeros(())
    for turn, optimizer in optimizers.items():
        loss = stage.loss(data, Tick(step=number, turn=turn, rng=torch.Generator().manual_seed(number)))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        total = total + loss.total.detach()
    return total
