"""Encoders: networks that judge videos, trained as a system is. They give features and embeddings, never a video.

One stage. Sentences, frames and clips are drawn together by a symmetric contrastive loss with a learned temperature
(Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", Section 2.3,
https://arxiv.org/abs/2103.00020), and a head names what is wrong with a damaged clip, so that the feature of a clip
holds its content, its motion and its quality:

    video --damaged (a share)--> DualEncoder --> feature --> which damage
                                     \\--> video and frame embeddings <--> text embeddings of the captions

Axes: b batch, c channels, t frames, l text tokens, e width of an embedding. Sentences that are the same within a batch
are not told apart. Damaged clips take no part in the contrast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.clip import Clip
from storyreel.field_ranges import Share, Width
from storyreel.nn.damage import damage
from storyreel.nn.dual_encoder import DAMAGES, DualEncoderConfig
from storyreel.systems.base import Batch, Loss, OnProgress, Request, Stage, System, TextEncoder, Tick

SHARPEST = 4.6  # log of the largest 1 / temperature, 100 as in CLIP


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    dual: DualEncoderConfig = field(default_factory=DualEncoderConfig)
    channels: Width = 3  # of the clips that it is fed; only three are looked at
    damaged: Share = 0.4  # share of the clips of a batch
    damage_weight: float = 1.0
    frame_weight: float = 0.5

    @property
    def frames(self) -> int:
        return self.dual.frames

    def build(self) -> EncoderSystem:
        return EncoderSystem(self)


class DualStage(Stage):
    """Trains the dual encoder."""

    needs_text = True

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.net = config.dual.build()

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        """Contrast of clips and captions, of single frames and captions; which damage a clip has.

        Parts for the log: `video_top1` and `frame_top1`, how often a clip (a random frame of it) finds its caption
        among those of the batch and the other way round; `damage_accuracy`, where guessing gives about one in nine
        on damaged clips; `temperature`.
        """
        net, c = self.net, self.config
        video = batch["video"][:, :3]
        b = len(video)
        kinds = self._kinds(batch, tick.rng)
        features = net.frame_features(damage(video, kinds, tick.rng))
        feature = net.feature(features)
        clean = (kinds == 0).nonzero()[:, 0]
        text = net.text(batch["text"][clean], batch["text_mask"][clean])
        other = distinct(batch["text"][clean], batch["text_mask"][clean])
        at = torch.randint(features.shape[1], (b,), generator=tick.rng, device=features.device)
        frame = net.frames(features[torch.arange(b, device=features.device), at])[clean]
        sharpness = net.sharpness.clamp(max=SHARPEST).exp()
        by_video, video_top1 = contrast(net.video(feature)[clean] @ text.T * sharpness, other)
        by_frame, frame_top1 = contrast(frame @ text.T * sharpness, other)
        logits = net.damage(feature).float()
        wrong = F.cross_entropy(logits, kinds, reduction="none").mean()
        total = by_video + c.frame_weight * by_frame + c.damage_weight * wrong
        hits = (logits.argmax(1) == kinds).float()
        parts = {
            "video_text": by_video, "frame_text": by_frame, "damage": wrong, "video_top1": video_top1,
            "frame_top1": frame_top1, "damage_accuracy": hits.mean(), "temperature": 1 / sharpness,
        }  # fmt: skip
        return Loss(total, {name: value.detach() for name, value in parts.items()})

    def _kinds(self, batch: Batch, rng: torch.Generator) -> Tensor:
        """int64 (b,): which damage each clip gets, 0 none; images get none, and two clips at least stay whole."""
        video = batch["video"]
        b, device = len(video), video.device
        kinds = torch.randint(1, len(DAMAGES), (b,), generator=rng, device=device)
        count = min(round(self.config.damaged * b), max(0, b - 2))
        chosen = torch.randperm(b, generator=rng, device=device) < count
        if "length" in batch:
            chosen &= batch["length"] > 1
        return torch.where(chosen, kinds, 0)

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        raise ValueError(NO_VIDEOS)


NO_VIDEOS = "an encoder makes no videos; it judges them: storyreel evaluate, or generate with a model that makes some"


class EncoderSystem(System):
    """The stage `dual`; `generate` refuses."""

    name = "encoder"

    def __init__(self, config: EncoderConfig):
        super().__init__()
        self.config = config
        self.dual = DualStage(config)
        self.text_dim = config.dual.text_dim

    @property
    def stages(self) -> dict[str, Stage]:
        return {"dual": self.dual}

    def generate(self, request: Request, text: TextEncoder, on_progress: OnProgress) -> Clip:
        raise ValueError(NO_VIDEOS)


def distinct(text: Tensor, mask: Tensor) -> Tensor:
    """bool (b, b): true where two captions, states (b, l, d) and mask (b, l), differ in a token or in their length."""
    tokens = (text.float() * mask[..., None]).flatten(1)
    far = torch.cdist(tokens, tokens, p=torch.inf) > 1e-3
    return far | (mask.sum(1)[:, None] != mask.sum(1)[None])


def contrast(logits: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE of logits (b, b) whose diagonal belongs together, and the share of right first choices.

    other: bool (b, b), true where column and row are really different; the rest are no negatives.
    """
    same = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(~(other | same), -torch.inf)
    targets = torch.arange(len(logits), device=logits.device)
    loss = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2
    hits = (logits.argmax(1) == targets).float().mean() + (logits.argmax(0) == targets).float().mean()
    return loss, hits / 2
