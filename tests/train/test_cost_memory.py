"""The memory that a plan says, beside the bytes that are allocated: tuning published weights, and a video of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_svd import make_svd
from torch.profiler import ProfilerActivity, profile

from storyreel import recipes
from storyreel.cli import main
from storyreel.published_svd.model import fill, open_published, sized_for
from storyreel.systems.base import Tick
from storyreel.train.cost import cost_of
from storyreel.train.plan_generation import plan_generation

CLIPS, FRAMES, SIDE = 1, 4, 32


def allocated(work: Callable[[], object]) -> int:
    """The most bytes that some work has allocated at any time, as PyTorch's profiler saw them."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        work()
    todo, found = list(seen.profiler.kineto_results.experimental_event_tree()), []  # pyright: ignore
    while todo:
        event = todo.pop()
        todo += event.children
        if (size := getattr(event.extra_fields, "alloc_size", None)) is not None:
            found.append((event.start_time_ns, size))
    now = peak = 0
    for _, size in sorted(found):
        now += size
        peak = max(peak, now)
    return peak


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_svd(tmp_path_factory.mktemp("memory") / "svd")


@pytest.mark.parametrize(
    ("name", "picture", "checkpointing"),
    [
        ("svd_finetune", {}, True),
        ("svd_finetune", {}, False),
        ("svd_finetune", {"tuned": "temporal"}, True),
        ("svd_lora", {"rank": 2}, True),
    ],
)
def test_the_memory_of_tuning_is_what_is_allocated(
    name: str, picture: dict[str, Any], checkpointing: bool, folder: Path
):
    recipe = sized_for(recipes.get(name), folder)
    config: Any = recipe.system
    shape = replace(config.shape, frames=FRAMES, height=SIDE, width=SIDE)
    config = replace(config, shape=shape, picture=replace(config.picture, **picture))
    settings = next(iter(recipe.stages.values()))
    data = replace(settings.data, frames=FRAMES, size=SIDE, batch=CLIPS)
    settings = replace(settings, data=data, accumulate=1, precision="fp32", gradient_checkpointing=checkpointing)
    with torch.device("meta"):
        cost = cost_of(config.build(), next(iter(recipe.stages)), settings)
    system = config.build()
    fill(system, folder)
    stage = system.image_stage
    stage.begin()
    learning = list(stage.parameters_for("main"))
    weights = sum(p.numel() for each in system.stages.values() for p in each.parameters())
    assert cost.trained == sum(p.numel() for p in learning)
    assert cost.state == pytest.approx(20 * cost.trained + 4 * (weights - cost.trained), rel=1e-3)
    video = torch.rand(CLIPS, 3, FRAMES, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    batch = {"video": video, **stage.prepare({"video": video})}
    system.requires_grad_(False)
    for p in learning:
        p.requires_grad_(True)
    stage.gradient_checkpointing = checkpointing
    stage.train()
    counted = allocated(lambda: stage.loss(batch, Tick(0, "main", torch.Generator().manual_seed(0))).total.backward())
    gradients = 4 * cost.trained
    said = cost.memory(settings) - cost.state + gradients
    assert counted <= 1.1 * said
    assert said <= 1.2 * counted + gradients, "gradients are there at the end, and activations before"


def test_the_memory_of_a_video_is_counted_from_the_headers(folder: Path, capsys: pytest.CaptureFixture[str]):
    sets = [f"system.shape.frames={FRAMES}", "system.shape.width=64", f"system.shape.height={SIDE}"]
    found = plan_generation(folder / "unet", 0.02, sets)
    system, _, _ = open_published(folder)
    stage: Any = system.image_stage
    network = stage.network
    parameters = {"unet": network, "vae": stage.autoencoder, "image_encoder": stage.encoder}
    for part, module in parameters.items():
        assert found["weights_gb"][part] == pytest.approx(
            4 * sum(p.numel() for p in module.parameters()) / 1e9, abs=6e-4
        )
    z = torch.randn(2, 8, FRAMES, SIDE // 2, 32)
    with torch.no_grad():
        counted = allocated(lambda: network(z, torch.zeros(2), torch.zeros(2, 1, 6), torch.zeros(2, 3))) / 1e9
    assert found["work_gb"]["unet"] == pytest.approx(counted, rel=0.3, abs=1e-3)
    assert found["needs_gb"] == pytest.approx(
        sum(found["weights_gb"].values()) + max(found["work_gb"].values()), abs=3e-3
    )
    assert not found["fits"]
    with pytest.raises(SystemExit):
        main(["plan", str(folder / "unet"), "--memory", "1", *(f"--set={each}" for each in sets)])
    assert "fits into 1" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["plan", str(folder / "unet"), "--gpus", "2"])
    assert "--gpus" in capsys.readouterr().err
