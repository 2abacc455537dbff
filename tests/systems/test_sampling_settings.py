"""Another sampler or grid is one line of a recipe, and every field of `Sampling` counts or is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from storyreel import recipes
from storyreel.diffusion.noise_laws import LAWS
from storyreel.diffusion.samplers import SAMPLERS
from storyreel.diffusion.sampling import Sampling
from storyreel.diffusion.schedules import GRIDS
from storyreel.recipe import Recipe, override, override_all
from storyreel.systems.base import Request, Tick
from storyreel.systems.imagen_video import ImagenVideo, ImagenVideoStage
from storyreel.text import load_text_encoder
from tests.systems.make_a_video_tiny import make, shake, tiny

TEXT = load_text_encoder("hash:32")


def system_of(recipe: Recipe) -> ImagenVideo:
    torch.manual_seed(0)
    system = recipe.system.build().eval()
    shake(system)
    return system


def base_with(*lines: tuple[str, str]) -> ImagenVideoStage:
    """The base of the tiny recipe, with settings of its sampling changed."""
    recipe = recipes.get("imagen_video_tiny")
    made = override_all(recipe, [(f"system.base.sampling.{name}", value) for name, value in lines])
    stage = system_of(made).stages["base"]
    assert isinstance(stage, ImagenVideoStage)
    return stage


def video_of(stage: ImagenVideoStage, **more: Any) -> Tensor:
    states, mask = TEXT(["a cat"])
    rng = [torch.Generator().manual_seed(3)]
    return stage.sample({"text": states, "text_mask": mask}, rng=rng, **more)


@pytest.mark.parametrize("grid", list(GRIDS))
@pytest.mark.parametrize("sampler", list(SAMPLERS))
def test_any_sampler_with_any_grid(sampler: str, grid: str):
    recipe = recipes.get("imagen_video_tiny")
    one_line = override(recipe, "system.base.sampling.sampler", sampler)
    system = system_of(override(one_line, "system.base.sampling.grid", grid))
    clip = system.make(Request.of(prompt="a cat", steps=3), TEXT, upto="tsr1")
    assert clip.frames.shape == (3, 4, 4, 3)
    assert clip.frames.std() > 0
    video = video_of(base_with(("sampler", sampler), ("grid", grid)))
    own = SAMPLERS[sampler].grid
    assert video.equal(video_of(base_with(("sampler", sampler)))) == (grid == own), "the grid counts"


@pytest.mark.parametrize("name", list(LAWS))
def test_any_noise_law_trains_and_samples(name: str):
    """One line of a recipe, too."""
    recipe = override(recipes.get("imagen_video_tiny"), "system.ssr1.noise", name)
    stage: Any = system_of(recipe).stages["ssr1"]
    rng = torch.Generator().manual_seed(0)
    batch = {"video": torch.rand(2, 3, 5, 16, 16, generator=rng) * 2 - 1}
    batch |= {"text": torch.randn(2, 3, 32, generator=rng), "text_mask": torch.ones(2, 3, dtype=torch.bool)}
    loss = stage.loss(batch, Tick(0, "main", torch.Generator().manual_seed(0))).total
    loss.backward()
    assert 0 < loss.item() < 100
    cond = {"text": batch["text"], "text_mask": batch["text_mask"], "low": torch.zeros(2, 3, 3, 4, 4)}
    made = stage.sample(cond, rng=[torch.Generator().manual_seed(i) for i in range(2)], steps=3)
    assert made.shape == (2, 3, 3, 8, 8)
    assert bool(made.isfinite().all())


COUNTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {  # field -> (settings beside it, settings with it changed)
    "steps": ({}, {"steps": "3"}),
    "guidance": ({}, {"guidance": "4"}),
    "frame_guidance": ({"guidance": "4"}, {"frame_guidance": "linear"}),
    "min_guidance": ({"guidance": "1", "frame_guidance": "linear"}, {"min_guidance": "6"}),
    "oscillate": ({"guidance": "4"}, {"oscillate": "1"}),
    "sampler": ({}, {"sampler": "heun"}),
    "threshold": ({"guidance": "20"}, {"threshold": "0.9"}),
    "grid": ({}, {"grid": "time"}),
    "sigma_min": ({"grid": "karras"}, {"sigma_min": "0.5"}),
    "sigma_max": ({"grid": "karras"}, {"sigma_max": "9"}),
    "gamma": ({"sampler": "ancestral"}, {"gamma": "1"}),
}
PIECES = ("tile", "chunk")  # these change how it is computed, and not what


def test_every_field_is_looked_at_here():
    assert {field.name for field in fields(Sampling)} == {*COUNTS, *PIECES}


@pytest.mark.parametrize("name", list(COUNTS))
def test_a_setting_changes_the_video(name: str):
    beside, changed = COUNTS[name]
    before = video_of(base_with(*beside.items()))
    after = video_of(base_with(*(beside | changed).items()))
    assert before.shape == after.shape
    assert not torch.allclose(before, after, atol=1e-3)


@pytest.mark.parametrize(("name", "value", "axis"), [("tile", "6", 3), ("chunk", "2", 2)])
@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_pieces_are_as_large_as_is_set(name: str, value: str, axis: int, sampler: str, monkeypatch: Any):
    at = "system.ssr1.sampling"
    lines = [(f"{at}.sampler", sampler), (f"{at}.{name}", value)]
    recipe = recipes.get("imagen_video_tiny")
    low = torch.rand(1, 3, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    sizes: list[int] = []
    for setting in (lines[:1], lines):
        stage: Any = system_of(override_all(recipe, setting)).stages["ssr1"]
        stage.unet.register_forward_pre_hook(lambda module, args: sizes.append(args[0].shape[axis]))
        monkeypatch.setattr(type(stage.unet), "reach", (1, 1))
        sizes.clear()
        cond = dict(zip(("text", "text_mask"), TEXT(["a cat"]), strict=True))
        stage.sample(cond | {"low": low}, rng=[torch.Generator().manual_seed(3)])
        assert (min(sizes) < (8 if axis == 3 else 3)) == (len(setting) == 2)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"gamma": 0.5}, "gamma: expected none with this sampler"),
        ({"min_guidance": 2.0}, "min_guidance: expected 1 where frame_guidance is constant"),
        ({"frame_guidance": "linear", "oscillate": 2}, "oscillate: expected 0 with linear guidance"),
        ({"sigma_max": 80.0}, "sigma_max: a grid of equal times has the ends of its schedule"),
        ({"grid": "karras", "sigma_min": 90.0}, "sigma_min: expected more than 0 and less than sigma_max 80"),
        ({"grid": "logsnr", "sigma_min": 9.0, "sigma_max": 8.0}, "start: expected a log-SNR below the end's"),
        ({"grid": "karras", "sigma_min": -1.0}, "sigma_min: expected 0 or more, got -1"),
        ({"grid": "karras", "sigma_max": float("nan")}, "sigma_max: expected 0 or more, got nan"),
        ({"oscillate": -1}, "oscillate: expected 0 or more, got -1"),
        ({"tile": -8}, "tile: expected 0 or more, got -8"),
        ({"chunk": -1}, "chunk: expected 0 or more, got -1"),
    ],
)
def test_a_setting_that_would_not_count_is_refused(settings: dict[str, Any], line: str):
    with pytest.raises(ValueError, match=line):
        Sampling(**settings)


@pytest.mark.parametrize("field", ["guidance", "oscillate", "frame_guidance"])
@pytest.mark.parametrize("name", ["sr_l", "sr_h"])
def test_guidance_without_an_embedding_is_refused(name: str, field: str):
    value: Any = {"guidance": 2.0, "oscillate": 1, "frame_guidance": "linear"}[field]
    net = getattr(tiny(), name)
    with pytest.raises(ValueError, match=rf"{name}\.sampling\.guidance: expected 1 throughout"):
        replace(tiny(), **{name: replace(net, sampling=replace(net.sampling, **{field: value}))})


@pytest.mark.parametrize("field", ["threshold", "tile", "chunk", "frame_guidance"])
def test_an_embedding_is_no_video(field: str):
    value: Any = "linear" if field == "frame_guidance" else 1
    prior = tiny().prior
    with pytest.raises(ValueError, match=rf"prior\.sampling\.{field}: an embedding is no video"):
        replace(prior, sampling=replace(prior.sampling, **{field: value}))


def test_the_prior_has_the_guidance_of_the_request(monkeypatch: pytest.MonkeyPatch):
    """And so does the embedding that everything after it reads."""
    model, seen = make(), []
    inside = model.prior.sample

    def sample(*args: Any, **more: Any) -> Tensor:
        seen.append(inside(*args, **more))
        return seen[-1]

    monkeypatch.setattr(model.prior, "sample", sample)
    for guidance in (None, 1.0, 6.0):
        model.make(Request.of(prompt="a cat", steps=2, guidance=guidance), TEXT, upto="decoder_video")
    default, one, six = seen
    assert not torch.allclose(one, six, atol=1e-3)
    assert default.equal(one) == (model.config.prior.sampling.guidance == 1)
    states, mask = TEXT(["a cat"])
    alone = model.prior.sample(
        {"text": states, "text_mask": mask}, rng=[Request.of(prompt="a cat").rng()], steps=2, guidance=6.0
    )
    assert alone.equal(six)
