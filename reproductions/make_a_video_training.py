"""Layers in time trained anew around a trained decoder: what a beginning, or captions, are worth at equal compute.

A plain loop: two trainings see the same batches in the same order, with the same noise.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reproductions.settings import Settings
from storyreel.data.folder import DatasetFolder
from storyreel.data.loader import Loader
from storyreel.nn.video_unet_blocks import TemporalAttention, TemporalConv
from storyreel.recipe import Data
from storyreel.systems.base import Batch, TextEncoder, Tick
from storyreel.systems.make_a_video import MakeAVideo
from storyreel.systems.make_a_video_networks import SpatiotemporalStage

BATCH, CHECKS = 16, 6
LR = 1e-3


def stage_of(system: MakeAVideo, name: str = "decoder_video") -> SpatiotemporalStage:
    stage = system.stages[name]
    assert isinstance(stage, SpatiotemporalStage)
    return stage


@torch.no_grad()
def forget(system: MakeAVideo, name: str, start: str) -> None:
    """Make a stage's layers in time as they are born, the identity, or "random" as other layers are born; and let it
    know nothing of frame rates."""
    unet = stage_of(system, name).unet
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for layer in unet.temporal_layers():
            if isinstance(layer, TemporalConv):
                layer.reset_parameters()
            elif isinstance(layer, TemporalAttention):
                layer.to_qkv.reset_parameters()
                layer.to_out.reset_parameters()
                layer.norm.weight.fill_(1)
            if start == "identity":
                layer.become_identity()
    for linear in (unet.from_fps, unet.from_skip):
        if linear is not None:
            for p in linear[-1].parameters():
                p.zero_()


def train(
    system: MakeAVideo,
    text: TextEncoder,
    data: DatasetFolder,
    held: DatasetFolder | None,
    steps: int,
    settings: Settings,
    *,
    conditioning: str = "pictures",
) -> list[tuple[int, float]]:
    """Train the decoder in time; (step, loss on `held`) some times on the way.

    conditioning: "pictures": as in the paper, the temporal layers alone, conditioned on the embedding of a frame;
    "captions": the whole network, conditioned on the embedding of the clip's caption.
    """
    stage, c = stage_of(system), system.config
    shape = Data(frames=c.frames, size=c.clips["decoder_video"][0], channels=c.channels, batch=BATCH)
    paired = conditioning == "captions"
    cache = settings.out / "cache"
    loader = Loader([(data, 1.0)], shape, seed=settings.seed, text=text if paired else None, split=None, cache=cache)
    system.requires_grad_(False)
    learning = list(stage.unet.parameters()) if paired else stage.parameters_for("main")
    for p in learning:
        p.requires_grad_(True)
    optimizer = torch.optim.AdamW(learning, lr=LR, betas=(0.9, 0.99))
    check = None if held is None else _Check(stage, held, shape, settings)
    curve = [] if check is None else [(0, check.loss())]
    stage.train()
    for step in range(steps):
        tick = Tick(step, "main", torch.Generator().manual_seed(step), step / steps)
        loss = _loss(stage, loader.batch(step), tick, paired=paired)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        if check is not None and (step + 1 == steps or (step + 1) % max(1, steps // CHECKS) == 0):
            curve.append((step + 1, check.loss()))
            stage.train()
    system.requires_grad_(False)
    stage.eval()
    settings.tell(f"trained {steps} steps, told {conditioning}")
    return curve


def _loss(stage: SpatiotemporalStage, batch: Batch, tick: Tick, *, paired: bool) -> Tensor:
    if not paired:
        return stage.loss(batch, tick).total
    assert stage.encoder is not None
    x, cond = stage.examples(batch["video"], tick)
    retained = cond["vector"].abs().sum(1, keepdim=True) > 0  # the same are dropped
    vector = stage.encoder.texts(batch["text"], batch["text_mask"]) * retained
    with_text: dict[str, Any] = cond | {"vector": vector}
    return stage.error(x, with_text, tick.rng).mean()


class _Check:
    """The loss on clips that are not trained on, always with the same noise."""

    def __init__(self, stage: SpatiotemporalStage, held: DatasetFolder, shape: Data, settings: Settings):
        self.stage = stage
        loader = Loader([(held, 1.0)], shape, seed=settings.seed, split=None, cache=settings.out / "cache")
        self.batches = [loader.batch(i) for i in range(max(1, len(held) // BATCH))]

    @torch.no_grad()
    def loss(self) -> float:
        self.stage.eval()
        ticks = [Tick(0, "main", torch.Generator().manual_seed(100 + i), 0.5) for i in range(len(self.batches))]
        found = [float(self.stage.loss(b, tick).total) for b, tick in zip(self.batches, ticks, strict=True)]
        return sum(found) / len(found)
