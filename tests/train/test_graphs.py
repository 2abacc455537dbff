"""Steps that are captured as graphs are the steps that run kernel by kernel; what cannot be captured is told.

On a GPU that is not there: what is captured is what `fake_cuda` runs again, with the tensors that it read and wrote.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from fake_cuda import fake_cuda
from test_training_on_a_gpu import batch_of, small

from storyreel import recipes
from storyreel.run import Run
from storyreel.systems.base import Loss
from storyreel.train import graphs
from storyreel.train.loop import Trainer
from storyreel.train.stages import freeze_others

STEPS = 6
STAGES = [  # one of each kind of network and loss
    ("phenaki_tiny", "tokenizer"),
    ("phenaki_tiny", "prior"),
    ("godiva_tiny", "tokenizer"),
    ("godiva_tiny", "generator"),
    ("imagen_video_tiny", "ssr1"),
    ("make_a_video_tiny", "prior"),
    ("make_a_video_tiny", "sr_h"),
    ("make_a_video_tiny", "sr_l_video"),
]


def trained(path, name: str, which: str, *, device: str = "cuda", change=None, captions=(14,), **settings):
    """Losses of a few steps, the weights and their average after them, what was told, and kernels and launches."""
    recipe, told, losses = recipes.get(name), [], []
    torch.manual_seed(0)
    system = recipe.system.build()
    with fake_cuda() as seen:
        stage = system.to(device).stages[which]
        freeze_others(system, stage)
        if change:
            stage.__class__ = change(type(stage))
        stage_recipe = small(replace(recipe.stages[which], **settings))
        optim = replace(stage_recipe.optim, muon=0.02, warmup=3)
        stage_recipe = replace(stage_recipe, optim=optim, steps=STEPS)
        run = Run.open(path, recipe).stage(which)
        trainer = Trainer(stage, stage_recipe, run, "none", {}, tell=told.append)
        for step in range(STEPS):
            batch = batch_of(stage, stage_recipe.data, system.text_dim, images=False)
            if "text" in batch:
                count = captions[step % len(captions)]
                batch |= {"text": batch["text"][:, :count], "text_mask": batch["text_mask"][:, :count]}
            seen.clear()
            losses.append(trainer.step(trainer.moved(batch), step))
        weights = {n: p.held.clone() if hasattr(p, "held") else p.clone() for n, p in stage.state_dict().items()}
        average = {n: getattr(t, "held", t).clone() for n, t in trainer.average.tensors.items()}
    return losses, weights, average, told, (seen.kernels.total(), seen.launches)


def same(a: tuple, b: tuple) -> None:
    """Losses, weights and their average; the learning rate of a captured step is a float32, whence the tolerance."""
    for one, other in zip(a[0], b[0], strict=True):
        assert one == pytest.approx(other, rel=2e-5)
    for one, other in zip(a[1:3], b[1:3], strict=True):
        assert one.keys() == other.keys()
        for name in one:
            torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-6)
    assert a[0][0]["loss"] != pytest.approx(a[0][-1]["loss"], rel=1e-3)


@pytest.mark.parametrize(("name", "which"), STAGES)
def test_a_captured_step_is_the_step(tmp_path, name, which):
    plain = trained(tmp_path / "plain", name, which)
    graphed = trained(tmp_path / "graphed", name, which, cuda_graphs=True)
    same(plain, graphed)
    assert not graphed[3]
    assert plain[4][1] == 0
    assert graphed[4][1] == 2
    assert graphed[4][0] < 40 < plain[4][0]  # the batch, the numbers and the average; all else is in the graphs


def test_captions_of_every_length_have_their_graphs(tmp_path, monkeypatch):
    monkeypatch.setattr(graphs, "MAX_GRAPHS", 2)
    lengths = (14, 12, 13)  # of which the third never gets one
    plain = trained(tmp_path / "plain", "phenaki_tiny", "prior", captions=lengths)
    graphed = trained(tmp_path / "graphed", "phenaki_tiny", "prior", captions=lengths, cuda_graphs=True)
    same(plain, graphed)


def asks(kind):
    """A stage that says it can be captured, and looks at what the device has."""

    class Asking(kind):
        capturable = True

        def loss(self, batch, tick):
            loss = super().loss(batch, tick)
            return Loss(loss.total * (2.0 if float(loss.total) < 0 else 1.0), loss.parts)

    return Asking


def test_what_cannot_be_captured_is_told_and_runs(tmp_path):
    plain = trained(tmp_path / "plain", "phenaki_tiny", "tokenizer", change=asks)
    graphed = trained(tmp_path / "graphed", "phenaki_tiny", "tokenizer", change=asks, cuda_graphs=True)
    same(plain, graphed)
    [line] = graphed[3]
    assert line.startswith("tokenizer: a step could not be captured as a CUDA graph (operation not permitted when")
    assert graphed[4][1] == 0


@pytest.mark.parametrize(
    ("name", "which", "device", "settings", "why"),
    [
        ("phenaki_tiny", "tokenizer", "cpu", {}, "there are none on cpu"),
        ("make_a_video_tiny", "decoder_video", "cuda", {}, "its steps differ from one another"),
        ("encoder_tiny", "dual", "cuda", {}, "its steps differ from one another"),
    ],
)
def test_where_there_are_no_graphs(tmp_path, name, which, device, settings, why):
    told = trained(tmp_path, name, which, device=device, cuda_graphs=True, **settings)[3]
    assert told == [f"{which}: no CUDA graphs, since {why}; steps run kernel by kernel"]
