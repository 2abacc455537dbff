"""The judged terms of C-ViViT's loss: who learns from them, what they weigh, and training with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from storyreel.model import load_model, save_model
from storyreel.nn.discriminator import Discriminator
from storyreel.nn.i3d import I3D
from storyreel.nn.vgg import VGG16
from storyreel.nn.video_resample import random_frames
from storyreel.recipe import Data, Optim, Recipe, StageRecipe
from storyreel.recipes.phenaki import phenaki_tiny
from storyreel.run import Run
from storyreel.systems.base import Loss, Tick
from storyreel.systems.phenaki import PhenakiConfig
from storyreel.systems.phenaki_losses import discriminator_loss, r1_penalty
from storyreel.systems.phenaki_tokenizer import CViViT, CViViTConfig
from storyreel.train import train_system
from storyreel.train.cost import cost_of

TINY = CViViTConfig(
    size=16, patch=8, dim=16, space_depth=1, time_depth=1, heads=2, mlp=32, num_codes=16, code_dim=4,
    adversarial=0.0, image_perceptual=0.0, video_perceptual=0.0, discriminator=8,
)  # fmt: skip
GAN = replace(TINY, adversarial=0.1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Random weights in the published layouts (tests/nn shows that they are those)."""
    folder = tmp_path_factory.mktemp("judges")
    torch.manual_seed(0)
    save_file(VGG16().state_dict(), folder / "vgg.safetensors")
    save_file(I3D(3).state_dict(), folder / "i3d.safetensors")
    return {name: str(folder / f"{name}.safetensors") for name in ("vgg", "i3d")}


def built(config: CViViTConfig) -> CViViT:
    torch.manual_seed(0)
    return config.build()


def tick(turn: str = "main", step: int = 0) -> Tick:
    return Tick(step, turn, torch.Generator().manual_seed(step))


def clip(frames: int = 3, channels: int = 3) -> dict[str, Tensor]:
    return {"video": torch.rand(2, channels, frames, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1}


def learned(stage: CViViT, loss: Loss) -> set[str]:
    """Names of the parameters that the loss has a gradient for."""
    stage.zero_grad(set_to_none=True)
    loss.total.backward()
    return {n for n, p in stage.named_parameters() if p.grad is not None and bool(p.grad.any())}


# -- what was there before ---------------------------------------------------------------------------------


def test_without_judges_nothing_has_changed():
    stage, judged = built(TINY), built(GAN)
    assert stage.turns == ("main",)
    assert [id(p) for p in stage.parameters_for("main")] == [id(p) for p in stage.parameters()]
    ours, theirs = stage.state_dict(), judged.state_dict()
    assert list(ours) == [n for n in theirs if not n.startswith("discriminator.")]
    assert all(torch.equal(t, theirs[n]) for n, t in ours.items()), "the first weights are the same"
    assert set(stage.loss(clip(), tick()).parts) == {"l2", "l1", "vq", "psnr", "usage"}


@pytest.mark.parametrize("config", [TINY, GAN], ids=["alone", "adversary"])
def test_the_commitment_term_is_always_in(config):
    stage = built(config)
    loss = stage.loss(clip(), tick("generator"))
    rest = loss.parts["l2"] + 0.1 * loss.parts.get("adversarial", torch.zeros(()))
    assert loss.parts["vq"] > 0
    torch.testing.assert_close(loss.total.detach(), rest + loss.parts["vq"])
    assert {"quantize.codebook", "quantize.down.weight"} <= learned(stage, loss)


# -- the discriminator -------------------------------------------------------------------------------------


def test_each_turn_trains_its_own():
    stage = built(GAN)
    assert stage.turns == ("generator", "discriminator")
    generator, discriminator = (list(map(id, stage.parameters_for(turn))) for turn in stage.turns)
    assert not set(generator) & set(discriminator)
    assert len(generator) + len(discriminator) == len(list(stage.parameters()))
    names = learned(stage, stage.loss(clip(), tick("discriminator")))
    assert names
    assert all(n.startswith("discriminator.") for n in names)


def test_the_generator_learns_from_the_adversary():
    stage = built(replace(GAN, l2=0.0, judged_frames=0))
    assert {"from_frame.weight", "from_tube.weight", "to_tube.weight"} <= learned(
        stage, stage.loss(clip(), tick("generator"))
    )
    with torch.no_grad():  # a discriminator that believes nothing: softplus(100)
        stage.discriminator.score.bias.fill_(-100.0)
    assert stage.loss(clip(), tick("generator")).parts["adversarial"] > 90


def test_the_penalty_is_the_squared_gradient_and_comes_every_sixteenth_step():
    net = Discriminator(4, width=4)
    real, made = torch.randn(2, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    x = real.clone().requires_grad_()
    net(x).sum().backward()
    torch.testing.assert_close(r1_penalty(net, real), x.grad.square().sum((1, 2, 3)).mean())
    with_r1, without = (discriminator_loss(net, made, real, tick(step=s), 10.0, 16) for s in (16, 17))
    assert "r1" not in without.parts
    torch.testing.assert_close(with_r1.total, without.total + 10 / 2 * 16 * with_r1.parts["r1"])
    with_r1.total.backward()
    assert all(bool(p.grad.isfinite().all()) for p in net.parameters())


def test_frames_are_picked_alike_from_both():
    video = torch.arange(2 * 5.0).view(2, 1, 5, 1, 1).expand(2, 1, 5, 2, 2)
    made, real = random_frames([video, video + 100], 2, torch.Generator().manual_seed(0))
    assert made.shape == (4, 1, 2, 2)
    assert torch.equal(made + 100, real)
    assert len(set(made[:, 0, 0, 0].tolist())) == 4, "no frame twice"
    assert random_frames([video], 0, torch.Generator())[0].shape == (10, 1, 2, 2)
    assert [x // 5 for x in made[:, 0, 0, 0].tolist()] == [0, 0, 1, 1]


# -- the frozen networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("term", "file"), [("image_perceptual", "vgg"), ("video_perceptual", "i3d")])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_perceptual_term_teaches_the_tokenizer_alone(files, term, file, channels):
    stage = built(replace(TINY, channels=channels, l2=0.0, **{term: 0.5, file: files[file]}))
    loss = stage.loss(clip(channels=channels), tick())
    torch.testing.assert_close(loss.total.detach(), loss.parts["vq"] + 0.5 * loss.parts[term])
    assert loss.parts[term] > 0
    assert "from_frame.weight" in learned(stage, loss)
    net = stage._judges.ready[term]
    assert all(p.grad is None for p in net.parameters())
    assert not {id(p) for p in net.parameters()} & {id(p) for p in stage.parameters()}
    assert set(stage.state_dict()) == set(built(replace(TINY, channels=channels)).state_dict())
    judge = getattr(stage._judges, term)
    same = clip(channels=channels)["video"]
    same = same if term == "video_perceptual" else same[:, :, 0]
    assert judge(same, same) == 0


def test_terms_without_weights_are_off_and_told():
    stage = CViViTConfig(**{**TINY.__dict__, "image_perceptual": 0.1, "video_perceptual": 1.0}).build()
    image, video = stage.notes()
    assert "image_perceptual term (weight 0.1) is off" in image
    assert "torchvision's VGG16" in image
    assert "--set system.tokenizer.vgg=FILE" in image
    assert "video_perceptual term (weight 1) is off" in video
    assert "pytorch-i3d" in video
    assert "--set system.tokenizer.i3d=FILE" in video
    assert set(stage.loss(clip(), tick()).parts) == {"l2", "l1", "vq", "psnr", "usage"}
    assert TINY.build().notes() == []
    with pytest.raises(ValueError, match=r"tokenizer.vgg: /nowhere is not there"):
        replace(TINY, image_perceptual=0.1, vgg="/nowhere").build().notes()


# -- training ----------------------------------------------------------------------------------------------


class Clips:
    def prefetch(self, start: int) -> Iterator[dict[str, Tensor]]:
        while True:
            yield {"video": torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(start)) * 2 - 1}
            start += 1


def recipe(config: CViViTConfig) -> Recipe:
    tiny = phenaki_tiny()
    assert isinstance(tiny.system, PhenakiConfig)
    stage = StageRecipe(
        data=Data(frames=3, size=16, batch=2), optim=Optim(lr=1e-3, warmup=1), steps=4, precision="fp32",
        checkpoint_every=1, sample_every=0, accumulate=1, ema=0.5,
    )  # fmt: skip
    return replace(tiny, system=replace(tiny.system, tokenizer=config), stages={"tokenizer": stage})


def train(path: Path, wanted: Recipe, stop_at: int | None = None):
    told: list[str] = []

    def on_step(record, extra):
        if record["step"] == stop_at:
            raise KeyboardInterrupt

    def build():
        torch.manual_seed(0)
        return wanted.system.build()

    run = Run.open(path, wanted)
    try:
        system = train_system(build, run, lambda *_: Clips(), on_step=on_step, tell=told.append)
    except KeyboardInterrupt:
        system = None
    return system, told


def contents(path: Path) -> dict[str, bytes]:
    found = (p for p in sorted(path.rglob("*")) if p.suffix in (".safetensors", ".jsonl"))
    return {str(p.relative_to(path)): p.read_bytes() for p in found}


def test_two_turns_train_resume_and_leave_the_discriminator_behind(tmp_path):
    wanted = recipe(replace(GAN, r1_every=2, image_perceptual=0.1))
    system, told = train(tmp_path / "whole", wanted)
    assert len(told) == 1
    assert told[0].startswith("tokenizer: the image_perceptual term (weight 0.1) is off")
    train(tmp_path / "cut", wanted, stop_at=2)
    train(tmp_path / "cut", wanted)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")

    log = [json.loads(line) for line in (tmp_path / "whole/tokenizer/log.jsonl").read_text().splitlines()]
    assert len(log) == 4
    assert {"generator/adversarial", "generator/vq", "discriminator/real", "discriminator/made"} <= set(log[0])
    assert ["discriminator/r1" in line for line in log] == [True, False, True, False]

    assert system is not None
    fresh = built(wanted.system.tokenizer)
    moved = {n.split(".")[0] for n, t in fresh.state_dict().items() if not torch.equal(t, _of(system, n))}
    assert {"discriminator", "from_frame", "decode_space"} <= moved
    save_model(tmp_path / "model", system, recipe=wanted, card="", training={})
    assert b"discriminator" not in (tmp_path / "model/tokenizer/model.safetensors").read_bytes()
    loaded, _, _ = load_model(tmp_path / "model")
    video = clip()["video"]
    assert loaded.stages["tokenizer"].encode(video).shape == system.stages["tokenizer"].encode(video).shape


def _of(system, name: str) -> Tensor:
    return system.stages["tokenizer"].state_dict()[name]


def test_a_trained_model_needs_none_of_the_files(tmp_path):
    wanted = recipe(replace(GAN, image_perceptual=0.1, video_perceptual=1.0, vgg="/gone/vgg", i3d="/gone/i3d"))
    save_model(tmp_path / "model", wanted.system.build(), recipe=wanted, card="", training={})
    loaded, again, _ = load_model(tmp_path / "model")
    assert again.system.tokenizer.vgg == "/gone/vgg"
    assert loaded.stages["tokenizer"].encode(clip()["video"]).shape == (2, 2, 4, 1)


def test_costs_are_counted_without_the_files():
    config = replace(GAN, size=32, image_perceptual=0.1, video_perceptual=1.0)
    found = []
    for files in ({}, {"vgg": "/gone/vgg", "i3d": "/gone/i3d"}):
        wanted = recipe(replace(config, **files))
        stage = replace(wanted.stages["tokenizer"], data=Data(frames=3, size=32, batch=2))
        with torch.device("meta"):
            system = wanted.system.build()
        found.append(cost_of(system, "tokenizer", stage))
    assert found[0].parameters == found[1].parameters, "judges are no weights of the stage"
    assert found[1].step > 10 * found[0].step


def test_the_colour_term_is_part_of_the_loss():
    plain, coloured = (CViViTConfig(**{**TINY.__dict__, "chroma": w}) for w in (0.0, 5.0))
    losses = []
    for config in (plain, coloured):
        torch.manual_seed(0)
        losses.append(config.build().loss(clip(), tick()))
    without, with_it = losses
    torch.testing.assert_close(with_it.total, without.total + 5 * with_it.parts["chroma"])
    assert with_it.parts["chroma"] > 0
