"""The plan's figures against PyTorch's counter on a real step, and against arithmetic."""

from __future__ import annotations

import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from toy import build, toy_recipe
from typer.testing import CliRunner

from storyreel import recipes
from storyreel.cli.plan import app as plan_app
from storyreel.cli.train import app as train_app
from storyreel.recipe import Recipe, override
from storyreel.systems.base import Tick
from storyreel.train.cost import costs, imagined_batch
from storyreel.train.plan import LAUNCH_SECONDS, Machine, describe, machine, plan
from storyreel.wording import amount


def measured(recipe: Recipe, name: str) -> float:
    """FLOPs of a real step of a stage, on real tensors, under PyTorch's counter."""
    system = build(recipe)
    stage, settings = system.stages[name], recipe.stages[name]
    for other in system.stages.values():
        other.requires_grad_(False)
    stage.requires_grad_(True)
    getattr(stage, "tokenizer", torch.nn.Identity()).requires_grad_(False)
    dim = system.text_dim if stage.needs_text else None
    batch = {
        k: torch.rand(v.shape) * 2 - 1 if v.is_meta else v
        for k, v in imagined_batch(settings, dim, settings.data.batch).items()
    }
    with torch.no_grad():
        batch |= stage.prepare(batch)
    total = 0
    for turn in stage.turns:
        mine = {id(p) for p in stage.parameters_for(turn)}
        learning = [p for p in stage.parameters() if p.requires_grad]
        for p in learning:
            p.requires_grad_(id(p) in mine)
        with FlopCounterMode(display=False) as counter:
            stage.loss(batch, Tick(0, turn, torch.Generator().manual_seed(0))).total.backward()
        for p in learning:
            p.requires_grad_(True)
        total += counter.get_total_flops()
    return total


def test_toy_prior_by_arithmetic():
    """Two linear layers of 8 x 8: a multiply-add is two, the backward pass twice the forward one, but the first
    layer needs no gradient of its input."""
    cost = costs(toy_recipe())["prior"]
    assert cost.forward == 2 * 2 * 8 * 8
    assert cost.step == 4 * (2 * 2 * 8 * 8 * 3 - 2 * 8 * 8)
    assert cost.parameters == cost.trained == 2 * (8 * 8 + 8)
    assert cost.prepared == 2 * 3 * 8
    assert cost.state == 20 * 144 + 4 * costs(toy_recipe())["tokenizer"].trained


@pytest.mark.parametrize("name", ["tokenizer", "prior"])
def test_toy_equals_a_real_step(name):
    assert costs(toy_recipe())[name].step == measured(toy_recipe(), name)


@pytest.mark.parametrize("name", ["tokenizer", "prior"])
def test_phenaki_equals_a_real_step(name):
    """Exact but for the head of a masked transformer, which the plan charges for every token."""
    recipe = recipes.get("phenaki_tiny")
    told, true = costs(recipe)[name].step, measured(recipe, name)
    assert true <= told <= 1.1 * true


def test_seconds_and_what_fits():
    found = plan(toy_recipe(steps=1000), Machine(gpus=2, tflops=1e-6, mfu=0.5, memory=1e-6))
    row = found["stages"]["prior"]
    assert row["seconds"] == pytest.approx(costs(toy_recipe())["prior"].step * 1000 / 1e6)
    assert row["fits"] == "no"
    assert machine(8, "h200", None, 0.4).memory == 141
    for bad in (dict(gpus=0), dict(gpu="abacus"), dict(tflops=-1.0), dict(mfu=1.5)):
        with pytest.raises(ValueError, match=f"--{next(iter(bad))}"):
            machine(**{**dict(gpus=1, gpu="h100", tflops=None, mfu=0.4), **bad})


def test_words():
    assert [amount(n) for n in (12, 1234, 1.85e9)] == ["12 ", "1.23 k", "1.85 G"]
    text = describe(toy_recipe())
    assert json.loads(text[: text.index("\n\n")])["name"] == "toy"
    assert "prior: 144  parameters" in text


def test_verbs():
    done = CliRunner().invoke(plan_app, ["phenaki_tiny", "--gpus", "2", "--json", "--set", "stages.prior.steps=7"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["stages"]["prior"]["steps"] == 7
    done = CliRunner().invoke(train_app, ["phenaki_tiny", "--dry-run", "--set", "stages.prior.optim.lr=0.5"])
    assert done.exit_code == 0, done.output
    assert '"lr": 0.5' in done.stdout
    assert "FLOP a step" in done.stdout


@pytest.mark.parametrize("name", ["encoder_tiny", "encoder_sprites"])
def test_an_encoder_is_counted_although_its_damages_depend_on_contents(name):
    cost = costs(recipes.get(name))["dual"]
    assert cost.step > 2 * cost.forward > 0
    assert "dual: " in describe(recipes.get(name))


def test_a_plan_knows_that_kernels_have_to_be_launched():
    """Small networks wait for the host: their time is that of their kernels, not of their arithmetic."""
    recipe = recipes.get("phenaki_sprites")
    found = costs(recipe)
    assert 300 < found["tokenizer"].launches < 1500
    row = plan(recipe, machine(1, "h100", None, 0.4))["stages"]["tokenizer"]
    assert row["kernels_per_step"] == found["tokenizer"].launches
    launching = found["tokenizer"].launches * LAUNCH_SECONDS * recipe.stages["tokenizer"].steps
    assert row["seconds"] == pytest.approx(launching)
    graphed = override(recipe, "stages.tokenizer.cuda_graphs", "true")
    assert plan(graphed, machine(1, "h100", None, 0.4))["stages"]["tokenizer"]["seconds"] < launching / 2
    large = costs(recipes.get("phenaki_small"))["prior"]
    assert Machine().step_seconds(large, recipes.get("phenaki_small").stages["prior"]) == Machine().seconds(large.step)


@pytest.mark.parametrize("name", [name for name in recipes.names() if name.endswith("_24gb")])
@pytest.mark.parametrize("gpu", ["4090", "3090", "a10", "l4"])
def test_a_recipe_for_24_gb_fits_on_every_card_of_24_gb(name: str, gpu: str):
    """With a tenth of the card left."""
    on = machine(1, gpu, None, 0.4)
    assert on.memory == 24.0
    for row in plan(recipes.get(name), on)["stages"].values():
        assert row["fits"] == "ddp"
        assert row["bytes_ddp"] < 0.9 * 24e9
