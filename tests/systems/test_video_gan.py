"""The video GAN: what it is at birth, what the critic sees, that it learns, and any time of a video by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from storyreel import recipes
from storyreel.nn.augment import Augment
from storyreel.recipe import Recipe
from storyreel.run import Run
from storyreel.systems.base import Batch, Loss, Request, Tick
from storyreel.systems.video_gan import VideoGan
from storyreel.systems.video_gan_critic import shifted, with_deviation
from storyreel.systems.video_gan_generator import bands
from storyreel.systems.video_gan_losses import critic_term, generator_term, gradient_penalty
from storyreel.systems.video_gan_take import Take
from storyreel.text import load_text_encoder
from storyreel.train.loop import train_stage

TEXT = load_text_encoder("hash:32")


def tiny(**changes: Any) -> Recipe:
    recipe = recipes.get("video_gan_tiny")
    return replace(recipe, system=replace(recipe.system, **changes))  # pyright: ignore[reportArgumentType]


def made(**changes: Any) -> VideoGan:
    torch.manual_seed(0)
    return tiny(**changes).system.build()


def moving(system: VideoGan) -> VideoGan:
    """With motion that does something."""
    with torch.no_grad():
        for weight in system.videos.generator.motion_weights():
            weight.normal_()
    return system.eval()


def frames(system: VideoGan, times: Tensor, seed: int = 3) -> Tensor:
    with torch.no_grad():
        return Take(system.videos, torch.Generator().manual_seed(seed)).frames(times)


@pytest.mark.parametrize("kind", ["stylegan3", "stylegan2"])
def test_frames_are_equal_at_birth_and_those_of_the_image_generator(kind: str):
    system = made(frames=kind, low_rank=2)
    assert system.images is not None
    system.videos.begin()
    system.eval()
    video = frames(system, torch.tensor([0.0, 3.5, 100.0]))
    assert torch.allclose(video, video[:, :1].expand_as(video), atol=1e-6)
    w = Take(system.videos, torch.Generator().manual_seed(3)).w
    with torch.no_grad():
        assert torch.allclose(system.images.generator(w)[0], video[:, :1], atol=1e-5)
    moved = frames(moving(system), torch.tensor([0.0, 3.5, 100.0]))
    assert (moved[:, 0] - moved[:, 1]).abs().max() > 1e-3


def test_what_has_learnt_to_move_is_not_begun_again():
    system = moving(made())
    before = [p.detach().clone() for p in system.videos.parameters()]
    system.videos.begin()
    assert all(torch.equal(a, b) for a, b in zip(before, system.videos.parameters(), strict=True))


def test_any_window_is_made_without_what_comes_before():
    system = moving(made())
    whole = frames(system, torch.arange(48.0, dtype=torch.float64))
    window = frames(system, torch.arange(30.0, 35.0, dtype=torch.float64))
    assert torch.allclose(window, whole[:, 30:35], atol=1e-4)
    far = frames(system, torch.tensor([1e8, 1e8 + 1]))
    assert far.isfinite().all()


def test_a_video_does_not_depend_on_how_many_frames_are_made_at_once():
    system = moving(made())
    request = Request.of(prompt="", frames=10, seed=5)
    whole = system.generate(request, TEXT, lambda _: None)
    system.chunk = 3
    parts = system.generate(request, TEXT, lambda _: None)
    assert whole.frames.shape == (10, 16, 16, 3)
    assert abs(whole.frames.astype(int) - parts.frames).max() <= 1
    slow = system.generate(Request.of(prompt="", frames=19, fps=16, seed=5), TEXT, lambda _: None)
    assert abs(whole.frames.astype(int) - slow.frames[::2]).max() <= 1, "twice the rate is twice the frames"


def test_bands_grow_to_the_size_of_the_picture():
    found = bands(64, 14, 2, 10)
    assert [band.rate for band in found[:2]] == [16, 16]
    assert [band.side for band in found[-2:]] == [64, 64]
    assert found[-1].cutoff == 32
    assert all(a.cutoff <= b.cutoff and a.rate <= b.rate for a, b in pairwise(found))


# -- the critic ------------------------------------------------------------------------------------------------


def test_channels_are_shifted_between_frames():
    x = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 8, 1, 1) + 1
    found = shifted(x, 3)[:, :, 0, 0]
    assert found[:, 0].tolist() == [2, 3, 0]
    assert found[:, 1].tolist() == [0, 1, 2]
    assert found[:, 2:].T.tolist() == [[1, 2, 3]] * 6
    assert shifted(x, 1) is x


def test_only_a_critic_of_videos_minds_the_order_of_frames():
    critic = made().videos.critic
    video = torch.randn(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    times = torch.tensor([[0.0, 1, 2]]).expand(2, -1)
    with torch.no_grad():
        other = critic(video.flip(2), times)
        assert (critic(video, times) - other).abs().max() > 1e-4
        torch.nn.init.normal_(critic.by_time.out.weight)  # pyright: ignore[reportOptionalMemberAccess]
        assert (critic(video, times) - critic(video, times * 2)).abs().max() > 1e-4


def test_a_critic_is_told_how_much_clips_differ():
    x = torch.randn(1, 3, 4, 4).expand(8, -1, -1, -1)
    channel = with_deviation(x)[:, 3]
    assert channel.abs().max() < 1e-3
    clips = torch.randn(8, 3, 4, 4)
    channel = with_deviation(clips)[:, 3]
    assert torch.allclose(channel[:2, 0, 0], torch.stack([clips[i::2].std(0, correction=0).mean() for i in (0, 1)]))
    assert torch.equal(channel, channel[:2, :1, :1].repeat(4, 4, 4))
    assert with_deviation(clips[:3]).shape == (3, 4, 4, 4)  # three clips are each a group


def test_times_lie_within_the_clip():
    times = made(clip_frames=9, seen_frames=3).videos.drawn_times(500, torch.Generator().manual_seed(0))
    assert times.shape == (500, 3)
    assert times.min() >= 0
    assert times.max() <= 8
    assert (times[:, 1:] > times[:, :-1]).all()
    assert set((times[:, 2] - times[:, 0]).tolist()) == {2, 4, 8}
    assert not (times % 1).any()
    share = ((times[:, 1] - times[:, 0]) / (times[:, 2] - times[:, 0])).mean()
    assert abs(share - 0.5) < 0.03  # the frame between lies anywhere between, not rather at the beginning


@pytest.mark.parametrize("critic", ["tsm_mean", "concat"])
def test_times_do_not_tell_made_clips_from_real_ones(critic: str):
    """Gaps of a made clip are those that a real one has; else the critic needs no pictures."""
    stage = made(critic=critic).videos
    with torch.no_grad():
        _, times = stage.made(64, torch.Generator().manual_seed(0), None)
    gaps = times[:, 1:] - times[:, :-1]  # pyright: ignore[reportOptionalSubscript]
    assert not (gaps % 1).any()
    assert gaps.min() >= 1
    assert (times[:, 0] % 1).any()  # pyright: ignore[reportOptionalSubscript]


# -- losses ----------------------------------------------------------------------------------------------------


def test_losses_are_their_formulas():
    real, fake = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    log = torch.nn.functional.logsigmoid
    assert torch.allclose(critic_term("nonsat+r1", real, fake), -(log(real).mean() + log(-fake).mean()))
    assert torch.allclose(generator_term("bce", fake, None), -log(fake).mean())
    assert torch.allclose(critic_term("rp+r1+r2", real, fake), -log(real - fake).mean())
    assert torch.allclose(generator_term("rp+r1+r2", fake, real), -log(fake - real).mean())


def test_the_penalty_is_the_squared_gradient_meaned_over_frames():
    video = torch.randn(2, 3, 4, 5, 5)
    weight = torch.randn(3, 4, 5, 5)
    found = gradient_penalty(lambda x: (x * weight).sum((1, 2, 3, 4)), video)
    assert torch.allclose(found, weight.square().sum() / 4)


def loss_of(stage: Any, recipe: Recipe, name: str, turn: str, step: int) -> Loss:
    data = recipe.stages[name].data
    rng = torch.Generator().manual_seed(step)
    video = torch.rand(data.batch, 3, data.frames, 16, 16, generator=rng) * 2 - 1
    text, mask = torch.randn(data.batch, 4, 32, generator=rng), torch.ones(data.batch, 4, dtype=torch.bool)
    batch: Batch = {"video": video, "text": text, "text_mask": mask}
    return stage.loss(batch, Tick(step, turn, rng))


@pytest.mark.parametrize("loss", ["nonsat+r1", "bce", "rp+r1+r2"])
def test_penalties_come_every_so_many_steps(loss: str):
    recipe = tiny(loss=loss, r1_every=4)
    stage = recipe.system.build().images
    parts = [set(loss_of(stage, recipe, "images", "critic", step).parts) & {"r1", "r2"} for step in (3, 4)]
    assert parts == [set(), {"nonsat+r1": {"r1"}, "bce": set(), "rp+r1+r2": {"r1", "r2"}}[loss]]


def test_a_critic_that_is_saturated_is_named():
    stage = made().videos
    assert stage.failure({"loss": 1.0, "real": 8.0, "made": -9.0}) == ""
    assert "made clips score -1e+04" in stage.failure({"loss": 0.0, "real": 8.0, "made": -1e4})


# -- training --------------------------------------------------------------------------------------------------


class Colours:
    """Clips of one colour, always the same."""

    def __init__(self, recipe: Recipe, name: str, level: float):
        data = recipe.stages[name].data
        self.video = torch.full((data.batch, 3, data.frames, 16, 16), level)

    def prefetch(self, start: int) -> Iterator[Batch]:
        while True:
            yield {"video": self.video}


def test_images_learn_the_colour_of_what_they_are_shown(tmp_path: Path):
    recipe = tiny(augment=0.0)
    settings = replace(recipe.stages["images"], steps=120)
    torch.manual_seed(0)
    system = recipe.system.build()
    run = Run.open(tmp_path / "run", replace(recipe, stages={"images": settings}))
    train_stage(system.images, Colours(recipe, "images", 0.5), settings, run.stage("images"))
    with torch.no_grad():
        w = system.images.styles(32, torch.Generator().manual_seed(1), None)
        assert float(system.images.generator(w).mean()) == pytest.approx(0.5, abs=0.25)


@pytest.mark.parametrize(
    ("bias", "line"),
    [
        (1e6, "the critic's scores are saturated"),
        (float("nan"), "the loss is nan"),
    ],
)
def test_training_stops_at_the_last_checkpoint_where_scores_saturate_or_are_nan(tmp_path: Path, bias: float, line: str):
    recipe = tiny(augment=0.0)
    settings = replace(recipe.stages["images"], steps=20, checkpoint_every=5)
    stage = made(augment=0.0).images
    assert stage is not None
    run = Run.open(tmp_path / "run", replace(recipe, stages={"images": settings}))
    loader = Colours(recipe, "images", 0.5)
    count = 0

    def worse(record: dict[str, Any], extra: dict[str, Any]) -> None:
        nonlocal count
        count += 1
        if count == 12:
            with torch.no_grad():
                stage.critic.score.bias.fill_(bias)

    with pytest.raises(ValueError, match=rf"stage 'images', step 13, turn 'generator': {line}.*; the last checkpoint"):
        train_stage(stage, loader, settings, run.stage("images"), on_step=worse)
    found = run.stage("images").load()
    assert found is not None
    assert found.step == 10


@pytest.mark.parametrize("count", [1, 3, 8])
def test_clips_of_another_length_are_refused(count: int):
    recipe = tiny()
    other = replace(recipe, stages={**recipe.stages, "videos": replace(recipe.stages["videos"], data=replace(
        recipe.stages["videos"].data, frames=count))})  # fmt: skip
    with pytest.raises(
        ValueError, match=f"clip_frames: expected clips of 4 frames, got {count}; set system.clip_frames"
    ):
        loss_of(made().videos, other, "videos", "critic", 0)


@pytest.mark.parametrize("chunk", [1, 2, 7, 16, 100])
@pytest.mark.parametrize("count", [1, 5, 17])
def test_every_length_of_video_and_of_chunk_gives_the_same_frames(chunk: int, count: int):
    system = moving(made())
    request = Request.of(prompt="", frames=count, seed=5)
    whole = system.generate(request, TEXT, lambda _: None)
    system.chunk = chunk
    parts = system.generate(request, TEXT, lambda _: None)
    assert parts.frames.shape == (count, 16, 16, 3)
    assert abs(whole.frames.astype(int) - parts.frames).max() <= 1


# -- augmentation ----------------------------------------------------------------------------------------------


def test_augmentation_does_nothing_at_zero_and_treats_frames_alike():
    augment, rng = Augment(0.6), torch.Generator().manual_seed(0)
    image = torch.rand(6, 3, 1, 16, 16) * 2 - 1
    clip = image.expand(-1, -1, 4, -1, -1)
    assert torch.allclose(augment(clip, rng), clip, atol=1e-5)
    augment.p.fill_(1.0)
    changed = augment(clip, rng)
    assert (changed - clip).abs().max() > 0.1
    assert torch.allclose(changed, changed[:, :, :1].expand_as(changed))


def test_augmentation_grows_where_the_critic_knows_by_heart_and_shrinks_again():
    augment = Augment(0.6, speed=100)
    for _ in range(10):
        augment.note(torch.ones(8))
    high = float(augment.p)
    assert high > 0.5
    for _ in range(10):
        augment.note(torch.tensor([1.0, -1.0]))
    assert float(augment.p) < high
