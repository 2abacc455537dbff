"""Make-A-Video in training: what learns in which stage, and from what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
from make_a_video_tiny import clips, make, prior_of, rngs, tick, video_stage

from storyreel import recipes
from storyreel.data.folder import METADATA, DatasetFolder, write_world
from storyreel.model import own_tensors
from storyreel.options.training import TrainOptions
from storyreel.run import Run
from storyreel.systems.make_a_video import MakeAVideo
from storyreel.systems.make_a_video_networks import SpatiotemporalStage
from storyreel.train.command import Command, note_data
from storyreel.worlds.digits import Digits


@pytest.fixture(scope="module")
def model() -> MakeAVideo:
    return make()


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
        assert t.equal(before[n]) != (id(t) in own and n.rpartition(".")[2] != "fingerprint"), n
    dead = [n for n, p in stage.unet.named_parameters() if id(p) in learning and not p.grad.any()]  # pyright: ignore
    assert not dead, "everything new gets a gradient by the second step"


def test_a_stage_owns_what_it_adds(model: MakeAVideo):
    whole = sum(t.numel() for stage in model.stages.values() for t in own_tensors(stage).values())
    assert whole == sum(t.numel() for t in {id(t): t for t in model.state_dict(keep_vars=True).values()}.values())
    names = own_tensors(model.stages["decoder_video"])
    assert all(n == "fingerprint" or n.startswith("unet.") for n in names)
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
    options = TrainOptions(recipe=recipe.name, data=(str(folder.path),), out=tmp_path, cache=tmp_path / "cache")
    command = Command(recipe=recipe, options=options)
    run = Run.open(tmp_path / "run", recipe)
    folders = [(DatasetFolder.open(folder.path), 1.0)]
    note_data(run, folders, True)
    loaders = command._loaders(run, folders, 0, 1)
    for name, settings in recipe.stages.items():
        stage: Any = model.stages[name]
        if stage.needs_text:
            with pytest.raises(ValueError, match="has no captions, which training on text needs"):
                loaders(name, settings, stage, None, "")
            continue
        loader: Any = loaders(name, settings, stage, None, "")
        data = loader.batch(0)
        assert set(data) == {"video", "length", "context"}
        assert data["video"].shape[2] == (6 if isinstance(stage, SpatiotemporalStage) else 1)
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
