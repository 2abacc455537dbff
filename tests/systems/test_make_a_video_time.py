"""Make-A-Video in time: born as the network for pictures, rates, known frames, the same noise in all frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from make_a_video_tiny import image_stage, make, rngs, shake, tick, video_stage

from storyreel.systems.base import Batch
from storyreel.systems.make_a_video import MakeAVideo
from storyreel.systems.make_a_video_networks import FrameInterpolationStage, draw_known


@pytest.fixture(scope="module")
def model() -> MakeAVideo:
    return make()


@pytest.mark.parametrize("name", ["decoder_video", "sr_l_video", "interpolation"])
def test_a_grown_network_is_its_network_for_pictures(name: str):
    """Section 3.2.1: the whole stage, sampled, gives frame by frame exactly what the stage for pictures gives."""
    model = make(moved=False)
    stage = video_stage(model, name)
    shake(stage.image.unet, 0.1)
    frames = stage.shape.frames
    x = torch.randn(2, 3, frames, stage.shape.height, stage.shape.width)
    embedding, logsnr = torch.randn(2, 16), torch.tensor([0.3, -2.0])
    cond: dict[str, Any] = {"vector": embedding} if stage.encoder else {"augmentation": torch.tensor([2.0, 1.0])}
    low = torch.randn_like(x) if not stage.encoder else None
    new = {}
    if name == "interpolation":
        known = torch.tensor([[True, False, True, False, False, False]] * 2)
        assert isinstance(stage, FrameInterpolationStage)
        new = stage.masked(x, known)
    if stage.unet.from_fps is not None:
        new["fps"] = torch.tensor([3.0, 6.0])
    with torch.no_grad():
        video = stage.unet(x, logsnr, **cond, **({} if low is None else {"extra": low}), **new)
        for t in range(frames):
            beside = {} if low is None else {"extra": low[:, :, t : t + 1]}
            alone = stage.image.unet(x[:, :, t : t + 1], logsnr, **cond, **beside)
            assert alone.abs().max() > 0.01
            torch.testing.assert_close(video[:, :, t : t + 1], alone, atol=2e-5, rtol=1e-4)


def test_a_grown_stage_samples_what_the_stage_for_pictures_samples():
    """The whole stage, with guidance and all steps: every frame is the picture that its noise gives."""
    model = make(moved=False)
    stage = video_stage(model)
    shake(stage.image.unet, 0.1)
    cond = {"embedding": torch.randn(1, 16)}
    video = stage.sample(cond, rng=rngs(5), steps=3)
    noise = torch.randn(3, 3, 8, 8, generator=rngs(5)[0])
    for t in range(3):
        drawn: Any = lambda *_, t=t, **__: noise[None, :, t : t + 1]  # noqa: E731
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("storyreel.systems.cascade_stage.starting_noise", drawn)
            alone = stage.image.sample(cond, rng=rngs(5), steps=3)
        torch.testing.assert_close(video[:, :, t : t + 1], alone, atol=1e-4, rtol=1e-4)


def test_with_weights_in_time_it_is_no_longer(model: MakeAVideo):
    stage = video_stage(model)
    x, told = torch.randn(1, 3, 3, 8, 8), {"vector": torch.randn(1, 16), "fps": torch.tensor([3.0])}
    with torch.no_grad():
        one = stage.unet(x, torch.zeros(1), **told)
        moved = stage.unet(torch.cat([x[:, :, :2], -x[:, :, 2:]], 2), torch.zeros(1), **told)
    assert (one - moved)[:, :, 0].abs().max() > 1e-4, "the first frame sees the last"


def test_clips_come_at_rates_of_their_own(model: MakeAVideo):
    stage = video_stage(model)
    counted = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(64, 3, 6, 16, 16)
    early, late = (stage.at_rates(counted, tick(0, progress)) for progress in (0.0, 0.999))
    for video, fps in (early, late):
        steps = video[:, 0, :, 0, 0].diff(dim=1)
        assert steps.eq(6 / fps[:, None]).all(), "the rate that is told is that of the frames"
    assert (early[1] == 6).float().mean() > (late[1] == 6).float().mean(), "high rates first (Section 3.4)"
    with pytest.raises(ValueError, match="stage 'decoder_video': expected clips of at least 3 frames, got 2"):
        stage.at_rates(counted[:, :, :2], tick())


def test_between_one_and_all_but_one_frame_is_known():
    known = draw_known(500, 6, torch.Generator().manual_seed(0))
    assert set(known.sum(1).tolist()) == {1, 2, 3, 4, 5}
    assert (known[:, 0] & ~known[:, -1]).any()
    assert (known[:, -1] & ~known[:, 0]).any()
    assert draw_known(50, 2, torch.Generator()).sum(1).eq(1).all()


# -- interpolation ---------------------------------------------------------------------------------------------


def test_known_frames_come_out_as_they_went_in(model: MakeAVideo):
    stage = model.interpolation
    low, embedding = torch.rand(1, 3, 2, 8, 8), torch.randn(1, 16)
    for places in ([0, 2], [4, 5], [0, 5]):
        cond = {"low": low, "places": torch.tensor(places), "embedding": embedding}
        made = stage.sample(cond, rng=rngs(0), steps=2)
        torch.testing.assert_close(made[:, :, places], low)
    other = stage.sample({"low": -low, "embedding": embedding}, rng=rngs(0), steps=2)
    same = stage.sample({"low": low, "embedding": embedding}, rng=rngs(0), steps=2)
    assert not other[:, :, 1].allclose(same[:, :, 1]), "what is made depends on what is known"


def test_it_begins_with_what_the_decoder_learnt():
    model = make(moved=False)
    before, stage = video_stage(model), model.interpolation
    shake(before.unet)
    stage.begin()
    name = next(n for n, _ in before.unet.named_parameters() if "temporal" in n)
    assert stage.unet.get_parameter(name).equal(before.unet.get_parameter(name))
    shake(before.unet)
    stage.begin()
    assert not stage.unet.get_parameter(name).equal(before.unet.get_parameter(name)), "what has learnt stays"


@pytest.mark.parametrize(
    ("cond", "said"),
    [
        ({}, "stage 'interpolation': expected at least 1 known frame, got 0"),
        ({"low": torch.zeros(1, 3, 0, 8, 8)}, "stage 'interpolation': expected at least 1 known frame, got 0"),
        (
            {"low": torch.zeros(1, 3, 2, 8, 8), "places": torch.tensor([1, 6])},
            "known frames: expected a place from 0",
        ),
        ({"low": torch.zeros(1, 3, 2, 8, 8), "places": torch.tensor([1])}, "known frames: expected a place from 0"),
    ],
)
def test_without_a_known_frame_there_is_nothing_to_fill_in(model: MakeAVideo, cond: Batch, said: str):
    with pytest.raises(ValueError, match=said):
        model.interpolation.sample(cond | {"embedding": torch.zeros(1, 16)}, rng=rngs(0), steps=1)


# -- super-resolution ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["dpm-solver", "ancestral", "stochastic"])
def test_all_frames_are_refined_with_the_same_noise(model: MakeAVideo, sampler: str):
    """Section 3.2.2: a still video stays still, which with noise of their own frames would not."""
    stage = image_stage(model, "sr_h")
    kept = stage.sampling
    still = torch.rand(1, 3, 1, 12, 12, generator=rngs(0)[0]).expand(1, 3, 6, 12, 12)
    try:
        stage.sampling = replace(kept, sampler=sampler)
        made = stage.sample({"low": still}, rng=rngs(3), steps=3)
        torch.testing.assert_close(made, made[:, :, :1].expand_as(made), atol=1e-5, rtol=1e-5)
        stage.same_noise = False
        apart = stage.sample({"low": still}, rng=rngs(3), steps=3)
        assert apart.diff(dim=2).abs().mean() > 1e-3
    finally:
        stage.sampling, stage.same_noise = kept, True
