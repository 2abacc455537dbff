"""Make-A-Video: what a request becomes, what learns in which stage and from what, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from storyreel import recipes
from storyreel.clip import Clip
from storyreel.data.folder import METADATA, DatasetFolder, write_world
from storyreel.data.worlds.digits import Digits
from storyreel.model import load_model, own_tensors, save_model
from storyreel.systems.base import Batch, Progress, Request, Tick
from storyreel.systems.make_a_video import MakeAVideo, MakeAVideoConfig
from storyreel.systems.make_a_video_encoder import ImageTextStage
from storyreel.systems.make_a_video_images import ImageStage
from storyreel.systems.make_a_video_prior import PriorStage
from storyreel.systems.make_a_video_time import InterpolationStage, VideoStage, draw_known
from storyreel.text import load_text_encoder
from storyreel.train.command import Command
from storyreel.train.taken import encoder_tensors

TEXT = load_text_encoder("hash:32")
NAMES = ["encoder", "prior", "decoder", "sr_l", "sr_h", "decoder_video", "interpolation", "sr_l_video"]
MAKES = ["decoder_video", "interpolation", "sr_l_video", "sr_h"]


def tiny() -> MakeAVideoConfig:
    config = recipes.get("make_a_video_tiny").system
    assert isinstance(config, MakeAVideoConfig)
    return config


def make(*, moved: bool = True, **more: Any) -> MakeAVideo:
    """The tiny system; `moved`: with weights large enough that everything matters."""
    torch.manual_seed(0)
    system = replace(tiny(), **more).build().eval()
    if moved:
        shake(system)
    return system


@torch.no_grad()
def shake(module: torch.nn.Module, by: float = 0.05) -> None:
    for p in module.parameters():
        p.add_(by * torch.randn_like(p))


@pytest.fixture(scope="module")
def model() -> MakeAVideo:
    return make()


@pytest.fixture
def changed(model: MakeAVideo) -> Iterator[MakeAVideo]:
    """The same model for a test that does something to its weights."""
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    yield model
    model.load_state_dict(kept)


def prior_of(model: MakeAVideo) -> PriorStage:
    return model.prior


def image_stage(model: MakeAVideo, name: str) -> ImageStage:
    stage = model.stages[name]
    assert isinstance(stage, ImageStage)
    return stage


def video_stage(model: MakeAVideo, name: str = "decoder_video") -> VideoStage:
    stage = model.stages[name]
    assert isinstance(stage, VideoStage)
    return stage


def clips(b: int = 4, frames: int = 6) -> Batch:
    rng = torch.Generator().manual_seed(1)
    return {"video": torch.rand(b, 3, frames, 16, 16, generator=rng) * 2 - 1}


def rngs(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def tick(step: int = 0, progress: float = 0.5) -> Tick:
    return Tick(step, "main", torch.Generator().manual_seed(step), progress)


def picture(seed: int = 0, frames: int = 1, size: tuple[int, int] = (16, 16)) -> Clip:
    pixels = np.random.default_rng(seed).integers(0, 255, (frames, *size, 3), dtype=np.uint8)
    return Clip(pixels, Fraction(6))


def generate(model: MakeAVideo, **wish: Any) -> Clip:
    return model.generate(Request(**({"steps": 2} | wish)), TEXT, lambda _: None)


# -- identity at birth -----------------------------------------------------------------------------------------


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
        assert isinstance(stage, InterpolationStage)
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
            patch.setattr("storyreel.systems.cascade.starting_noise", drawn)
            alone = stage.image.sample(cond, rng=rngs(5), steps=3)
        torch.testing.assert_close(video[:, :, t : t + 1], alone, atol=1e-4, rtol=1e-4)


def test_with_weights_in_time_it_is_no_longer(model: MakeAVideo):
    stage = video_stage(model)
    x, told = torch.randn(1, 3, 3, 8, 8), {"vector": torch.randn(1, 16), "fps": torch.tensor([3.0])}
    with torch.no_grad():
        one = stage.unet(x, torch.zeros(1), **told)
        moved = stage.unet(torch.cat([x[:, :, :2], -x[:, :, 2:]], 2), torch.zeros(1), **told)
    assert (one - moved)[:, :, 0].abs().max() > 1e-4, "the first frame sees the last"


# -- what learns, and from what --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["decoder_video", "interpolation", "sr_l_video"])
def test_only_what_is_new_learns_on_videos(name: str):
    model = make()
    stage = video_stage(model, name).train()
    learning = {id(p) for p in stage.parameters_for("main")}
    new = {n for n, p in stage.unet.named_parameters() if id(p) in learning}
    assert new
    assert all("time" in n or "temporal" in n or n.startswith(("from_fps", "from_skip", "stem.new")) for n in new)
    before = {n: t.clone() for n, t in model.state_dict().items()}
    optimizer = torch.optim.AdamW(stage.parameters_for("main"), lr=1e-2)
    for step in range(2):
        optimizer.zero_grad()
        stage.loss(clips(), tick(step)).total.backward()
        optimizer.step()
    own = {id(t) for t in own_tensors(stage).values()}
    for n, t in model.state_dict(keep_vars=True).items():
        assert t.equal(before[n]) != (id(t) in own and n.rpartition(".")[2] != "place"), n
    dead = [n for n, p in stage.unet.named_parameters() if id(p) in learning and not p.grad.any()]  # pyright: ignore
    assert not dead, "everything new gets a gradient by the second step"


def test_a_stage_owns_what_it_adds(model: MakeAVideo):
    whole = sum(t.numel() for stage in model.stages.values() for t in own_tensors(stage).values())
    assert whole == sum(t.numel() for t in {id(t): t for t in model.state_dict(keep_vars=True).values()}.values())
    names = own_tensors(model.stages["decoder_video"])
    assert all(n == "place" or n.startswith("unet.") for n in names)
    assert not any("conv1" in n for n in names)


def test_captions_are_for_the_prior_alone(model: MakeAVideo):
    assert [name for name, stage in model.stages.items() if stage.needs_text] == ["prior"]
    for name in ("decoder", "sr_l", "sr_h"):
        data = clips(frames=1)
        lies = {"text": torch.full((4, 3, 32), torch.nan), "text_mask": torch.ones(4, 3, dtype=torch.bool)}
        assert model.stages[name].loss(data | lies, tick()).total.equal(model.stages[name].loss(data, tick()).total)


def test_videos_without_captions_train(tmp_path: Path):
    """The trainer's own loaders: no stage but the prior is handed a caption, or asks that there be any."""
    folder = write_world(tmp_path / "data", Digits(size=16, frames=8), 10, 0)
    names = [n for n in ("caption", "captions") if n in folder.table.column_names]
    pq.write_table(folder.table.drop_columns(names), folder.path / METADATA)
    recipe, model = recipes.get("make_a_video_tiny"), make()
    command = Command(recipe=recipe, data=[], out=tmp_path, cache=tmp_path / "cache")
    loaders = command._loaders([(DatasetFolder.open(folder.path), 1.0)], 0, 1)
    for name, settings in recipe.stages.items():
        stage: Any = model.stages[name]
        if stage.needs_text:
            with pytest.raises(ValueError, match="has no captions, which training on text needs"):
                loaders(name, settings, stage, None, "")
            continue
        loader: Any = loaders(name, settings, stage, None, "")
        data = loader.batch(0)
        assert set(data) == {"video", "length", "context"}
        assert data["video"].shape[2] == (1 if isinstance(stage, ImageStage) else 6)
        assert stage.loss(data, tick()).total.isfinite()


def test_the_prior_learns_which_caption_goes_with_which_picture():
    model = make(moved=False)
    prior = prior_of(model).train()
    data = clips(3, 1)
    text = {
        "text": torch.randn(3, 2, 32, generator=rngs(0)[0]) * 2, "text_mask": torch.ones(3, 2, dtype=torch.bool)
    }  # fmt: skip
    whole = {k: v.repeat(8, *[1] * (v.ndim - 1)) for k, v in (data | text).items()}
    optimizer = torch.optim.AdamW([p for p in prior.parameters() if p.requires_grad], lr=3e-3)
    for step in range(100):
        loss = prior.loss(whole, tick(step)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    made, real = prior.eval().sample(text, rng=rngs(1, 2, 3)), model.encoder.images(data["video"])[:, 0]
    assert (made @ real.T).argmax(1).tolist() == [0, 1, 2]
    torch.testing.assert_close(made.norm(dim=1), torch.full((3,), 4.0))


def test_a_decoder_learns_a_batch_by_heart():
    """On pictures, then the layers in time on videos: each embedding gives its own video, and its frames differ."""
    model = make(moved=False)
    data = clips(2, 3)
    data["video"] = 0.3 * data["video"] + torch.tensor([0.6, -0.6])[:, None, None, None, None]  # bright, and dark
    for name, some, steps in (("decoder", {"video": data["video"][:, :, 1:2]}, 80), ("decoder_video", data, 30)):
        stage: Any = model.stages[name].train()
        whole = {k: v.repeat(4, 1, 1, 1, 1) for k, v in some.items()}
        optimizer = torch.optim.AdamW(list(stage.parameters_for("main")), lr=5e-3)
        for step in range(steps):
            loss = stage.loss(whole, tick(step)).total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        stage.eval()
    stage = video_stage(model)
    x, cond = stage.real(data["video"])
    made = stage.sample(cond, rng=rngs(1, 2), steps=8, guidance=1.0)
    away = torch.stack([(made[i] - x).square().mean((1, 2, 3, 4)) for i in range(2)])
    assert away.argmin(1).tolist() == [0, 1]


def test_clips_come_at_rates_of_their_own(model: MakeAVideo):
    stage = video_stage(model)
    counted = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(64, 3, 6, 16, 16)
    early, late = (stage.at_rates(counted, tick(0, progress)) for progress in (0.0, 0.999))
    for video, fps in (early, late):
        steps = video[:, 0, :, 0, 0].diff(dim=1)
        assert steps.eq(6 / fps[:, None]).all(), "the rate that is told is that of the frames"
    assert (early[1] == 6).float().mean() > (late[1] == 6).float().mean(), "high rates first (Section 3.4)"
    with pytest.raises(ValueError, match="stage 'decoder_video': wanted clips of at least 3 frames, got 2"):
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
        ({}, "stage 'interpolation': wanted at least 1 known frame, got 0"),
        ({"low": torch.zeros(1, 3, 0, 8, 8)}, "stage 'interpolation': wanted at least 1 known frame, got 0"),
        ({"low": torch.zeros(1, 3, 2, 8, 8), "places": torch.tensor([1, 6])}, "known frames: wanted a place from 0 to"),
        ({"low": torch.zeros(1, 3, 2, 8, 8), "places": torch.tensor([1])}, "known frames: wanted a place from 0 to"),
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


# -- requests --------------------------------------------------------------------------------------------------


def test_a_prompt_gives_a_video_of_the_last_shape(model: MakeAVideo):
    told: list[Progress] = []
    clip = model.generate(Request(prompt="a cat"), TEXT, told.append)
    assert clip.frames.shape == (6, 16, 16, 3)
    assert (clip.fps, clip.caption) == (6, "a cat")
    assert [(p.done, p.total) for p in told] == [(i + 1, 16) for i in range(16)]
    assert list(dict.fromkeys(p.what for p in told)) == MAKES
    assert told[0].preview is not None
    assert told[0].preview().frames.shape == (3, 8, 8, 3)


def test_seed_index_and_prompt_decide(model: MakeAVideo):
    clip = generate(model, prompt="a cat", seed=3, index=1)
    assert np.array_equal(clip.frames, generate(model, prompt="a cat", seed=3, index=1).frames)
    assert not np.array_equal(clip.frames, generate(model, prompt="a cat", seed=3, index=2).frames)
    assert not np.array_equal(clip.frames, generate(model, prompt="a dog", seed=3, index=1).frames)


def test_any_prefix_of_the_cascade_is_a_product(model: MakeAVideo):
    shapes = [model.make(Request(prompt="a", steps=1), TEXT, upto=n).frames.shape[:2] for n in MAKES]
    assert shapes == [(3, 8), (6, 8), (6, 12), (6, 16)]
    with pytest.raises(ValueError, match=r"stage: wanted one of decoder_video, .*, got 'sr_x'"):
        model.make(Request(prompt="a", steps=1), TEXT, upto="sr_x")
    with pytest.raises(ValueError, match="stage: a picture or a clip does not pass through 'decoder_video'"):
        model.make(Request(image=picture(), steps=1), TEXT, upto="decoder_video")


@pytest.mark.parametrize(
    ("wish", "frames"),
    [
        ({"prompt": "a cat", "frames": 2}, 2),
        ({"prompt": "a cat", "frames": 15}, 15),
        ({"image": picture()}, 6),
        ({"image": picture(), "prompt": "a cat", "frames": 9}, 9),
        ({"image": picture(), "backward": True, "frames": 8}, 8),
        ({"image": picture(), "image_end": picture(1), "frames": 4}, 4),
        ({"extend": picture(frames=5), "frames": 7}, 7),
        ({"extend": picture(frames=5), "backward": True}, 6),
        ({"variation": picture(frames=5)}, 6),
    ],
)
def test_what_can_be_asked_for(model: MakeAVideo, wish: dict[str, Any], frames: int):
    told: list[Progress] = []
    clip = model.generate(Request(steps=1, **wish), TEXT, told.append)
    assert clip.frames.shape == (frames, 16, 16, 3)
    assert [p.done for p in told] == list(range(1, told[-1].total + 1))


def low_of(model: MakeAVideo, **wish: Any) -> np.ndarray:
    """The small frames of a request, in which what was known is as it was."""
    return model.make(Request(**({"steps": 1} | wish)), TEXT, upto="interpolation").frames


def test_known_pictures_stand_where_they_were_asked_for(model: MakeAVideo):
    flat = [Clip(np.full((1, 16, 16, 3), value, np.uint8)) for value in (40, 200)]
    assert (low_of(model, image=flat[0])[0] == 40).all()
    assert (low_of(model, image=flat[0], backward=True)[-1] == 40).all()
    both = low_of(model, image=flat[0], image_end=flat[1], frames=5)
    assert (both[0] == 40).all()
    assert (both[-1] == 200).all()
    long = Clip(np.repeat(np.array([10, 20, 200, 40], np.uint8), 16 * 16 * 3).reshape(4, 16, 16, 3))
    ahead, back = low_of(model, extend=long, frames=3), low_of(model, extend=long, frames=3, backward=True)
    assert not any((frame == v).all() for frame in (*ahead, *back) for v in (10, 20, 200, 40)), "only what is new"


def test_a_variation_is_of_the_mean_embedding(model: MakeAVideo, monkeypatch: pytest.MonkeyPatch):
    seen: list[Tensor] = []
    stage = video_stage(model)
    sample = stage.sample
    monkeypatch.setattr(stage, "sample", lambda cond, **more: seen.append(cond["embedding"]) or sample(cond, **more))
    clip = picture(frames=4)
    generate(model, variation=clip)
    each = model.encoder.images(clip.to_tensor()[None])
    torch.testing.assert_close(seen[0], torch.nn.functional.normalize(each.mean(1), dim=-1) * 4)


def test_a_picture_of_another_aspect_is_cut_or_padded(model: MakeAVideo):
    tall = Clip(np.full((1, 32, 16, 3), 250, np.uint8))
    assert (low_of(model, image=tall)[0] == 250).all()
    padded = low_of(model, image=tall, fit="pad")[0]
    assert (padded[:, 2:6] == 250).all()
    assert (padded[:, [0, 1, 6, 7]] == 128).all()
    matted = make(channels=4)
    assert generate(matted, image=tall, fit="pad", transparent=True).frames.shape == (6, 16, 16, 4)


def test_it_is_saved_and_loaded(model: MakeAVideo, tmp_path: Path):
    recipe = recipes.get("make_a_video_tiny")
    save_model(tmp_path / "m", model, recipe=recipe, card="", training={})
    again, loaded, told = load_model(tmp_path / "m")
    assert isinstance(again, MakeAVideo)
    assert loaded.system == recipe.system
    assert list(told["components"]) == NAMES
    rounded = make()
    with torch.no_grad():
        for p in rounded.parameters():
            p.copy_(p.half())
    ours, theirs = (generate(m, prompt="a cat").frames.astype(int) for m in (rounded, again))
    assert np.abs(ours - theirs).max() <= 3


def test_the_encoder_is_taken_by_name_and_digest():
    """The shipped model's: what it says of a picture and of a sentence is what the encoder itself says."""
    from storyreel.encoder import as_frames, load_encoder

    config = recipes.get("make_a_video_sprites").system
    assert isinstance(config, MakeAVideoConfig)
    stage = ImageTextStage(config.encoder)
    stage.take(*encoder_tensors(stage.taken_from))
    encoder, clip = load_encoder("sprites"), picture(size=(64, 64))
    told = encoder.frame_embeddings(as_frames(clip)[None])
    torch.testing.assert_close(stage.images(clip.to_tensor()[None]) / stage.dim**0.5, told, atol=1e-4, rtol=1e-3)
    states, mask = torch.randn(2, 5, 384), torch.ones(2, 5, dtype=torch.bool)
    torch.testing.assert_close(stage.texts(states, mask) / stage.dim**0.5, encoder.net.text(states, mask))
    other = ImageTextStage(replace(config.encoder, sha256="f00"))
    with pytest.raises(ValueError, match="encoder 'encoder-sprites': is another than the recipe's"):
        other.take(*encoder_tensors(other.taken_from))


# -- what is refused -------------------------------------------------------------------------------------------


def test_the_weights_of_another_cascade_are_refused_by_digest(changed: MakeAVideo):
    other = make(encoder=replace(tiny().encoder, sha256="f00"))
    for name, said in (
        ("prior", "stage 'prior': its weights are of another cascade"),
        ("sr_l_video", "stage 'sr_l_video': its weights are of another stage or of another cascade"),
    ):
        stage: Any = changed.stages[name]
        stage.place.copy_(other.stages[name].place)  # pyright: ignore
        with pytest.raises(ValueError, match=said):
            generate(changed, prompt="a cat")
        with pytest.raises(ValueError, match=said):
            stage.notes()
        stage.place.copy_(torch.tensor(list(stage._place), dtype=torch.uint8))
    assert len(generate(changed, prompt="a cat")) == 6


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"prompt": "a", "steps": 0}, "steps: wanted 1 to 4096, got 0"),
        ({"prompt": "a", "guidance": -1.0}, "guidance: wanted 0 to 1000, got -1"),
        ({"prompt": "a", "guidance": float("nan")}, "guidance: wanted 0 to 1000, got nan"),
        ({"prompt": "a", "frames": 0}, "frames: this model makes 1 to 4096 frames, got 0"),
        ({"image": picture(), "image_end": picture(), "frames": 2}, "between two pictures this model makes 3 to 6"),
        ({"image": picture(), "image_end": picture(), "frames": 7}, "between two pictures this model makes 3 to 6"),
        ({"image_end": picture()}, "image_end: wanted an image to begin with as well"),
        ({"prompt": "a", "backward": True}, "backward: wanted an image or a clip to extend"),
        ({"image": picture(), "extend": picture(frames=2)}, "extend: image is given as well"),
        ({"variation": picture(frames=2), "prompt": "a"}, "prompt: the clip to vary says what is to be seen"),
        ({}, "prompt: it is empty; wanted a sentence"),
        ({"story": (("a cat", 1.0),)}, "story: this model makes a video from one prompt alone"),
        ({"prompt": "a", "transparent": True}, "transparent: this model has no matte"),
    ],
)
def test_what_cannot_be_served_is_named(model: MakeAVideo, wish: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        generate(model, **wish)


@pytest.mark.parametrize(("name", "weight"), [("prior", "to_image.bias"), ("sr_l_video", "unet.head.bias")])
def test_nan_names_stage_and_step(changed: MakeAVideo, name: str, weight: str):
    changed.stages[name].get_parameter(weight).data[0] = torch.nan
    with pytest.raises(ValueError, match=f"stage '{name}': .*NaN or infinity in step 1 of 2"):
        generate(changed, prompt="a cat")


def test_settings_that_cannot_be_are_refused():
    c = tiny()
    for change, said in (
        ({"skip": 3}, "skip: 3 frames, one in 3, are 7 to 9; sr_l has 6"),
        ({"carry": 6}, "carry: wanted 1 to 5, got 6"),
        ({"sr_h": c.sr_l}, "sr_h.shape: wanted larger frames than 6x12x12"),
        ({"text_dim": 5}, "text_dim: wanted the encoder's 32, got 5"),
        ({"decoder": replace(c.decoder, shape=replace(c.decoder.shape, fps=4))}, "sr_l.shape.fps: wanted 2 times"),
    ):
        with pytest.raises(ValueError, match=said):
            replace(c, **change)
    with pytest.raises(ValueError, match=r"shape.height: wanted a multiple of 2, got 9"):
        replace(c.decoder, shape=replace(c.decoder.shape, height=9, width=9))
    with pytest.raises(ValueError, match=r"shape.width: wanted the height, 8, got 16"):
        replace(c.decoder, shape=replace(c.decoder.shape, width=16))
    with pytest.raises(ValueError, match=r"sampling.tile: wanted a network without attention"):
        replace(c.decoder, sampling=replace(c.decoder.sampling, tile=8))
    with pytest.raises(ValueError, match=r"prior.tries: wanted at least 1, got 0"):
        replace(c.prior, tries=0)
