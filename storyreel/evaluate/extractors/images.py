"""The extractor of single frames for FID, KID and the Inception Score: Inception-v3 of 2015-12-05."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from storyreel.evaluate.extractors.pixels import as_images, bilinear_tf1, check_frames
from storyreel.evaluate.extractors.weights import digest_of, filled, in_parts, read_weights, seeded
from storyreel.nn.inception import FEATURES, InceptionV3
from storyreel.weights_registry import find_weights

SEED, SIDE = 0, 299


class InceptionFeatures:
    """pool3 (2048) and the 1008 logits without bias, of every frame."""

    kind: Literal["video", "frame"] = "frame"
    dim = FEATURES
    min_frames = 1
    preprocessing = f"bilinear of TensorFlow 1 to {SIDE}x{SIDE}, aspect ratio not kept, range (x - 128) / 128"

    def __init__(self, name: str, net: InceptionV3, digest: str, trusted: bool) -> None:
        self.name, self.net, self.digest, self.trusted = name, net, digest, trusted

    @torch.inference_mode()
    def features(self, frames: Tensor) -> Tensor:
        check_frames(self, frames)
        return in_parts(self._one, frames.flatten(0, 1), 16).unflatten(0, frames.shape[:2])

    @torch.inference_mode()
    def logits(self, frames: Tensor) -> Tensor:
        return self.net.logits(self.features(frames))

    def _one(self, images: Tensor) -> Tensor:
        return self.net((bilinear_tf1(as_images(images[None]), SIDE, SIDE) - 128) / 128)


def load(name: str, weights: Path | None) -> InceptionFeatures:
    if name == "random-inception":
        if weights is not None:
            raise ValueError(f"extractor {name}: has random weights and takes no file; got {weights}")
        return InceptionFeatures(name, seeded(InceptionV3, SEED), f"random:{SEED}", trusted=False)
    path = next(iter(find_weights(name, weights).values()))
    net = filled(InceptionV3, read_weights(path), str(path))
    return InceptionFeatures(name, net, digest_of(net), trusted=True)
