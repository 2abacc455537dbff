"""Schedules, averages, turns and contact sheets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from toy import ToyConfig, ToyLoader, ToyPrior, ToyTokenizer, build, toy_recipe, toy_stage

from storyreel.recipe import Optim
from storyreel.run import Run
from storyreel.systems.base import Loss
from storyreel.train.contact_sheet import contact_sheet
from storyreel.train.loop import Trainer
from storyreel.train.muon import Muon
from storyreel.train.optim import (
    Average,
    begin_optimizers,
    learning_rate,
    make_optimizers,
    optimizer_state,
    parameters_of,
)
from storyreel.train.parallel import Single
from storyreel.train.randomness import seed_of


def test_learning_rate():
    optim = Optim(lr=2.0, warmup=4, final_lr=0.1)
    rates = [learning_rate(optim, step, 104) for step in range(105)]
    assert rates[:4] == [0.5, 1.0, 1.5, 2.0]
    assert rates[4] == 2.0
    assert rates[54] == pytest.approx(2 * (0.1 + 0.9 / 2))
    assert rates[104] == pytest.approx(0.2)
    assert all(a > b for a, b in pairwise(rates[4:]))
    assert learning_rate(Optim(warmup=0, lr=1.0), 0, 10) == 1.0


def test_only_matrices_decay():
    layer = nn.Linear(3, 2)
    recipe = replace(toy_stage(), optim=Optim(weight_decay=0.5))
    [optimizer] = make_optimizers(layer, dict(layer.named_parameters()), recipe, fused=True)
    assert [(len(g["params"]), g["weight_decay"]) for g in optimizer.param_groups] == [(1, 0.5), (1, 0.0)]


def test_muon_takes_the_matrices_and_makes_their_steps_orthogonal():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(5, 6), nn.Linear(6, 12), nn.Conv2d(2, 4, 3))
    params = dict(net.named_parameters())
    recipe = replace(toy_stage(), optim=Optim(lr=1e-3, muon=0.1, weight_decay=0.0))
    adamw, muon = optimizers = make_optimizers(net, params, recipe, fused=True)
    assert {n for n, p in params.items() if any(p is q for q in muon.param_groups[0]["params"])} == {
        "1.weight",
        "2.weight",
    }
    assert muon.param_groups[0]["share"] == pytest.approx(100)
    assert sum(len(g["params"]) for g in adamw.param_groups) == 3
    begin_optimizers(optimizers)
    before = net[1].weight.detach().clone()
    for p in params.values():
        p.grad = torch.randn(p.shape)
    muon.step()
    step = (before - net[1].weight.detach()) / 0.1 / 2**0.5  # 12 rows of 6: steps of a tall matrix are longer
    lengths = torch.linalg.svdvals(step)
    assert 0.6 < float(lengths.min()) <= float(lengths.max()) < 1.3
    u, _, vt = torch.linalg.svd(net[1].weight.grad, full_matrices=False)
    assert torch.nn.functional.cosine_similarity(step.flatten(), (u @ vt).flatten(), dim=0) > 0.98
    assert set(optimizer_state(optimizers, params)) >= {"1.weight.momentum", "0.weight.exp_avg"}


def test_average():
    weight = nn.Parameter(torch.zeros(2))
    average = Average({"weight": weight}, 0.5)
    with torch.no_grad():
        weight.fill_(1.0)
    average.update(0)
    assert average.tensors["weight"].tolist() == pytest.approx([0.9, 0.9])  # 1 / 10 of the start is kept
    average.update(1000)
    assert average.tensors["weight"].tolist() == pytest.approx([0.95, 0.95])
    before = (weight.detach().clone(), average.tensors["weight"].clone())
    average.swap()
    assert torch.equal(weight, before[1])
    average.swap()
    assert torch.equal(weight, before[0])
    assert torch.equal(average.tensors["weight"], before[1])


def test_a_parameter_has_one_turn():
    class Both(ToyTokenizer):
        def parameters_for(self, turn):
            return self.parameters()

    class None_(ToyTokenizer):
        def parameters_for(self, turn):
            return []

    with pytest.raises(ValueError, match="belongs to the turns 'generator' and 'discriminator'"):
        parameters_of(Both(ToyConfig()), "stage 'x'")
    with pytest.raises(ValueError, match="turn 'generator' has no parameter that learns"):
        parameters_of(None_(ToyConfig()), "stage 'x'")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_turn_moves_its_own_parameters_alone(tmp_path, precision):
    recipe = toy_stage(precision=precision)
    stage = build(toy_recipe()).tokenizer
    trainer = Trainer(stage, recipe, Run.open(tmp_path, toy_recipe()).stage("tokenizer"), "none", {})
    trainer.turns = {"discriminator": trainer.turns["discriminator"]}
    before = {n: p.detach().clone() for n, p in stage.named_parameters()}
    record = trainer.step(ToyLoader(recipe.data).batch(0), 0)
    moved = {n for n, p in stage.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"critic.weight"}  # its bias cancels in the loss
    assert record["step"] == 1
    assert record["norm"] > 0


def test_accumulation_follows_the_same_curve(tmp_path):
    """Without randomness, four micro-batches and one are the same step within rounding."""
    found = []
    for count in (1, 4):
        recipe = toy_recipe(accumulate=count)
        stage = build(recipe).prior
        stage.__class__ = Plain
        run = Run.open(tmp_path / str(count), recipe).stage("prior")
        trainer = Trainer(stage, recipe.stages["prior"], run, "none", {})
        batch = {"latents": torch.randn(4, 8, generator=torch.Generator().manual_seed(0))}
        found.append([trainer.step(batch, step)["loss"] for step in range(5)])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


class Plain(ToyPrior):
    def loss(self, batch, tick):
        return Loss((self.blocks[1](self.blocks[0](batch["latents"])) - batch["latents"]).square().mean())


def test_seeds_differ_by_what_they_are_for():
    seeds = {seed_of(0, "prior", step, turn, part) for step in range(5) for turn in "ab" for part in range(5)}
    assert len(seeds) == 50
    assert all(0 <= s < 2**63 for s in seeds)


def test_contact_sheet():
    video = torch.full((2, 4, 20, 6, 8), 1.0)
    video[:, 3] = -1  # all transparent
    video[0, 0, 0, 0, 0] = float("nan")
    sheet = contact_sheet(video)
    assert sheet.shape == (2 * 6 + 2, 16 * 8 + 15 * 2, 3)
    assert sheet[0, 0].tolist() == [255, 0, 255]
    assert sheet[1, 1].tolist() == [160, 160, 160]
    assert contact_sheet(torch.zeros(1, 1, 1, 2, 2)).dtype == np.uint8
    with pytest.raises(ValueError, match="expected"):
        contact_sheet(torch.zeros(1, 2, 1, 2, 2))


def test_muon_in_batches_equals_muon_one_by_one():
    """Square, wide and tall matrices and convolutions, some of one shape up to transposing, over three steps."""
    torch.manual_seed(0)
    shapes = [(8, 8), (8, 24), (24, 8), (8, 24), (24, 8), (12, 2, 3, 3), (4, 8, 3), (18, 12)]
    batched = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    single = [nn.Parameter(p.detach().clone()) for p in batched]
    muon = Muon(batched, 0.02, weight_decay=0.1, dtype=torch.float32)
    begin_optimizers([muon])
    momenta = [torch.zeros_like(p) for p in single]
    for _ in range(3):
        for p, q, momentum in zip(batched, single, momenta, strict=True):
            p.grad = torch.randn_like(p) * 1e-2
            momentum.lerp_(p.grad, 0.05)
            update = p.grad.lerp(momentum, 0.95).flatten(1)
            rows, columns = update.shape
            x = update.T if rows > columns else update
            x = x / (x.norm() + 1e-7)
            for _ in range(5):
                gram = x @ x.T
                x = 3.4445 * x + (-4.7750 * gram + 2.0315 * (gram @ gram)) @ x
            x = (x.T if rows > columns else x) * max(1.0, rows / columns) ** 0.5
            with torch.no_grad():
                q.mul_(1 - 0.02 * 0.1).sub_(0.02 * x.reshape(q.shape))
        muon.step()
    for p, q in zip(batched, single, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=2e-6)


def test_muon_leaves_what_has_no_gradient_and_takes_a_rate_in_a_tensor():
    torch.manual_seed(0)
    first = [nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(6, 4))]
    second = [nn.Parameter(p.detach().clone()) for p in first]
    before = first[1].detach().clone()
    for params, lr in ((first, 0.1), (second, torch.tensor(0.1))):
        muon = Muon(params, 0.1, weight_decay=0.5, dtype=torch.float32)
        begin_optimizers([muon])
        muon.param_groups[0]["lr"] = lr
        params[0].grad = torch.linspace(-1, 1, 24).view(6, 4).clone()
        muon.step()
    assert torch.equal(first[1], before)
    torch.testing.assert_close(first[0], second[0])


def test_gradients_are_clipped_to_their_common_norm():
    params = [nn.Parameter(torch.zeros(n)) for n in (3, 5)]
    for p in params:
        p.grad = torch.full_like(p, 2.0)
    params.append(nn.Parameter(torch.zeros(2)))  # without a gradient
    norm, clip = Single().clip(params, 1.0)
    assert float(norm) == pytest.approx(32**0.5)
    clip()
    assert sum(float(p.grad.square().sum()) for p in params[:2]) == pytest.approx(1.0, rel=1e-4)
    norm, clip = Single().clip(params, 10.0)
    clip()
    assert float(params[0].grad[0]) == pytest.approx(32**-0.5 * 2, rel=1e-4)
