"""Models that go on from a trained one of Stable Video Diffusion: a figure turned around, frames between others."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_svd import Text, batch, diffusion, picture, stirred, system, tick
from torch import Tensor, nn

import storyreel
from storyreel import recipes
from storyreel.clip import Clip
from storyreel.model import load_tensors, own_tensors, pack_model, save_model
from storyreel.model_folder import weights_file
from storyreel.recipe import Recipe
from storyreel.systems.base import Request
from storyreel.systems.svd import SvdConfig
from storyreel.systems.svd_factor_tables import FactorTables, Layer, layers_of
from storyreel.systems.svd_factors import FactoredSvd, FactorsConfig
from storyreel.systems.svd_interpolation import InterpolatingSvd, InterpolationStage
from storyreel.systems.svd_lora import temporal_attention
from storyreel.systems.svd_turnaround import LaterSvd, TurningSvd
from storyreel.tensor_file import copy_into
from storyreel.train.export import export_run


def config(kind: str) -> SvdConfig:
    tiny = recipes.get("svd_tiny").system
    assert isinstance(tiny, SvdConfig)
    if kind == "factors":
        return replace(tiny, factors=FactorsConfig(rank=2, alpha=2))
    if kind == "turnaround by factors":
        return replace(tiny, turnaround=tiny.image_to_video, factors=FactorsConfig(rank=2, alpha=2, on="all"))
    if kind == "turnaround":
        return replace(tiny, turnaround=tiny.image_to_video)
    return replace(tiny, shape=replace(tiny.shape, frames=6), interpolation=tiny.text_to_video)


def later(kind: str) -> LaterSvd:
    torch.manual_seed(0)
    made = config(kind).build()
    assert isinstance(made, LaterSvd)
    return made


def weights(made: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in made.state_dict().items()}


def test_each_begins_as_a_stage_of_the_trained_model():
    trained = stirred(system())
    found = {name: weights(stage) for name, stage in trained.stages.items()}
    z, logsnr = torch.randn(2, 4, 5, 8, 8), torch.zeros(2)
    read = {"context": torch.randn(2, 5, 32), "conditions": torch.zeros(2, 3)}
    beside = torch.randn(2, 4, 1, 8, 8)
    for kind, before, given, entered in (
        ("turnaround", "image_to_video", beside, beside),
        ("interpolation", "text_to_video", None, torch.randn(2, 5, 5, 8, 8)),
    ):
        made = later(kind)
        made.adopt(found)
        with torch.no_grad():
            expected = diffusion(trained, before).v(z, logsnr, read if given is None else {**read, "beside": given})
            torch.testing.assert_close(made.stage.v(z, logsnr, {**read, "beside": entered}), expected)
        made.stage.check_fingerprint()
    with pytest.raises(ValueError, match="turnaround goes on from image_to_video"):
        later("turnaround").adopt({"decoder": {}})
    own = {"turnaround": weights(later("turnaround").stage)}
    assert later("turnaround").adopt(own) is own, "a turnaround goes on as it is"


def test_factors_change_nothing_at_first_and_learn_alone():
    trained, made = stirred(system()), later("factors")
    made.adopt({name: weights(stage) for name, stage in trained.stages.items()})
    read: dict[str, Any] = {"context": torch.randn(2, 5, 32), "conditions": torch.zeros(2, 3)}
    z, read["beside"] = torch.randn(2, 4, 4, 8, 8), torch.randn(2, 4, 1, 8, 8)
    with torch.no_grad():
        expected = diffusion(trained, "image_to_video").v(z, torch.zeros(2), read)
        assert made.stage.v(z, torch.zeros(2), read).equal(expected)
    made.stage.loss(batch(), tick()).total.backward()
    learning = [p for p in made.parameters() if p.grad is not None and p.grad.any()]
    assert {id(p) for p in learning} <= {id(p) for p in made.stage.parameters_for("main")}
    assert len(learning) == len(list(made.stage.parameters_for("main"))) // 2, "those at zero; then all"
    with pytest.raises(ValueError, match="factors goes on from image_to_video"):
        later("factors").adopt({"decoder": {}})
    with pytest.raises(ValueError, match=r"factors.rank: expected 1 to 1024, got 0"):
        FactorsConfig(rank=0)
    everywhere = replace(config("factors"), factors=FactorsConfig(rank=2, alpha=2, on="all")).build()
    assert isinstance(everywhere, FactoredSvd)
    assert len(own_tensors(everywhere.stage)) < len(own_tensors(made.stage)), "two tables in place of two a layer"


def test_a_turnaround_by_factors_is_the_trained_model_and_two_tables():
    trained, made = stirred(system()), later("turnaround by factors")
    made.adopt(found := {name: weights(stage) for name, stage in trained.stages.items()})
    network = made.stages["image_to_video"]
    copy_into(own_tensors(network), found["image_to_video"], "image_to_video")
    assert list(made.stages) == ["autoencoder", "decoder", "image_to_video", "turnaround"]
    assert set(own_tensors(made.stage)) == {"speeds", "fingerprint", "factors.down", "factors.up"}
    read: dict[str, Any] = {"context": torch.randn(2, 5, 32), "conditions": torch.zeros(2, 3)}
    z, read["beside"] = torch.randn(2, 4, 4, 8, 8), torch.randn(2, 4, 1, 8, 8)
    with torch.no_grad():
        expected = diffusion(trained, "image_to_video").v(z, torch.zeros(2), read)
        assert made.stage.v(z, torch.zeros(2), read).equal(expected)
    made.stage.loss(batch(), tick()).total.backward()
    learning = {name for name, p in made.named_parameters() if p.grad is not None and p.grad.any()}
    assert learning == {"stage.factors.up"}, "that which is zero; then both"
    with pytest.raises(ValueError, match="turnaround goes on from image_to_video"):
        later("turnaround by factors").adopt({"decoder": {}})


@pytest.mark.parametrize(
    "layer", [nn.Linear(6, 5), nn.Conv2d(3, 4, 3, 2, 1), nn.Conv3d(3, 4, (3, 1, 1), padding=(1, 0, 0))]
)
def test_factors_add_a_matrix_of_low_rank_to_a_layer(layer: Layer):
    x = torch.randn(2, *{nn.Linear: (6,), nn.Conv2d: (3, 8, 8), nn.Conv3d: (3, 4, 8, 8)}[type(layer)])
    first, whole = torch.nn.Linear(2, 3), copy.deepcopy(layer)
    tables = FactorTables({"first": first, "layer": layer}, rank=2, alpha=4)
    assert layer(x).equal(whole(x))
    nn.init.normal_(tables.up)
    enters, scale = whole.weight[0].numel(), 2 * 8 / math.sqrt(whole.weight[0].numel())
    added = tables.up[:, 3:].T @ tables.down[:, 2 : 2 + enters]
    whole.weight.data += scale * added.view_as(whole.weight)
    torch.testing.assert_close(layer(x), whole(x))
    assert list(layer.state_dict()) == ["weight", "bias"], "the layer has no weight that it had not before"


def test_factors_in_time_are_beside_the_attention_in_time():
    network = diffusion(system(), "image_to_video").unet
    assert list(layers_of(network, "time")) == list(temporal_attention(network))
    assert len(layers_of(network, "all")) > 4 * len(layers_of(network, "time"))


def interpolation() -> tuple[InterpolatingSvd, InterpolationStage]:
    made = stirred(later("interpolation"))
    assert isinstance(made, InterpolatingSvd)
    assert isinstance(made.stage, InterpolationStage)
    return made, made.stage


def test_the_network_reads_both_ends_and_a_learned_mask_between_them():
    _, stage = interpolation()
    assert stage.unet.config.in_channels == 4 + 4 + 1
    latents = torch.randn(2, 4, 2, 4, 4)
    read = stage._beside(latents, torch.tensor([True, False]))  # pyright: ignore[reportPrivateUsage]
    beside, mask = read["beside"].split([4, 1], 1)
    assert mask[0, 0, :, 0, 0].tolist() == [1, 0, 0, 0, 1]
    assert not mask[1].any()
    assert beside[0, :, [0, 4]].equal(latents[0])
    learned = stage.mask_latent.view(4, 1, 1, 1)
    assert (beside[0, :, 1:4] == learned).all()
    assert (beside[1] == learned).all(), "what is dropped is masked"
    assert read["tokens"].shape[1] == 2
    assert not read["tokens"][1].any()
    given = batch(frames=6)
    stage.loss(given, tick()).total.backward()
    assert stage.mask_latent.grad is not None
    assert stage.mask_latent.grad.any()


def test_any_five_frames_of_a_clip_are_learnt_from():
    _, stage = interpolation()
    x = torch.arange(6.0).view(1, 1, 6, 1, 1).expand(40, 1, 6, 1, 1)
    frames, fps = stage._frames(x, None, torch.Generator().manual_seed(0))  # pyright: ignore[reportPrivateUsage]
    rows = {tuple(row) for row in frames[:, 0, :, 0, 0].tolist()}
    assert rows == {(0, 1, 2, 3, 4), (1, 2, 3, 4, 5)}
    assert fps.unique().tolist() == [8]


def movie(frames: int) -> Clip:
    pixels = np.random.default_rng(3).integers(0, 255, (frames, 16, 16, 3), np.uint8)
    return Clip(pixels, Fraction(3))


def test_frames_are_put_between_those_of_a_clip_which_stay():
    made, _ = interpolation()
    made.eval()

    def between(clip: Clip, **more: Any) -> Clip:
        request = Request.of(interpolate=clip, steps=2, **more)
        return made.generate(request, Text(), lambda progress: None)  # pyright: ignore[reportArgumentType]

    given = movie(3)
    clip = between(given)
    assert clip.fps == 12
    assert clip.frames.shape == (9, 16, 16, 3)
    assert (clip.frames[::4] == given.frames).all()
    assert (between(given).frames == clip.frames).all()
    assert (between(given, seed=4).frames[1:4] != clip.frames[1:4]).any()
    other = given.frames.copy()
    other[2] = 255 - other[2]
    changed = between(given.replace(frames=other)).frames
    assert np.abs(changed[1:4].astype(int) - clip.frames[1:4]).max() <= 1, "each pair is made apart from the others"
    assert (changed[5:8] != clip.frames[5:8]).any()


def test_two_pictures_are_enough():
    made, _ = interpolation()
    ends = movie(2)
    image, last = (ends.replace(frames=ends.frames[i : i + 1]) for i in (0, 1))
    request = Request.of(image=image, image_end=last, steps=1)
    clip = made.eval().generate(request, Text(), lambda progress: None)  # pyright: ignore[reportArgumentType]
    assert clip.frames.shape == (5, 16, 16, 3)
    assert (clip.frames[[0, 4]] == ends.frames).all()


@pytest.mark.parametrize(
    ("kind", "options", "line"),
    [
        ("interpolation", {"interpolate": movie(1)}, "interpolate: expected a clip of at least 2 frames, got 1"),
        ("interpolation", {"image": picture()}, "interpolate: this model makes frames between others; expected a clip"),
        ("interpolation", {"interpolate": movie(2), "fps": 8}, "fps: the result has 4 times the frame rate"),
        ("interpolation", {"interpolate": movie(2), "transparent": True}, "transparent: this model has no matte"),
        ("interpolation", {"interpolate": movie(2), "story": [["an orc", 1.0]]}, "story: this model makes frames"),
        ("interpolation", {"image": picture(), "image_end": picture(), "frames": 9}, "frames: between two pictures"),
        ("turnaround", {"prompt": "an orc"}, "image: this model turns the figure of a picture around; expected one"),
        ("turnaround", {"image": picture(), "frames": 8}, "frames: a turnaround has 4, one a view, got 8"),
        ("turnaround", {"extend": movie(2)}, "extend: this model turns the figure of a picture around"),
    ],
)
def test_what_they_cannot_do(kind: str, options: dict[str, Any], line: str):
    with pytest.raises(ValueError, match=line):
        later(kind).generate(Request.of(**options), Text(), lambda progress: None)  # pyright: ignore[reportArgumentType]


def test_a_clip_that_is_slower_than_those_of_training_is_warned_of():
    made = stirred(later("interpolation")).eval()
    request = Request.of(interpolate=movie(2).replace(fps=Fraction(1)), steps=1)
    with pytest.warns(UserWarning, match="interpolate: the clip has 1 frames a second"):
        made.generate(request, Text(), lambda progress: None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="frames: the result is as long as the video"):
        Request.of(interpolate=movie(2), frames=5)


def test_settings_that_do_not_go_together():
    tiny = recipes.get("svd_tiny").system
    assert isinstance(tiny, SvdConfig)
    with pytest.raises(ValueError, match=r"shape.frames: expected at least the 5 of an interpolation, got 4"):
        replace(tiny, interpolation=tiny.videos)
    with pytest.raises(ValueError, match="expected one of picture, turnaround and interpolation"):
        replace(tiny, turnaround=tiny.videos, interpolation=tiny.videos)
    with pytest.raises(ValueError, match="factors: expected none beside picture"):
        replace(tiny, shape=replace(tiny.shape, frames=6), interpolation=tiny.videos, factors=FactorsConfig())


def recipe_for(kind: str) -> Recipe:
    tiny, settings = recipes.get("svd_tiny"), config(kind)
    settings = replace(settings, shape=replace(settings.shape, frames=8))
    stage = tiny.stages["image_to_video"]
    stage = replace(stage, data=replace(stage.data, frames=settings.frames, batch=4), steps=2)
    return Recipe(name=f"tiny_{kind.split()[0]}", system=settings, stages={kind.split()[0]: stage}, text=tiny.text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny = recipes.get("svd_tiny")
    return save_model(
        tmp_path_factory.mktemp("svd") / "model", stirred(system()), recipe=tiny, card="# tiny\n", training={}
    )


@pytest.mark.parametrize("kind", ["turnaround", "interpolation", "factors", "turnaround by factors"])
def test_they_train_from_a_model_and_generate(kind: str, trained: Path, tmp_path: Path):
    recipe, data = recipe_for(kind), "digits:?clips=12&frames=8&size=16"
    with pytest.raises(ValueError, match="goes on from a trained model: give its folder with --init"):
        storyreel.train(recipe, [data], tmp_path / "none", device="cpu")
    found = storyreel.train(recipe, [data], tmp_path / "run", init=trained, device="cpu")
    assert found is not None
    model = storyreel.load(found, device="cpu")
    theirs = storyreel.load(trained, device="cpu").system.stages["decoder"].state_dict()
    assert isinstance(model.system, TurningSvd | InterpolatingSvd | FactoredSvd)
    assert all(tensor.equal(theirs[name]) for name, tensor in model.system.decoder.state_dict().items())
    options: dict[str, Any] = {"interpolate": movie(2)} if kind == "interpolation" else {"image": picture()}
    (clip,) = model(steps=1, **options)
    assert len(clip) == (5 if kind == "interpolation" else 8)
    assert set(clip.meta["options"]) == {"prompt", "steps", *options}
    with pytest.raises(ValueError, match="puts no frames between others"):
        storyreel.load(trained, device="cpu")(interpolate=movie(2))
    with pytest.raises(ValueError, match=r"decoder.* did not learn; name the model that it goes on from with --init"):
        export_run(tmp_path / "run", tmp_path / "exported")
    export_run(tmp_path / "run", tmp_path / "exported", init=trained)
    assert storyreel.load(tmp_path / "exported", device="cpu").digest == model.digest
    _check_packed_beside(kind, found, trained, tmp_path / "packed")


def _check_packed_beside(kind: str, model: Path, trained: Path, out: Path) -> None:
    """What did not learn is the trained model's file, byte by byte."""
    before = pack_model(trained, trained.with_name("small"))
    pack_model(model, out, beside=before)
    same = {name for name in load_tensors(out)
            if name in load_tensors(before)
            and weights_file(out, name).read_bytes() == weights_file(before, name).read_bytes()}  # fmt: skip
    assert same == {"autoencoder", "decoder", *(["image_to_video"] if "by" in kind else [])}
    assert len(storyreel.load(out, device="cpu").system.stages) == len(load_tensors(out))


def test_an_interpolation_learns_one_batch_by_heart():
    torch.manual_seed(0)
    made = later("interpolation")
    stage, given = made.stage, batch(4, frames=6)
    ramp = torch.linspace(-1, 1, 6).view(1, 1, 6, 1, 1)
    given["video"] = ramp * given["video"][:, :, :1]  # what lies between follows from both ends
    given = {**given, **stage.prepare(given)}
    optimizer = torch.optim.Adam(stage.parameters_for("main"), lr=3e-3)
    losses = []
    for step in range(120):
        loss = stage.loss(given, tick(step)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert sum(losses[-20:]) < 0.4 * sum(losses[:20])
