"""Codes that are read from real frames: what is compared, when a critic is asked, and that colours are told apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from storyreel import recipes
from storyreel.recipe import Recipe
from storyreel.run import Run
from storyreel.systems.base import Batch, Loss, Tick
from storyreel.systems.video_gan import ImageGanStage
from storyreel.systems.video_gan_autoencoder import CodeEncoder, divergence, drawn, unlikeness
from storyreel.train.loop import train_stage


def tiny(**changes: Any) -> Recipe:
    recipe = recipes.get("video_gan_tiny")
    changes = {"autoencoding": 20.0, "uncritical": 3, "augment": 0.0, **changes}
    return replace(recipe, system=replace(recipe.system, **changes))  # pyright: ignore[reportArgumentType]


def stage_of(recipe: Recipe) -> ImageGanStage:
    torch.manual_seed(0)
    stage = recipe.system.build().images
    assert isinstance(stage, ImageGanStage)
    return stage.train()


def loss_at(stage: ImageGanStage, turn: str, step: int) -> Loss:
    video = torch.rand(6, 3, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return stage.loss({"video": video}, Tick(step, turn, torch.Generator().manual_seed(step)))


def test_frames_are_compared_from_half_their_size_on():
    real = torch.rand(2, 3, 32, 32)
    assert unlikeness(real, real) == 0
    assert unlikeness(real + 0.5, real) == pytest.approx(2 * 0.25, rel=1e-4)  # at 16 and at 8 pixels
    chequered = torch.ones(32, 32)
    chequered[::2, ::2] = chequered[1::2, 1::2] = -1
    assert unlikeness(real + chequered, real) == pytest.approx(0, abs=1e-9), "what is finer is the critic's affair"


def test_the_divergence_is_that_of_normal_codes():
    mean, log_variance = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, -2.0]])
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(normal, torch.distributions.Normal(0.0, 1.0)).sum()
    assert divergence(mean, log_variance) == pytest.approx(float(expected), rel=1e-5)
    many = drawn(mean.repeat(4000, 1), log_variance.repeat(4000, 1), torch.Generator().manual_seed(0))
    assert many.mean(0).tolist() == pytest.approx([1.0, 0.0], abs=0.06)
    assert many.std(0).tolist() == pytest.approx([1.0, 0.368], rel=0.06)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_an_encoder_reads_frames_of_any_size(size: int):
    mean, log_variance = CodeEncoder(3, size, 10)(torch.rand(2, 3, size, size))
    assert mean.shape == log_variance.shape == (2, 10)


def test_no_critic_is_asked_in_the_first_steps():
    stage = stage_of(tiny())
    critic = loss_at(stage, "critic", 2)
    critic.total.backward()
    gradients = [p.grad for p in stage.parameters_for("critic")]
    assert critic.total == 0
    assert all(g is not None and not g.any() for g in gradients)
    assert set(loss_at(stage, "generator", 2).parts) == {"unlike", "codes"}
    assert set(loss_at(stage, "generator", 3).parts) == {"unlike", "codes", "made"}
    assert loss_at(stage, "critic", 3).total > 0


def test_the_encoder_learns_with_the_generator_and_is_not_part_of_a_model():
    stage = stage_of(tiny())
    encoder = stage.encoder
    assert encoder is not None
    theirs = {id(p) for p in encoder.parameters()}
    assert theirs <= {id(p) for p in stage.parameters_for("generator")}
    assert not theirs & {id(p) for p in stage.parameters_for("critic")}
    loss_at(stage, "generator", 5).total.backward()
    assert all(p.grad is not None and p.grad.any() for p in encoder.parameters() if p.ndim > 1)
    assert "encoder" in stage.training_only


class TwoColours:
    """Dark and bright clips, half of each."""

    def prefetch(self, start: int) -> Iterator[Batch]:
        level = torch.tensor([-0.6, 0.6]).repeat(4).view(8, 1, 1, 1, 1)
        while True:
            yield {"video": level.expand(-1, 3, 1, 16, 16).contiguous()}


def test_frames_of_codes_look_like_those_that_were_read(tmp_path: Path):
    recipe = tiny(uncritical=150)
    settings = replace(recipe.stages["images"], steps=150)
    stage = stage_of(recipe)
    run = Run.open(tmp_path / "run", replace(recipe, stages={"images": settings}))
    train_stage(stage, TwoColours(), settings, run.stage("images"))  # pyright: ignore[reportArgumentType]
    assert stage.encoder is not None
    frames = next(TwoColours().prefetch(0))["video"][:, :, 0]
    with torch.no_grad():
        mean, _ = stage.encoder(frames)
        made = stage.generator(stage.generator.styles(mean)).mean((1, 2, 3, 4))
    assert made[1::2].min() - made[::2].max() > 0.6


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"image_pretraining": False}, "autoencoding: expected 0 without image_pretraining"),
        ({"text": "projection"}, "autoencoding: expected 0 without image_pretraining, or with a text"),
        ({"autoencoding": 0.0}, "uncritical: without a critic only autoencoding teaches"),
    ],
)
def test_settings_that_do_not_go_together_are_named(changes: dict[str, Any], line: str):
    with pytest.raises(ValueError, match=line):
        tiny(**changes)
