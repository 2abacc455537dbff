"""Every stage of every system takes a training step on a GPU: no tensor is on the wrong device, the host waits once.

There is no GPU: `fake_cuda` stands for one, refuses what it would refuse, and counts kernels and waits.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from fake_cuda import OnCard, fake_cuda

from storyreel import recipes
from storyreel.recipe import Data, StageRecipe
from storyreel.run import Run
from storyreel.systems.base import Batch, Stage
from storyreel.systems.imagen_video import ImagenVideoStage
from storyreel.train.contact_sheet import contact_sheet
from storyreel.train.loop import Trainer
from storyreel.train.stages import freeze_others, order_of

CLIPS = 2
NUMBERS = "train/loop.py"  # the loss and its parts, once a step
MORE_WAITS = {  # where a step waits for the device besides: what cannot be known before
    "encoder": {"nn/damage.py": 1, "systems/encoder.py": 1},
    "imagen_video_distilled": {"systems/imagen_video_distill.py": 3, "diffusion/distill.py": 1},
}
PAPER = ("phenaki_tiny", "godiva_tiny")  # trained here with the terms and quantisers of their papers as well


def names() -> list[str]:
    """Of those that are small: `svd_finetune` and `svd_lora` have the published 1.5 B parameters."""
    large = ("_paper", "_small", "_24gb", "_finetune", "_lora")
    return [name for name in recipes.names() if not name.endswith(large)]


def batch_of(stage: Stage, data: Data, text_dim: int, *, images: bool) -> Batch:
    rng = torch.Generator().manual_seed(1)
    shape = CLIPS, data.channels, data.frames, data.size, data.size
    made: Batch = {"video": torch.rand(shape, generator=rng) * 2 - 1}
    made["length"] = torch.full((CLIPS,), data.frames)
    made["context"] = torch.zeros(CLIPS, dtype=torch.int64)
    if images:
        made["length"][0] = 1
    if data.frames > 1:
        made["context"][-1] = 1
    if stage.needs_text:
        made["text_mask"] = torch.arange(14)[None] < torch.tensor([3, 14])[:, None]
        made["text"] = torch.randint(0, 99, (CLIPS, 14, text_dim), generator=rng) / 50 * made["text_mask"][..., None]
    return made


def small(recipe: StageRecipe) -> StageRecipe:
    return replace(recipe, data=replace(recipe.data, batch=CLIPS), accumulate=1, precision="fp32", compile=False)


def check_steps(tmp_path, name: str, recipe, *, images: bool) -> dict[str, int]:
    """A step of every stage; kernels a step by stage."""
    torch.manual_seed(0)
    system, kernels = recipe.system.build(), {}
    with fake_cuda() as seen:
        system.to("cuda")
        run = Run.open(tmp_path / "run", recipe, device=torch.device("cuda"))
        for which in order_of(system, recipe):
            stage, settings = system.stages[which], small(recipe.stages[which])
            if name.endswith("distilled") and isinstance(stage, ImagenVideoStage):
                torch.nn.init.constant_(stage.unet.last.weight, 0.01)
            freeze_others(system, stage)
            stage.begin()
            trainer = Trainer(stage, settings, run.stage(which), "none", {})
            batch = trainer.moved(batch_of(stage, settings.data, system.text_dim, images=images))
            assert all(isinstance(each, OnCard) for each in batch.values())
            if type(stage).prepare is not Stage.prepare:
                with torch.no_grad():
                    made = stage.prepare(batch)
                batch = {k: v for k, v in batch.items() if k != "video"} | made
            trainer.step(batch, 0)  # the first may make what is kept
            seen.clear()
            record = trainer.step(batch, 1)
            assert all(isinstance(value, float | int) for value in record.values())
            kernels[which] = seen.kernels.total()
            waits = {}
            for place, count in seen.waits.items():
                waits[place.partition(":")[0]] = waits.get(place.partition(":")[0], 0) + count
            allowed = {NUMBERS: len(stage.turns)} | MORE_WAITS.get(
                name.replace("encoder_", "encoder/").split("/")[0], {}
            )
            allowed |= {"systems/phenaki.py": 1} if images else {}
            assert all(count <= allowed.get(file, 0) for file, count in waits.items()), (which, seen.waits)
            if not images and not name.endswith("distilled"):
                assert not seen.copies, (which, seen.copies)
    return kernels


@pytest.mark.parametrize("name", names())
def test_every_stage_of_every_recipe(tmp_path, name):
    check_steps(tmp_path, name, recipes.get(name), images=False)


@pytest.mark.parametrize("name", [name for name in names() if name.endswith("_tiny")])
def test_images_among_clips(tmp_path, name):
    check_steps(tmp_path, name, recipes.get(name), images=True)


def test_what_papers_have_and_our_recipes_leave_out(tmp_path):
    """Adversarial training with its penalty, vector quantisers, moving averages, the wide reach."""
    phenaki, godiva = recipes.get("phenaki_tiny"), recipes.get("godiva_tiny")
    tokenizer = replace(
        phenaki.system.tokenizer, adversarial=0.1, discriminator=16, levels=(), num_codes=64, code_dim=8
    )
    check_steps(tmp_path / "a", "phenaki_tiny", with_system(phenaki, tokenizer=tokenizer), images=False)
    tokenizer = replace(godiva.system.tokenizer, levels=(), num_codes=64, average=0.9)
    generator = replace(godiva.system.generator, context="causal")
    recipe = with_system(godiva, tokenizer=tokenizer, generator=generator)
    check_steps(tmp_path / "b", "godiva_tiny", recipe, images=False)


def with_system(recipe, **changes):
    return replace(recipe, system=replace(recipe.system, **changes))


@pytest.mark.parametrize("name", [name for name in names() if name.endswith("_tiny")])
def test_contact_sheets(name):
    """What the trainer shows now and then of each stage."""
    recipe = recipes.get(name)
    system = recipe.system.build()
    shown = 0
    with fake_cuda():
        system.to("cuda").eval()
        for which in order_of(system, recipe):
            stage, data = system.stages[which], recipe.stages[which].data
            if not hasattr(stage, "samples"):
                continue
            batch = {k: v.to("cuda") for k, v in batch_of(stage, data, system.text_dim, images=False).items()}
            with torch.no_grad():
                sheet = contact_sheet(stage.samples(batch, torch.Generator().manual_seed(0)))
            assert sheet.ndim == 3
            shown += 1
    assert shown or name == "encoder_tiny"


def test_the_loss_is_that_of_the_cpu(tmp_path):
    """The GPU that is not there computes what the CPU computes: the same loss within rounding, over three steps."""
    recipe, losses = recipes.get("imagen_video_tiny"), []
    for device in ("cpu", "cuda"):
        torch.manual_seed(0)
        system = recipe.system.build()
        with fake_cuda():
            stage = system.to(device).stages["ssr1"]
            run = Run.open(tmp_path / device, recipe)
            trainer = Trainer(stage, small(recipe.stages["ssr1"]), run.stage("ssr1"), "none", {})
            batch = trainer.moved(batch_of(stage, recipe.stages["ssr1"].data, system.text_dim, images=True))
            losses.append([trainer.step(batch, step)["loss"] for step in range(3)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_fake_refuses_what_a_gpu_refuses():
    with fake_cuda() as seen:
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        with pytest.raises(RuntimeError, match="same device"):
            there + here
        with pytest.raises(RuntimeError, match="generator"):
            torch.rand(2, device="cuda", generator=torch.Generator())
        with pytest.raises(RuntimeError, match="generator"):
            torch.rand(2, generator=torch.Generator("cuda"))
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
        with pytest.raises(RuntimeError, match="indexed tensor"):
            here[torch.zeros(1, dtype=torch.long, device="cuda")]
        seen.clear()
        assert (there.to("cpu") + here).tolist() == [2, 2, 2]
        assert float((there * 2).sum()) == 6
        assert there[there > 0].device.type == "cuda"
        assert seen.waits.total() == 3
        there.copy_(here)
        assert seen.copies.total() == 1
