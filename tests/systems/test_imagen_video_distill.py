"""Distillation: phases in their order, a student that does what its teacher does, and what a distilled stage keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from storyreel import recipes
from storyreel.model import exported
from storyreel.systems.base import Batch, Tick
from storyreel.systems.imagen_video import ImagenVideoConfig, ImagenVideoStage
from storyreel.systems.imagen_video_distill import Distillation

PHASES = Distillation(guidance=3.0, steps=(4, 2, 1), first=0.4)


def make(name: str = "base", distill: Distillation = PHASES, *, trained: bool = True) -> ImagenVideoStage:
    config = recipes.get("imagen_video_tiny").system
    assert isinstance(config, ImagenVideoConfig)
    sampling = replace(config.base.sampling, sampler="ddim")
    if distill.on:
        sampling = replace(sampling, steps=distill.final, guidance=distill.guidance)
    stage_config = replace(config.stages[name], distill=distill, sampling=sampling)
    torch.manual_seed(0)
    stage = replace(config, **{name: stage_config}).build().stages[name]
    assert isinstance(stage, ImagenVideoStage)
    if trained:
        with torch.no_grad():
            for p in stage.unet.parameters():
                p.add_(0.05 * torch.randn_like(p))
    return stage


def batch(b: int = 3) -> Batch:
    rng = torch.Generator().manual_seed(1)
    return {
        "video": torch.rand(b, 3, 5, 16, 16, generator=rng) * 2 - 1,
        "length": torch.full((b,), 5),
        "text": torch.randn(b, 4, 32, generator=rng),
        "text_mask": torch.ones(b, 4, dtype=torch.bool),
    }


def tick(progress: float, step: int = 0) -> Tick:
    return Tick(step, "main", torch.Generator().manual_seed(step), progress)


def weights(net: Any) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(a.equal(b) for a, b in zip(one, other, strict=True))


def test_phases_share_the_training():
    found = [PHASES.phase(p) for p in (0.0, 0.39, 0.41, 0.59, 0.61, 0.79, 0.81, 0.999)]
    assert found == [0, 0, 1, 1, 2, 2, 3, 3]
    assert PHASES.final == 1


def test_the_student_becomes_the_teacher_when_a_phase_begins():
    stage = make()
    assert stage.teacher is not None
    learning = {id(p) for p in stage.parameters_for("main")}
    assert not learning & {id(p) for p in stage.teacher.parameters()}
    first = weights(stage.unet)
    stage.loss(batch(), tick(0.0))
    assert same(first, weights(stage.teacher.net)), "the trained model teaches first"
    with torch.no_grad():
        stage.unet.head.weight.mul_(2)
    stage.loss(batch(), tick(0.2))
    assert same(first, weights(stage.teacher.net)), "within a phase it stays"
    stage.loss(batch(), tick(0.5))
    assert same(weights(stage.unet), weights(stage.teacher.net))
    assert stage.teacher.phase == 1


def test_a_resumed_phase_keeps_its_teacher():
    stage, again = make(), make(trained=False)
    stage.loss(batch(), tick(0.5))
    with torch.no_grad():
        stage.unet.head.weight.mul_(2)
    again.load_state_dict(stage.state_dict())
    assert again.loss(batch(), tick(0.55)).total.equal(stage.loss(batch(), tick(0.55)).total)
    assert stage.teacher is not None
    assert again.teacher is not None
    assert same(weights(again.teacher.net), weights(stage.teacher.net))


def test_it_learns_to_say_at_once_what_guidance_says():
    stage, data = make(), batch()
    data["text"] = 3 * data["text"]  # so that guidance makes a difference

    @torch.no_grad()
    def away() -> float:
        """From what the guided teacher says, at many levels of noise."""
        return sum(float(stage.loss(data, tick(0.1, 1000 + seed)).total) for seed in range(8))

    before = away()
    optimizer = torch.optim.AdamW(stage.parameters_for("main"), lr=3e-4)
    for step in range(80):
        loss = stage.loss(data, tick(0.1, step)).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert away() < 0.65 * before


@pytest.mark.parametrize("name", ["tsr1", "ssr1"])
def test_every_kind_of_stage_is_distilled(name: str):
    stage = make(name)
    for progress in (0.0, 0.5, 0.9):
        loss = stage.loss(batch(), tick(progress))
        loss.total.backward()
        assert loss.total.isfinite()


def test_a_distilled_stage_keeps_its_promises():
    stage = make(distill=replace(PHASES, steps=(8, 4))).eval()
    data, calls = batch(), []
    cond = {k: data[k] for k in ("text", "text_mask")}
    hook = stage.unet.register_forward_pre_hook(lambda *_: calls.append(1))

    def made(**more: Any) -> Tensor:
        return stage.sample(cond, rng=[torch.Generator().manual_seed(i) for i in range(3)], **more)

    for steps, wanted in ((None, 4), (2, 2), (1, 1)):
        calls.clear()
        assert made(steps=steps).isfinite().all()
        assert len(calls) == wanted, "one pass a step"
    hook.remove()
    assert made(guidance=3.0).equal(made())
    with pytest.raises(ValueError, match="guidance: stage 'base' was distilled at 3 and has no other; got 5"):
        made(guidance=5.0)
    with pytest.raises(ValueError, match="steps: stage 'base' was distilled to 4 steps, got 5"):
        made(steps=5)


def test_the_teacher_is_not_shipped():
    assert sum(t.numel() for t in exported(make()).values()) == sum(
        t.numel() for t in exported(make(distill=Distillation())).values()
    )


def test_an_untrained_stage_is_not_distilled():
    with pytest.raises(ValueError, match="stage 'base': there is nothing to distil, it was never trained; begin from"):
        make(trained=False).loss(batch(), tick(0.0))


def test_what_cannot_be_distilled_is_refused():
    with pytest.raises(ValueError, match=r"distill.steps: expected each to be half of the one before, got \(8, 3\)"):
        Distillation(guidance=1.0, steps=(8, 3))
    with pytest.raises(ValueError, match=r"distill.steps: expected the steps of the students"):
        Distillation(guidance=1.0)
    with pytest.raises(ValueError, match=r"distill.guidance: expected 0 or more, got -1"):
        Distillation(guidance=-1.0)


def test_the_recipe_goes_on_from_the_shipped_one():
    first, then = (recipes.get(f"imagen_video_{name}") for name in ("sprites", "distilled"))
    assert isinstance(first.system, ImagenVideoConfig)
    assert isinstance(then.system, ImagenVideoConfig)
    for name, config in then.system.stages.items():
        assert replace(first.system.stages[name], distill=config.distill, sampling=config.sampling) == config
        assert config.distill.final == 8
