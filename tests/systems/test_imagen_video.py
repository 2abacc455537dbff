"""Imagen Video: the cascade of seven, what each stage is given and learns, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from storyreel import recipes
from storyreel.clip import Clip
from storyreel.diffusion.sampling import Sampling
from storyreel.generate import registry
from storyreel.model import load_model, save_model
from storyreel.nn.null_text import without_text
from storyreel.nn.video_resample import at_frames, resized
from storyreel.recipe import as_json, from_json
from storyreel.storage import read_json
from storyreel.systems.base import Batch, Progress, Request, System, Tick
from storyreel.systems.cascade_stage import VideoShape
from storyreel.systems.imagen_video import ImagenVideo, ImagenVideoConfig, ImagenVideoStage, StageConfig
from storyreel.text import load_text_encoder

TEXT = load_text_encoder("hash:32")
NAMES = ["base", "tsr1", "ssr1", "ssr2", "tsr2", "tsr3", "ssr3"]


def make(channels: int = 3, **more: Any) -> ImagenVideo:
    """The tiny cascade, with weights large enough that everything matters."""
    config = recipes.get("imagen_video_tiny").system
    assert isinstance(config, ImagenVideoConfig)
    torch.manual_seed(0)
    system = replace(config, channels=channels, **more).build().eval()
    with torch.no_grad():
        for p in system.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return system


@pytest.fixture(scope="module")
def model() -> ImagenVideo:
    return make()


@pytest.fixture
def changed(model: ImagenVideo) -> Iterator[ImagenVideo]:
    """The same model for a test that does something to its weights."""
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    yield model
    model.load_state_dict(kept)


def stage_of(model: ImagenVideo, name: str) -> ImagenVideoStage:
    stage = model.stages[name]
    assert isinstance(stage, ImagenVideoStage)
    return stage


def batch(b: int = 4, **more: Tensor) -> Batch:
    rng = torch.Generator().manual_seed(1)
    return {
        "video": torch.rand(b, 3, 5, 16, 16, generator=rng) * 2 - 1,
        "length": torch.full((b,), 5),
        "text": torch.randn(b, 4, 32, generator=rng),
        "text_mask": torch.ones(b, 4, dtype=torch.bool),
    } | more


def tick(step: int = 0, progress: float = 0.0) -> Tick:
    return Tick(step, "main", torch.Generator().manual_seed(step), progress)


def generate(model: System, **wish: Any) -> Clip:
    return model.generate(Request.of(**({"prompt": "a cat", "steps": 2} | wish)), TEXT, lambda _: None)


# -- the cascade -----------------------------------------------------------------------------------------------


def test_a_prompt_gives_a_video_of_the_last_shape(model: ImagenVideo):
    told: list[Progress] = []
    clip = model.generate(Request.of(prompt="a cat"), TEXT, told.append)
    assert clip.frames.shape == (5, 16, 16, 3)
    assert (clip.fps, clip.caption) == (5, "a cat")
    assert [(p.done, p.total) for p in told] == [(i + 1, 28) for i in range(28)], "four steps of seven stages"
    assert list(dict.fromkeys(p.what for p in told)) == NAMES
    previews = [p.preview().frames.shape for p in (told[0], told[-1]) if p.preview]
    assert previews == [(2, 4, 4, 3), (5, 16, 16, 3)]


def test_seed_and_index_decide(model: ImagenVideo):
    clip = generate(model, seed=3, index=1)
    assert np.array_equal(clip.frames, generate(model, seed=3, index=1).frames)
    assert not np.array_equal(clip.frames, generate(model, seed=3, index=2).frames)
    assert not np.array_equal(clip.frames, generate(model, seed=3, index=1, prompt="a dog").frames)


def test_any_prefix_of_the_cascade_is_a_product(model: ImagenVideo, monkeypatch: pytest.MonkeyPatch):
    given: dict[str, Tensor] = {}
    for name in NAMES[1:]:
        stage, sample = stage_of(model, name), stage_of(model, name).sample

        def spy(cond: Batch, name: str = name, sample: Any = sample, **more: Any) -> Tensor:
            given[name] = cond["low"]
            return sample(cond, **more)

        monkeypatch.setattr(stage, "sample", spy)
    request = Request.of(prompt="a cat", steps=1)
    whole = model.make(request, TEXT)
    assert whole.frames.shape[:3] == (5, 16, 16)
    seen = dict(given)
    for name, after in pairwise(NAMES):
        clip = model.make(request, TEXT, upto=name)
        shape = stage_of(model, name).shape
        assert clip.frames.shape[:3] == (shape.frames, shape.height, shape.width)
        assert clip.fps == shape.fps
        assert np.array_equal(clip.frames, Clip.from_tensor(seen[after][0], Fraction(1)).frames), (
            "what the next is given"
        )
    with pytest.raises(ValueError, match=r"stage: expected one of base, tsr1, .*, got 'ssr9'"):
        model.make(request, TEXT, upto="ssr9")


def test_a_sample_depends_on_its_own_seed_alone(model: ImagenVideo):
    for name in ("base", "ssr1"):
        stage, data = stage_of(model, name), batch(3)
        cond = {"text": data["text"], "text_mask": data["text_mask"]}
        if stage.input_shape:
            cond["low"] = stage._small(data)

        def rngs(*seeds: int) -> list[torch.Generator]:
            return [torch.Generator().manual_seed(s) for s in seeds]

        together = stage.sample(cond, rng=rngs(1, 2, 3), steps=2)
        alone = stage.sample({k: v[1:2] for k, v in cond.items()}, rng=rngs(2), steps=2)
        torch.testing.assert_close(alone, together[1:2], atol=1e-4, rtol=1e-4)
        assert not stage.sample(cond, rng=rngs(4, 5, 6), steps=2).allclose(together)


def test_other_shapes_can_be_asked_of_the_same_networks(model: ImagenVideo):
    shapes = {
        "base": VideoShape(frames=3, height=4, width=8, fps=3), "tsr1": VideoShape(frames=4, height=4, width=8, fps=4),
        "ssr1": VideoShape(frames=4, height=8, width=16, fps=4),
    }  # fmt: skip
    clip = model.make(Request.of(prompt="a cat", steps=1), TEXT, upto="ssr1", shapes=shapes)
    assert clip.frames.shape == (4, 8, 16, 3)
    odd = {"base": VideoShape(frames=3, height=5, width=8, fps=3)}
    with pytest.raises(ValueError, match="stage 'base': size: expected height and width that 2 divides, got 5x8"):
        model.make(Request.of(prompt="a cat", steps=1), TEXT, shapes=odd)


def test_tiles_give_what_the_whole_gives(model: ImagenVideo):
    stage, data = stage_of(model, "ssr3"), batch(1)
    cond = {"text": data["text"], "text_mask": data["text_mask"], "low": resized(stage._small(data), 48, 48)}
    shape = VideoShape(frames=5, height=96, width=64, fps=5)
    rng = [torch.Generator().manual_seed(0)]
    whole = stage.sample(cond, rng=rng, steps=1, shape=shape)
    kept, stage.sampling = stage.sampling, replace(stage.sampling, tile=48, chunk=2)
    try:
        tiled = stage.sample(cond, rng=[torch.Generator().manual_seed(0)], steps=1, shape=shape)
    finally:
        stage.sampling = kept
    torch.testing.assert_close(tiled, whole, atol=1e-4, rtol=1e-4)


def test_a_matte_is_made_where_the_model_has_one(model: ImagenVideo):
    matted = make(channels=4)
    assert generate(matted).frames.shape == (5, 16, 16, 3)
    assert generate(matted, transparent=True).frames.shape == (5, 16, 16, 4)
    with pytest.raises(ValueError, match="transparent: this model has no matte"):
        generate(model, transparent=True)


# -- what a stage is given -------------------------------------------------------------------------------------


def test_a_stage_is_given_what_the_one_before_makes(model: ImagenVideo):
    video = batch()["video"]
    for name in ("ssr1", "tsr2"):
        stage = stage_of(model, name)
        x, low = stage.examples(video, torch.Generator())
        s, t = stage.shape, stage.input_shape
        assert t is not None
        assert low is not None
        assert x.shape[2:] == low.shape[2:] == (s.frames, s.height, s.width)
        torch.testing.assert_close(x, resized(at_frames(video, s.frames), s.height, s.width))
        before, _ = stage_of(model, NAMES[NAMES.index(name) - 1]).examples(video, torch.Generator())
        if stage.config.kind == "ssr":
            assert (low - resized(before, s.height, s.width)).abs().mean() < 0.1
        else:
            torch.testing.assert_close(low, at_frames(before, s.frames))


def test_blanks_say_where_the_frames_are(model: ImagenVideo):
    x, low = stage_of(model, "tsr1").examples(batch()["video"], torch.Generator())
    assert low is not None
    assert low.shape == (4, 4, 3, 4, 4)
    known = low[:, 3].amax((0, 2, 3)).bool()
    assert known.tolist() == [True, False, True]
    assert low[:, :3, ~known].eq(0).all()
    assert x.shape == (4, 3, 3, 4, 4)


def test_crops_are_cut_from_both(model: ImagenVideo):
    stage = stage_of(model, "ssr3")
    smooth = torch.linspace(-1, 1, 16).expand(2, 3, 5, 16, 16)
    x, low = stage.examples(smooth, torch.Generator().manual_seed(0))
    assert low is not None
    assert x.shape == low.shape == (2, 3, 5, 8, 8)
    assert (x - low).abs().max() < 0.1
    assert not x[0].equal(x[1]), "each clip has a place of its own"


def test_images_do_not_see_their_frames(model: ImagenVideo):
    """Joint training (Section 2.3): the loss of an image does not depend on how frames are mixed."""
    stage = stage_of(model, "base")
    data = batch(2, length=torch.tensor([1, 1]))
    losses = []
    for strength in (0.0, 1.0):
        for p in stage.unet.temporal_parameters():
            p.data.mul_(1 + strength)
        losses.append(stage.loss(data, tick()).total)
    for p in stage.unet.temporal_parameters():
        p.data.div_(2)
    assert losses[0].equal(losses[1])


def test_a_tenth_of_the_texts_is_dropped(model: ImagenVideo, monkeypatch: pytest.MonkeyPatch):
    stage, shares = stage_of(model, "base"), []
    monkeypatch.setattr(
        "storyreel.systems.imagen_video.without_text",
        lambda text, mask, null, where: shares.append(where) or without_text(text, mask, null, where),
    )
    with torch.no_grad():
        stage.loss(batch(1500), tick())
    assert 0.07 < torch.cat(shares).float().mean() < 0.13


# -- learning --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["base", "ssr1"])
def test_a_stage_learns_a_batch_by_heart(changed: ImagenVideo, name: str):
    stage, data = stage_of(changed, name).train(), batch(3)
    coarse = torch.rand(3, 3, 2, 4, 4, generator=torch.Generator().manual_seed(4)).round() * 2 - 1
    data["video"] = resized(at_frames(coarse, 5), 16, 16)
    data["text"] = torch.randn(3, 1, 32, generator=torch.Generator().manual_seed(3)) * 2
    data["text_mask"] = torch.ones(3, 1, dtype=torch.bool)
    optimizer = torch.optim.AdamW(stage.parameters_for("main"), lr=6e-3)
    twice = {k: v.repeat(2, *[1] * (v.ndim - 1)) for k, v in data.items()}
    for step in range(100):
        loss = stage.loss(twice, tick(step)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    stage.eval()
    cond = {"text": data["text"], "text_mask": data["text_mask"]}
    if stage.input_shape:
        cond["low"] = stage._small(data)
    rng = [torch.Generator().manual_seed(i) for i in range(3)]
    made, (real, _) = stage.sample(cond, rng=rng, steps=12, guidance=1.0), stage.examples(data["video"], rng[0])
    away = torch.stack([(made[i] - real).square().mean((1, 2, 3, 4)) for i in range(3)])
    assert away.argmin(1).tolist() == [0, 1, 2], "each text gives the video that it was learnt with"
    assert away.diagonal().mean() < 0.6 * (away.sum() - away.trace()) / 6


def test_it_is_saved_and_loaded(model: ImagenVideo, tmp_path: Any):
    recipe = recipes.get("imagen_video_tiny")
    save_model(tmp_path / "m", model, recipe=recipe, card="", training={})
    again, loaded, told = load_model(tmp_path / "m")
    assert loaded.system == recipe.system
    assert list(told["components"]) == NAMES
    assert np.abs(generate(again).frames.astype(int) - generate(make_half()).frames).max() <= 3


def make_half() -> ImagenVideo:
    """The model as it is after its weights were rounded to float16."""
    model = make()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.half())
    return model


# -- what is refused -------------------------------------------------------------------------------------------


def test_the_weights_of_another_stage_are_refused_by_digest(changed: ImagenVideo):
    changed.parts["tsr2"].load_state_dict(changed.parts["tsr3"].state_dict())
    with pytest.raises(ValueError, match="stage 'tsr2': its weights are of another stage or of another cascade"):
        generate(changed)
    with pytest.raises(ValueError, match="stage 'tsr2': its weights are of another"):
        stage_of(changed, "tsr2").notes()
    assert changed.make(Request.of(prompt="a cat", steps=1), TEXT, upto="ssr1"), "what does not need it goes on"


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"steps": 0}, "steps: expected a whole number from 1 to 10000, got 0"),
        ({"guidance": -1.0}, "guidance: expected a number from 0 to 1000, got -1"),
        ({"guidance": float("nan")}, "guidance: expected a number from 0 to 1000, got nan"),
        ({"frames": 6}, "frames: this model makes 1 to 5 frames, got 6"),
        ({"prompt": "", "story": (("a cat", 1.0),)}, "story: this model makes a video from one prompt alone"),
        ({"image": Clip(np.zeros((1, 8, 8, 3), np.uint8))}, "image: this model makes a video from one prompt alone"),
    ],
)
def test_what_cannot_be_served_is_named(model: ImagenVideo, wish: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        generate(model, **wish)


def test_nan_names_stage_and_step(changed: ImagenVideo):
    stage_of(changed, "tsr1").unet.stem.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match=r"stage 'tsr1': .*NaN or infinity in step 1 of 2"):
        generate(changed)


def test_too_little_memory_names_what_would_help(model: ImagenVideo, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any, **__: Any) -> Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(stage_of(model, "ssr1").unet, "forward", full)
    with pytest.raises(
        ValueError, match=r"stage 'ssr1': out of memory at 3x8x8 at 3 fps; a smaller ssr1.sampling.tile"
    ):
        generate(model)


def test_a_row_in_the_wrong_order_is_refused():
    config = recipes.get("imagen_video_tiny").system
    assert isinstance(config, ImagenVideoConfig)
    with pytest.raises(ValueError, match=r"tsr1: a tsr makes more frames .*; 2x4x4 at 2 fps -> 3x8x8 at 3 fps"):
        replace(config, tsr1=replace(config.tsr1, shape=config.ssr1.shape))
    with pytest.raises(ValueError, match="base: a tsr cannot be first"):
        replace(config, base=config.tsr1)
    with pytest.raises(ValueError, match="ssr1: a base has to be first"):
        replace(config, ssr1=config.base)
    with pytest.raises(ValueError, match="ssr1: an ssr makes frames larger and no more of them"):
        replace(config, ssr1=replace(config.ssr1, shape=config.tsr2.shape))


def test_settings_that_cannot_be_are_refused():
    config = recipes.get("imagen_video_tiny").system
    assert isinstance(config, ImagenVideoConfig)
    with pytest.raises(ValueError, match=r"shape.height: expected a multiple of 2, got 5"):
        StageConfig(kind="base", shape=VideoShape(frames=2, height=5, width=4, fps=2), unet=config.base.unet)
    with pytest.raises(ValueError, match=r"sampling.tile: expected a network without attention"):
        replace(config.base, sampling=Sampling(tile=8))
    with pytest.raises(ValueError, match=r"sampler: expected one of ddim, .*, got 'magic'"):
        Sampling(sampler="magic")


# -- the paper -------------------------------------------------------------------------------------------------


def test_the_paper_recipe_has_the_papers_shapes_and_sizes():
    """Ho et al. 2022, Figure 6: frames x width x height at fps, and billions of parameters."""
    with torch.device("meta"):
        system = recipes.get("imagen_video_paper").system.build()
    printed = {
        "base": ((16, 40, 24, 3), 5.6), "tsr1": ((32, 40, 24, 6), 1.7), "ssr1": ((32, 80, 48, 6), 1.4),
        "ssr2": ((32, 320, 192, 6), 1.2), "tsr2": ((64, 320, 192, 12), 0.78), "tsr3": ((128, 320, 192, 24), 0.63),
        "ssr3": ((128, 1280, 768, 24), 0.34),
    }  # fmt: skip
    total = 0
    assert list(system.stages) == list(printed)
    for name, (shape, billions) in printed.items():
        stage = system.stages[name]
        s, count = stage.shape, sum(p.numel() for p in stage.parameters())
        assert (s.frames, s.width, s.height, s.fps) == shape
        assert count == pytest.approx(billions * 1e9, rel=0.03), name
        total += count
    assert total == pytest.approx(11.6e9, rel=0.01)
    assert system.stages["ssr3"].config.convolutional
    assert set(system.stages["base"].config.unet.temporal) == {"attention"}
    json.dumps(system.config.clips)


def test_the_shipped_model_fits_into_sixteen_megabytes():
    with torch.device("meta"):
        system = recipes.get("imagen_video_sprites").system.build()
    folder = registry.find("imagen-video-sprites")
    components = read_json(folder / "model.json")["components"]
    trained = {name: sum(p.numel() for p in stage.parameters()) for name, stage in system.stages.items()}
    assert {name: c["parameters"] for name, c in components.items()} == trained, "what ships is what the recipe trains"
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 15.9e6


# -- four stages, frames counted from the first ----------------------------------------------------------------


def four() -> ImagenVideo:
    """`imagen_video_four` at toy size, with weights that say something."""
    config = recipes.get("imagen_video_four").system
    assert isinstance(config, ImagenVideoConfig)
    changes = {"widths": (16, 16), "head_dim": 8, "emb": 16, "text_width": 32}
    row: dict[str, Any] = {}
    for name, stage in config.stages.items():
        unet = replace(stage.unet, **changes, fine=min(stage.unet.fine, 4))
        side = stage.shape.height // 4
        row[name] = replace(stage, unet=replace(unet, patch=1), shape=replace(stage.shape, height=side, width=side))
    torch.manual_seed(0)
    model = replace(config, **row, text_dim=32).build().eval()
    for p in model.parameters():
        if p.ndim > 1:
            torch.nn.init.normal_(p, std=0.1)
    return model


def test_stages_may_be_left_out_and_the_config_survives_json():
    config = recipes.get("imagen_video_four").system
    assert isinstance(config, ImagenVideoConfig)
    assert list(config.stages) == ["base", "tsr1", "ssr1", "ssr2"]
    assert (config.frames, config.fps) == (8, 8)
    assert from_json(ImagenVideoConfig, json.loads(json.dumps(as_json(config)))) == config


def test_a_tsr_copies_the_frames_that_it_is_given():
    stage = four().stages["tsr1"]
    assert isinstance(stage, ImagenVideoStage)
    low = torch.rand(2, 4, 4, 4, 4) * 2 - 1
    cond = {"text": torch.randn(2, 5, 32), "text_mask": torch.ones(2, 5, dtype=torch.bool), "low": low}
    made = stage.sample(cond, rng=[torch.Generator().manual_seed(i) for i in range(2)], steps=3, guidance=2.0)
    torch.testing.assert_close(made[:, :, ::2], low, atol=1e-3, rtol=0)
    assert (made[:, :, 1::2] - low).abs().mean() > 0.1


def test_the_loss_of_a_tsr_that_copies_counts_the_frames_between_alone():
    stage = four().stages["tsr1"]
    assert isinstance(stage, ImagenVideoStage)
    video, text = torch.rand(2, 4, 8, 4, 4) * 2 - 1, torch.randn(2, 5, 32)
    batch = {"video": video, "text": text, "text_mask": torch.ones(2, 5, dtype=torch.bool)}
    stage.unet.head.bias.data.zero_()
    losses = []
    for constant in (0.0, 3.0):  # an output that is wrong by as much everywhere

        def wrong(z: torch.Tensor, logsnr: torch.Tensor, *, constant: float = constant, **cond: Any) -> torch.Tensor:
            known = cond["extra"][:, -1:] > 0.5
            return torch.where(known, torch.full_like(z, constant), torch.zeros_like(z))

        stage.unet.forward = wrong  # pyright: ignore[reportAttributeAccessIssue]
        losses.append(float(stage.loss(batch, Tick(0, "loss", torch.Generator().manual_seed(1), 0.0)).total))
    assert losses[0] == pytest.approx(losses[1])
    assert losses[0] > 0


def test_a_residual_ssr_is_born_as_what_it_refines():
    config = recipes.get("imagen_video_four").system
    assert isinstance(config, ImagenVideoConfig)
    assert config.ssr1 is not None
    net = replace(config.ssr1.unet, channels=4, extra=4, augmented=True, text_dim=32, fps=True).build()
    low, level = torch.rand(1, 4, 2, 32, 32), torch.zeros(1)
    memory = net.text_memory(torch.randn(1, 5, 32), torch.ones(1, 5, dtype=torch.bool))
    said = net(torch.randn_like(low), level, memory, extra=low, augmentation=level, fps=torch.ones(1))
    torch.testing.assert_close(said, low)


def test_the_text_transformer_reads_no_token_beyond_the_mask():
    net = four().stages["base"].unet
    text, mask = torch.randn(1, 6, 32), torch.tensor([[True] * 4 + [False] * 2])
    other = torch.cat([text[:, :4], torch.randn(1, 2, 32)], 1)
    one, two = net.text_memory(text, mask), net.text_memory(other, mask)
    torch.testing.assert_close(one.pooled, two.pooled)
    torch.testing.assert_close(one.keys_values[0][0][:, :, :4], two.keys_values[0][0][:, :, :4])
    changed = net.text_memory(text + torch.tensor([0, 0, 0, 1.0, 0, 0])[:, None], mask)
    assert not torch.allclose(one.keys_values[0][0][:, :, 0], changed.keys_values[0][0][:, :, 0]), (
        "tokens see each other"
    )


def test_colour_counts_more_where_the_recipe_says_so():
    stage = four().stages["base"]
    assert isinstance(stage, ImagenVideoStage)
    x, cond = torch.rand(2, 4, 4, 4, 4), {}
    stage.unet.forward = lambda z, logsnr, **cond: torch.zeros_like(z)  # pyright: ignore[reportAttributeAccessIssue]
    losses = {}
    for chroma in (0.0, 3.0):
        stage.config = replace(stage.config, chroma=chroma)
        for name, video in (("grey", x[:, :1].expand_as(x)), ("coloured", x)):
            stage.config = replace(stage.config, predict="x", weight="x")
            losses[name, chroma] = stage.error(video, cond, torch.Generator().manual_seed(0)).mean()
    torch.testing.assert_close(losses["grey", 3.0], losses["grey", 0.0])
    off = x[:, :3] - x[:, :3].mean(1, keepdim=True)
    torch.testing.assert_close(losses["coloured", 3.0], losses["coloured", 0.0] + 3 * off.square().mean())
