"""Small networks with seeded random weights: tests walk every path in milliseconds. No score of theirs counts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.evaluate.extractors.pixels import check_frames

SEED, DIM, CLASSES, SIDE = 0, 16, 10, 8


class Tiny:
    """Two random linear maps of an 8x8 picture: of frames, or of a clip's mean frame and mean change."""

    digest = f"random:{SEED}"
    dim = DIM
    trusted = False
    min_frames = 2
    preprocessing = f"area average to {SIDE}x{SIDE}, range [-1, 1]"

    def __init__(self, name: str, kind: Literal["video", "frame"]) -> None:
        self.name = name
        self.kind: Literal["video", "frame"] = kind
        self.min_frames = 2 if kind == "video" else 1
        rng = torch.Generator().manual_seed(SEED)
        width = 3 * SIDE**2 * (2 if kind == "video" else 1)
        self._first = torch.randn(width, DIM, generator=rng) / width**0.5
        self._last = torch.randn(DIM, CLASSES, generator=rng)

    def features(self, frames: Tensor) -> Tensor:
        check_frames(self, frames)
        b, t = frames.shape[:2]
        x = frames.flatten(0, 1).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = F.adaptive_avg_pool2d(x, SIDE).flatten(1).unflatten(0, (b, t))  # (b, t, 192)
        if self.kind == "video":
            x = torch.cat([x.mean(1), (x[:, 1:] - x[:, :-1]).abs().mean(1) * 4], -1)
        return torch.tanh(x @ self._first * 3)

    def logits(self, frames: Tensor) -> Tensor:
        return self.features(frames) @ self._last


def load(name: str, weights: Path | None) -> Tiny:
    if weights is not None:
        raise ValueError(f"extractor {name}: has random weights of its own and takes no file; got {weights}")
    return Tiny(name, "video" if name == "tiny" else "frame")
