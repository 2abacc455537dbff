"""Stable Video Diffusion as a system: how its stages begin, what they learn from, and what a request becomes."""

from __future__ import annotations

import warnings
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from storyreel import recipes
from storyreel.clip import Clip
from storyreel.systems.base import Batch, Request, Tick
from storyreel.systems.svd import Svd
from storyreel.systems.svd_diffusion import DiffusionStage, noised_picture
from storyreel.systems.svd_motion import USUAL_BUCKET

M = TypeVar("M", bound=nn.Module)


class Text:
    name, dim = "numbers", 32

    def __call__(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        states = torch.stack([torch.randn(5, 32, generator=torch.Generator().manual_seed(len(c))) for c in captions])
        return states, torch.ones(len(captions), 5, dtype=torch.bool)


def system(**settings: Any) -> Svd:
    torch.manual_seed(0)
    return replace(recipes.get("svd_tiny").system, **settings).build()


def batch(count: int = 4, frames: int = 4) -> Batch:
    rng = torch.Generator().manual_seed(1)
    return {
        "video": torch.rand(count, 3, frames, 16, 16, generator=rng) * 2 - 1,
        "text": torch.randn(count, 5, 32, generator=rng),
        "text_mask": torch.ones(count, 5, dtype=torch.bool),
    }


def tick(seed: int = 0) -> Tick:
    return Tick(0, "main", torch.Generator().manual_seed(seed))


def stirred(made: M) -> M:
    """With other weights than those that a network begins with."""
    with torch.no_grad():
        for number, parameter in enumerate(made.parameters()):
            rng = torch.Generator().manual_seed(number)
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=rng))
    return made


def diffusion(made: Svd, name: str) -> DiffusionStage:
    stage = made.stages[name]
    assert isinstance(stage, DiffusionStage)
    return stage


def test_a_decoder_in_time_begins_as_that_of_pictures():
    made = system()
    with torch.no_grad():
        made.autoencoder.net.decoder.conv_out.weight.mul_(2)
        made.decoder.begin()
        latents = made.autoencoder.encode(batch()["video"])
        frames = made.autoencoder.net.decode(made.autoencoder.unscaled(latents), in_time=False)
    torch.testing.assert_close(made.decoder.decode(latents), frames, atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        stirred(made)
    learnt = {name: tensor.clone() for name, tensor in made.decoder.state_dict().items()}
    made.decoder.begin()
    assert all(tensor.equal(learnt[name]) for name, tensor in made.decoder.state_dict().items()), (
        "what has learnt stays"
    )


def test_each_stage_begins_with_the_weights_of_the_one_before():
    made, given = system(), batch()
    before = diffusion(made, "images")
    stirred(before)
    read: dict[str, Any] = {"context": given["text"], "context_mask": given["text_mask"]}
    read["conditions"] = torch.tensor([[7.0, 90.0, 0.0]] * 4)
    z, logsnr = torch.randn(4, 4, 4, 8, 8, generator=torch.Generator().manual_seed(3)), torch.zeros(4)
    for name in ("videos", "text_to_video", "image_to_video"):
        stage = diffusion(made, name)
        stage.begin()
        beside = {"beside": torch.randn(4, 4, 1, 8, 8)} if stage.image else {}
        with torch.no_grad():
            torch.testing.assert_close(stage.v(z, logsnr, read | beside), before.unet(z, logsnr, **read))


def test_the_stage_of_pictures_learns_the_layers_in_space_alone():
    stage = diffusion(stirred(system()), "images")
    stage.loss(batch(), tick()).total.backward()
    learning = {id(p) for p in stage.parameters_for("main")}
    temporal = {id(p) for p in stage.unet.temporal_parameters()}
    assert not learning & temporal
    assert all(p.grad is None for p in stage.unet.temporal_parameters())
    dead = [n for n, p in stage.named_parameters() if id(p) in learning and (p.grad is None or not p.grad.any())]
    assert not [name for name in dead if name != "null_text"], dead


def test_items_that_are_pictures_do_not_see_other_frames():
    stage, given = diffusion(stirred(system()), "videos"), batch()
    entries = {**given, **stage.prepare(given), "length": torch.tensor([1, 4, 1, 4])}
    other = dict(entries)
    other["length"] = torch.full((4,), 4)
    assert float(stage.loss(entries, tick()).total) != float(stage.loss(other, tick()).total)
    read = {"context": given["text"], "context_mask": given["text_mask"], "conditions": torch.zeros(4, 3)}
    z = torch.randn(4, 4, 4, 8, 8)
    pictures = torch.tensor([True, False, True, False])
    with torch.no_grad():
        changed = z.clone()
        changed[:, :, 3] += 1
        before, after = (stage.v(x, torch.zeros(4), {**read, "pictures": pictures}) for x in (z, changed))
    seen = (before - after)[:, :, 0].abs().amax((1, 2, 3))
    assert seen[[0, 2]].max() < 1e-5
    assert seen[[1, 3]].min() > 1e-5


def test_a_sample_does_not_depend_on_the_padding_of_its_batch():
    stage, given = diffusion(stirred(system()), "text_to_video"), batch(1)
    longer = {
        "text": torch.cat([given["text"], torch.randn(1, 3, 32)], 1),
        "text_mask": torch.tensor([[True] * 5 + [False] * 3]),
    }
    one, other = (
        stage.sample(cond, rng=[torch.Generator().manual_seed(5)], steps=2)
        for cond in ({"text": given["text"], "text_mask": given["text_mask"]}, longer)
    )
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_frames_that_are_given_are_no_part_of_what_a_text_says():
    stage = diffusion(system(), "videos")
    x = torch.arange(4.0).view(1, 1, 4, 1, 1).expand(2, 1, 4, 1, 1)
    frames, fps = replace_slowed(stage, 0.0)._frames(x, torch.tensor([0, 1]), torch.Generator())  # pyright: ignore[reportPrivateUsage]
    assert frames[:, 0, :, 0, 0].tolist() == [[0, 1, 2, 3], [1, 1, 2, 3]]
    assert fps.tolist() == [8, 8]


def test_clips_at_a_higher_rate_repeat_their_frames():
    stage = replace_slowed(diffusion(system(), "videos"), 1.0)
    x = torch.arange(4.0).view(1, 1, 4, 1, 1).expand(64, 1, 4, 1, 1)
    frames, fps = stage._frames(x, torch.zeros(64, dtype=torch.long), torch.Generator().manual_seed(0))  # pyright: ignore
    assert fps.min() >= 8
    assert fps.max() <= 16
    assert len(fps.unique()) > 4
    for row, rate in zip(frames[:, 0, :, 0, 0].tolist(), fps.tolist(), strict=True):
        assert row == [int(i * 8 / rate) for i in range(4)]


def replace_slowed(stage: DiffusionStage, slowed: float) -> DiffusionStage:
    stage.diffusion = replace(stage.diffusion, slowed=slowed)
    return stage


def test_latents_have_the_deviation_that_was_followed():
    made, video = system(), batch()["video"]
    for step in range(3):
        made.autoencoder.loss({"video": video[:, :, :1]}, Tick(step, "main", torch.Generator().manual_seed(0)))
    latents = made.autoencoder.encode(video)
    assert latents.std((0, 2, 3, 4)).tolist() == pytest.approx([1.0] * 4, rel=0.25)
    assert made.autoencoder.unscaled(latents).allclose(made.autoencoder.net.encode(video).mode, atol=1e-4)


def test_the_stages_share_what_is_prepared():
    made, given = system(), batch()
    entries = diffusion(made, "videos").prepare(given)
    assert entries["latents"].shape == (4, 4, 4, 4, 4)
    assert entries["motion"].shape == (4,)
    assert entries["first"].dtype == torch.uint8
    back = entries["first"].float() / 127.5 - 1
    assert float((back - given["video"][:, :, 0]).abs().max()) <= 1 / 127.5
    for name in ("images", "videos", "text_to_video", "image_to_video"):
        found = diffusion(made, name).loss({**given, **entries}, tick()).total
        assert float(found) == pytest.approx(float(diffusion(made, name).loss(given, tick()).total))


def picture(size: int = 16, alpha: bool = False) -> Clip:
    rng = np.random.default_rng(0)
    return Clip(rng.integers(0, 255, (1, size, size, 4 if alpha else 3), np.uint8), Fraction(8))


def made_by(made: Svd, **options: Any) -> Clip:
    return made.generate(Request.of(**options), Text(), lambda progress: None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("options", [{"prompt": "an orc"}, {"image": True}, {"prompt": "an orc", "image": True}])
def test_a_text_or_a_picture_becomes_a_video(options: dict[str, Any]):
    made = stirred(system()).eval()
    if "image" in options:
        options = {**options, "image": picture()}
    clip = made_by(made, steps=2, **options)
    assert clip.frames.shape == (4, 16, 16, 3)
    assert clip.fps == 8
    assert (made_by(made, steps=2, **options).frames == clip.frames).all()
    for change in ({"motion": 250}, {"fps": 16}, {"guidance": 6.0}):
        if "fps" in change and "image" in options:
            continue
        with pytest.warns() if "fps" in change else nothing():
            assert (made_by(made, steps=2, **options, **change).frames != clip.frames).any(), change


class nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


def test_candidates_are_those_of_one_at_a_time():
    made = stirred(system()).eval()
    request = Request.of(prompt="an orc", steps=2)
    together = made.candidates(request, 3, Text(), lambda progress: None)  # pyright: ignore[reportArgumentType]
    for number, clip in enumerate(together):
        alone = made.generate(replace(request, candidate=number), Text(), lambda progress: None)  # pyright: ignore[reportArgumentType]
        assert np.abs(clip.frames.astype(int) - alone.frames.astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"prompt": "an orc", "frames": 17}, "frames: this model makes 1 to 16 frames, got 17"),
        ({"prompt": "an orc", "transparent": True}, "transparent: this model has no matte"),
        ({"prompt": "an orc", "motion": 300}, "motion: expected .* 0 to 255, got 300"),
        ({"prompt": "an orc", "motion": -1}, "motion: expected .* 0 to 255, got -1"),
        ({}, "prompt: it is empty; expected a sentence, or an image"),
        ({"story": [["an orc", 1.0]]}, "story: this model makes a video from one prompt or one picture"),
    ],
)
def test_what_it_cannot_do(options: dict[str, Any], line: str):
    with pytest.raises(ValueError, match=line):
        made_by(system(), **options)


def test_what_it_was_not_trained_on_is_warned_of():
    made = stirred(system()).eval()
    with pytest.warns(UserWarning, match="frames: 6 are more than the 4 it was trained on"):
        assert len(made_by(made, prompt="an orc", frames=6, steps=1)) == 6
    with pytest.warns(UserWarning, match="fps: it was trained at 8 frames a second, not 30"):
        assert made_by(made, prompt="an orc", fps=30, steps=1).fps == 30
    with pytest.warns(UserWarning, match="image: this model has no matte"):
        made_by(made, image=picture(alpha=True), steps=1)
    wide = Clip(np.full((1, 16, 24, 3), 90, np.uint8))
    with pytest.warns(UserWarning, match="image: 24x16 is cropped to the shape of 16x16; --fit pad keeps all of it"):
        made_by(made, image=wide, steps=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made_by(made, image=wide, steps=1, fit="pad")


def test_nan_is_named_with_its_stage_and_step():
    made = system()
    with torch.no_grad():
        diffusion(made, "text_to_video").unet.conv_out.bias.fill_(torch.nan)  # pyright: ignore[reportOptionalMemberAccess]
    with pytest.raises(ValueError, match=r"stage 'text_to_video': sampling: .* NaN or infinity in step 1 of 3"):
        made_by(made, prompt="an orc", steps=3)


def test_settings_that_cannot_be():
    config = recipes.get("svd_tiny").system
    with pytest.raises(ValueError, match=r"shape\.height: expected a multiple of 16, got 24"):
        replace(config, shape=replace(config.shape, height=24))  # pyright: ignore[reportAttributeAccessIssue]


def one_network(pictureless: float = 0.5) -> Svd:
    row = recipes.get("svd_tiny").system.image_to_video  # pyright: ignore[reportAttributeAccessIssue]
    return stirred(system(text_to_video=None, image_to_video=replace(row, pictureless=pictureless)))


def test_one_network_serves_texts_and_pictures():
    made = one_network()
    assert list(made.stages) == ["autoencoder", "decoder", "images", "videos", "image_to_video"]
    assert made.text_stage is made.image_stage
    stage, given = made.text_stage, batch(1)
    cond = {"text": given["text"], "text_mask": given["text_mask"]}
    rng = [torch.Generator().manual_seed(5)]
    by_text = stage.sample(cond, rng=rng, steps=2)
    rng = [torch.Generator().manual_seed(5)]
    by_picture = stage.sample({**cond, "image": given["video"][:, :, :1]}, rng=rng, steps=2)
    assert by_text.shape == by_picture.shape == (1, 4, 4, 4, 4)
    assert not by_text.allclose(by_picture, atol=1e-3)


def test_a_motion_bucket_is_guided_against_the_usual_one():
    stage, given = one_network().image_stage, batch(1)
    cond = {"text": given["text"], "text_mask": given["text_mask"], "image": given["video"][:, :, :1]}
    rng = [torch.Generator().manual_seed(5)]
    read, uncond = stage.conditioning({**cond, "motion": torch.tensor([200.0])}, rng, guided=True)
    assert uncond is not None
    assert (read["conditions"][0, 1], uncond["conditions"][0, 1]) == (200, USUAL_BUCKET)
    assert torch.equal(read["conditions"][:, [0, 2]], uncond["conditions"][:, [0, 2]]), "all else is the same"
    read, uncond = stage.conditioning(cond, rng, guided=True)
    assert uncond is not None
    assert torch.equal(read["conditions"], uncond["conditions"]), "nothing was asked for"


def test_a_clip_without_a_picture_is_learnt_from_as_by_the_network_for_texts():
    stage, given = one_network(1.0).image_stage, batch()
    entries = {**given, **stage.prepare(given)}
    other = {**entries, "first": 255 - entries["first"]}
    assert float(stage.loss(entries, tick()).total) == float(stage.loss(other, tick()).total)
    carried = {**entries, "context": torch.ones(4, dtype=torch.long)}
    assert float(stage.loss(carried, tick()).total) != float(stage.loss(entries, tick()).total)
    half = one_network(0.5).image_stage
    assert float(half.loss(entries, tick()).total) != float(half.loss(other, tick()).total)


def test_one_network_for_both_wants_clips_without_a_picture():
    with pytest.raises(ValueError, match=r"image_to_video\.pictureless: expected more than 0"):
        one_network(0.0)


@pytest.mark.parametrize("kind", ["fixed", "paper", "time_dependent"])
def test_the_noise_of_a_picture_follows_its_law(kind: Any):
    stage = diffusion(stirred(system()), "image_to_video")
    stage.diffusion = replace(stage.diffusion, cond_noise=kind)
    first = torch.full((512, 3, 16, 16), 128, dtype=torch.uint8)
    times = torch.linspace(0, 1, 512)
    rng = torch.Generator().manual_seed(0)
    latents, sigma = noised_picture(stage.diffusion, stage.autoencoder.encode, first, times, rng)
    assert latents.shape == (512, 4, 1, 4, 4)
    early, late = sigma[times < 0.3], sigma[times > 0.97]
    if kind == "fixed":
        assert sigma.unique().tolist() == pytest.approx([0.02])
    elif kind == "paper":
        assert float(sigma.log().mean()) == pytest.approx(-3, abs=0.1)
        assert float(sigma.log().std()) == pytest.approx(0.5, abs=0.1)
    else:
        assert float(early.div(15).logit().mean()) == pytest.approx(-1, abs=0.3)
        assert float(late.div(15).logit().mean()) > 0
    given = batch()
    stage.loss({**given, **stage.prepare(given)}, tick()).total.backward()
    with pytest.raises(ValueError, match="cond_noise_max: expected more than 0, got 0"):
        replace(stage.diffusion, cond_noise_max=0.0)
