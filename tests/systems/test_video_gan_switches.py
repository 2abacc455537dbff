"""The switches of the video GAN: each trains, and does what it is for; presets are the papers' sizes of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from torch import Tensor

from storyreel import recipes
from storyreel.recipe import Recipe
from storyreel.run import Run
from storyreel.systems.base import Batch, Request, Tick
from storyreel.systems.video_gan import VideoGan
from storyreel.systems.video_gan_config import VideoGanConfig
from storyreel.systems.video_gan_critic import critic_of
from storyreel.systems.video_gan_losses import critic_term
from storyreel.systems.video_gan_take import Take
from storyreel.text import load_text_encoder
from storyreel.train.loop import train_stage

TEXT = load_text_encoder("hash:32")
PLAIN = {"low_rank": 0, "image_pretraining": False}
SEVERAL = {"critic": "image+3d", "seen_frames": 4}
SWITCHES: dict[str, dict[str, Any]] = {
    "stylesv": {"motion": "bspline", "frames": "stylegan3", "critic": "tsm_mean", "loss": "nonsat+r1"},
    "stylegan_v": {"motion": "linear", "frames": "stylegan2", "critic": "concat"},
    "mocogan": {"motion": "gru", "frames": "dcgan", "loss": "bce", **SEVERAL, **PLAIN},
    "tfgan": {"motion": "gru", "frames": "r3", "text": "filter", "negatives": "wrong_text", **SEVERAL, **PLAIN},
    "ircgan": {"motion": "lstm_maps", "frames": "dcgan", "text": "info", "negatives": "wrong_text", **SEVERAL, **PLAIN},
    "our text": {"text": "projection", "negatives": "wrong_text"},
    "filter": {"text": "filter", "negatives": "wrong_text", "critic": "mean"},
    "info": {"text": "info", "negatives": "wrong_text"},
    "r3gan": {"frames": "r3", "low_rank": 0, "loss": "rp+r1+r2", "text": "projection", "negatives": "wrong_text"},
}


def tiny(**changes: Any) -> Recipe:
    recipe = recipes.get("video_gan_tiny")
    system = replace(recipe.system, **{"augment": 0.0, **changes})  # pyright: ignore[reportArgumentType]
    stages = {name: one for name, one in recipe.stages.items() if name == "videos" or system.image_pretraining}
    return replace(recipe, system=system, stages=stages)


def made(**changes: Any) -> VideoGan:
    torch.manual_seed(0)
    return tiny(**changes).system.build()


class Captioned:
    """Two kinds of clips, bright and dark, each under its own text."""

    def __init__(self, batch: int, frames: int = 4):
        states, mask = TEXT(["a bright clip", "a dark clip"] * (batch // 2))
        level = torch.tensor([0.8, -0.8]).repeat(batch // 2).view(-1, 1, 1, 1, 1)
        self.batch: Batch = {"video": level.expand(-1, 3, frames, 16, 16).clone(), "text": states, "text_mask": mask}

    def entries(self, name: str) -> Tensor:
        raise NotImplementedError

    def prefetch(self, start: int) -> Iterator[Batch]:
        while True:
            yield dict(self.batch)


def trained(tmp_path: Path, steps: int, **changes: Any) -> VideoGan:
    recipe, system = tiny(**changes), made(**changes)
    settings = replace(recipe.stages["videos"], steps=steps)
    run = Run.open(tmp_path / "run", replace(recipe, stages={"videos": settings}))
    train_stage(system.videos, Captioned(settings.data.batch), settings, run.stage("videos"))
    return system


def test_every_value_of_every_switch_is_tried_here():
    hints = get_type_hints(VideoGanConfig, include_extras=True)
    values = {v for one in fields(VideoGanConfig) for v in get_args(hints[one.name]) if isinstance(v, str)} - {"none"}
    assert len(values) > 15
    assert values <= {value for settings in SWITCHES.values() for value in settings.values()}


@pytest.fixture(scope="module", params=["our text", "filter", "info"])
def learnt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VideoGan:
    return trained(tmp_path_factory.mktemp("learnt"), 20, **SWITCHES[request.param])


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_trains_and_makes_a_video(name: str, tmp_path: Path):
    """Generator and critic, both moved by a few steps, and every number finite."""
    before = made(**SWITCHES[name]).videos
    system = trained(tmp_path, 2, **SWITCHES[name]).eval()
    for part in ("generator", "critic"):
        pairs = zip(getattr(before, part).parameters(), getattr(system.videos, part).parameters(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs)
    assert all(p.isfinite().all() for p in system.videos.parameters())
    clip = system.generate(Request.of(prompt="a bright clip", frames=6, seed=1), TEXT, lambda _: None)
    assert clip.frames.shape == (6, 16, 16, 3)


# -- motion ----------------------------------------------------------------------------------------------------


RECURRENT: dict[str, dict[str, Any]] = {
    "gru": {"motion": "gru", "image_pretraining": False},
    "lstm_maps": {"motion": "lstm_maps", "frames": "dcgan", **PLAIN},
}


def frames(system: VideoGan, *parts: Tensor, seed: int = 3) -> Tensor:
    """Frames of one video at all these times, made part after part."""
    take = Take(system.videos, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return torch.cat([take.frames(times) for times in parts], 1)


@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_motion_is_the_same_however_a_video_is_made(kind: str):
    """In one part, in several, from a later time on, back to an earlier one, and between frames."""
    system = made(**RECURRENT[kind]).eval()
    times = torch.arange(12.0, dtype=torch.float64)
    whole = frames(system, times)
    assert (whole[:, 1:] - whole[:, :-1]).abs().amax((0, 2, 3)).min() > 1e-3, "every frame is another"
    assert torch.allclose(frames(system, *times.split(5)), whole, atol=1e-4)
    assert torch.allclose(frames(system, times[8:]), whole[:, 8:], atol=1e-4)
    assert torch.allclose(frames(system, times[8:], times[:3])[:, 4:], whole[:, :3], atol=1e-4)
    assert torch.allclose(frames(system, times[:4] + 0.5, times[5:])[:, 4:], whole[:, 5:], atol=1e-4)
    Take.walk, usual = 3, Take.walk
    try:
        assert torch.allclose(frames(system, times[10:]), whole[:, 10:], atol=1e-4)
    finally:
        Take.walk = usual


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_recurrent_frame_depends_on_noise_before_it_and_not_after(kind: str):
    stage = made(**RECURRENT[kind]).eval().videos
    start, rng = torch.zeros(1, dtype=torch.float64), torch.Generator().manual_seed(0)
    noise = stage.generator.motion.drawn(start, 8, rng)
    w = stage.styles(1, rng, None)
    times = torch.arange(7.0, dtype=torch.float64)[None]
    with torch.no_grad():
        usual = stage.generator(w, noise, times)
        other = replace(noise, rows=noise.rows.clone())
        other.rows[:, 3] += 3
        changed = (stage.generator(w, other, times) - usual).abs().amax((0, 1, 3, 4))
    assert torch.equal(changed > 1e-6, torch.arange(7) >= 3)


def test_a_recurrent_video_refuses_times_that_it_cannot_run_to():
    system = made(**RECURRENT["gru"])
    with pytest.raises(ValueError, match=r"times: expected frames from 0 to 1e\+06"):
        frames(system, torch.tensor([2e6], dtype=torch.float64))


# -- frames ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["r3", "dcgan"])
def test_plain_frames_are_equal_at_birth_and_move_once_they_read_motion(kind: str):
    system = made(frames=kind, low_rank=0).eval()
    times = torch.tensor([0.0, 3.5, 100.0])
    video = frames(system, times)
    assert torch.equal(video, video[:, :1].expand_as(video))
    with torch.no_grad():
        for weight in system.videos.generator.motion_weights():
            weight.normal_()
    moved = frames(system, times)
    assert (moved[:, 0] - moved[:, 1]).abs().max() > 1e-3
    assert (frames(system, times, seed=4) - moved).abs().max() > 1e-2


def test_dcgan_stays_in_range_and_a_block_of_r3_begins_as_nothing():
    from storyreel.systems.video_gan_plain import InvertedBottleneck

    with torch.no_grad():
        picture = made(frames="dcgan", low_rank=0).videos.generator.synthesis(torch.randn(4, 24) * 20)
        assert picture.abs().max() <= 1
        x = torch.randn(2, 16, 8, 8)
        assert torch.equal(InvertedBottleneck(16, 4)(x), x)


def test_a_model_without_images_moves_from_its_first_step():
    assert not made().videos.generator.moves
    assert made(image_pretraining=False).videos.generator.moves


# -- the critic ------------------------------------------------------------------------------------------------


def test_the_pair_of_critics_scores_frames_and_video():
    """The image's score does not mind the order of frames, the video's does."""
    torch.manual_seed(0)
    critic = critic_of(tiny(**SEVERAL).system, 4)  # pyright: ignore[reportArgumentType]
    video = torch.randn(2, 3, 4, 16, 16)
    with torch.no_grad():
        scores, other = critic(video), critic(video.flip(2))
    assert scores.shape == (2, 2)
    assert torch.allclose(scores[:, 0], other[:, 0], atol=1e-5)
    assert (scores[:, 1] - other[:, 1]).abs().min() > 1e-4
    assert critic_of(tiny(**SEVERAL).system, 1)(video[:, :, :1]).shape == (2, 1)  # pyright: ignore[reportArgumentType]


def test_a_critic_over_time_sees_frames_in_a_row():
    stage = made(critic="image+3d", seen_frames=3, motion="linear").videos
    times = stage.clip_times(200, torch.Generator().manual_seed(0))
    assert torch.equal(times[:, 1:] - times[:, :-1], torch.ones(200, 2, dtype=torch.float64))
    assert sorted(set(times[:, 0].tolist())) == [0, 1]


# -- text ------------------------------------------------------------------------------------------------------


def test_a_critic_learns_which_text_a_clip_has(learnt: VideoGan):
    """A batch learnt by heart, with wrong texts as negatives: real clips score lower under a wrong text."""
    stage, clips, rng = learnt.videos, Captioned(8), torch.Generator().manual_seed(0)
    real, times = stage.real(clips.batch, rng)
    text = stage.text_of(clips.batch)
    assert text is not None
    with torch.no_grad():
        right, wrong = (stage.score(real, times, t, rng).view(8, -1).mean(1) for t in (text, text.roll(1, 0)))
    assert (right - wrong).mean() > 0.3


def test_a_text_is_read_back_from_what_was_learnt(learnt: VideoGan):
    if learnt.config.text != "info":
        assert learnt.videos.critic.info is None
        return
    assert missing(learnt) < 0.5 * missing(made(**SWITCHES["info"]))


def missing(system: VideoGan) -> float:
    """How badly the critic's features tell the text of real clips."""
    stage, clips, rng = system.videos, Captioned(8), torch.Generator().manual_seed(0)
    real, times = stage.real(clips.batch, rng)
    with torch.no_grad():
        return float(stage.unread(stage.judged(real, times, stage.text_of(clips.batch), rng)[1], clips.batch))


def test_text_kernels_are_those_of_their_own_clip():
    from storyreel.systems.video_gan_text import TextFilter

    torch.manual_seed(0)
    for axes, shape in ((2, (3, 6, 8, 8)), (3, (3, 6, 4, 8, 8))):
        one, x, text = TextFilter(6, 5, axes), torch.randn(shape), torch.randn(3, 5)
        with torch.no_grad():
            alone = torch.cat([one(x[i : i + 1], text[i : i + 1]) for i in range(3)])
            assert torch.allclose(one(x, text), alone, atol=1e-5)
            assert (one(x, text) - one(x, text.roll(1, 0))).abs().min() > 1e-4


@pytest.mark.parametrize("name", sorted(SWITCHES))
def test_a_penalty_is_taken_in_float32_where_the_step_is_in_bfloat16(name: str):
    stage = made(**SWITCHES[name]).videos
    with torch.autocast("cpu", torch.bfloat16):
        loss = stage.loss(Captioned(4).batch, Tick(0, "critic", torch.Generator().manual_seed(0)))
    loss.total.backward()
    assert torch.isfinite(loss.total)


def test_wrong_texts_are_those_that_differ():
    stage, rng = made(text="projection", negatives="wrong_text").videos, torch.Generator().manual_seed(0)
    same = {k: v[:1].repeat(4, *[1] * (v.ndim - 1)) for k, v in Captioned(4).batch.items()}
    loss = stage.loss(same, Tick(1, "critic", rng))
    assert torch.equal(loss.parts["wrong"], loss.parts["made"])  # none has the text of another
    parts = stage.loss(Captioned(4).batch, Tick(1, "critic", rng)).parts
    assert not torch.equal(parts["wrong"], parts["made"])


def test_wrong_texts_are_half_of_what_is_false():
    real, fake, wrong = torch.tensor([1.0]), torch.tensor([0.5]), torch.tensor([2.0])
    soft = torch.nn.functional.softplus
    assert torch.allclose(critic_term("bce", real, fake, wrong), soft(-real[0]) + (soft(fake[0]) + soft(wrong[0])) / 2)


# -- settings --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"motion": "lstm_maps", "low_rank": 0}, "motion: the maps of lstm_maps are those of frames = dcgan"),
        ({"motion": "lstm_maps", "frames": "dcgan", "low_rank": 0}, "image_pretraining: lstm_maps makes frames"),
        ({"frames": "r3"}, "low_rank: expected 0 with frames = r3"),
        ({"negatives": "wrong_text"}, "negatives: wrong_text needs a text"),
        ({"critic": "image+3d", "seen_frames": 1}, "seen_frames: critic = image"),
    ],
)
def test_switches_that_do_not_go_together_are_named(settings: dict[str, Any], line: str):
    with pytest.raises(ValueError, match=line):
        tiny(**settings)


@pytest.mark.parametrize("name", ["stylesv", "stylegan_v", "mocogan", "tfgan", "ircgan"])
def test_presets_have_equal_parameters(name: str):
    recipe = recipes.get(name)
    with torch.device("meta"):
        videos = recipe.system.build().videos
    count = sum(p.numel() for part in (videos.generator, videos.critic) for p in part.parameters())
    assert count == pytest.approx(4e6, rel=0.08)
    assert list(recipe.stages) == list(recipe.system.build().stages)


def test_what_training_costs_is_counted_on_tensors_without_contents():
    from storyreel.train.cost import cost_of

    recipe = tiny()
    with torch.device("meta"):
        assert cost_of(recipe.system.build(), "videos", recipe.stages["videos"]).step > 1e8
