"""Batches without meaning, to time and to try a stage without data."""

from __future__ import annotations

import torch

from storyreel.recipe import Data
from storyreel.systems.base import Batch, Stage
from storyreel.train.cost import TEXT_TOKENS


def random_batch(stage: Stage, data: Data, text_dim: int) -> Batch:
    """A batch as a loader gives it, on the CPU: images first, one clip with a given frame, captions of any length."""
    rng, b = torch.Generator().manual_seed(0), data.batch
    video = torch.rand(b, data.channels, data.frames, data.size, data.size, generator=rng) * 2 - 1
    length = torch.full((b,), data.frames)
    length[: round(data.image_share * b)] = 1
    context = torch.zeros(b, dtype=torch.int64)
    if data.frames > 1:
        context[-1] = 1
    batch: Batch = {"video": video, "length": length, "context": context}
    if stage.needs_text:
        ends = torch.randint(4, TEXT_TOKENS + 1, (b, 1), generator=rng)
        batch["text_mask"] = torch.arange(TEXT_TOKENS)[None] < ends
        states = torch.randint(0, 60, (b, TEXT_TOKENS, text_dim), generator=rng) / 30 - 1
        if text_dim == 2:  # numbers of words
            states = (states + 1) * 30
        batch["text"] = states * batch["text_mask"][..., None]
    return batch
