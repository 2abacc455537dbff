"""Extractors that see whole clips: I3D and VideoMAE for FVD and KVD, C3D for the Inception Score of videos."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel.evaluate.extractors.pixels import as_images, bilinear, check_frames
from storyreel.evaluate.extractors.weights import digest_of, filled, in_parts, read_weights, seeded
from storyreel.nn.c3d import C3D, FEATURES, FRAMES, LAYERS, SIDE
from storyreel.nn.i3d import I3D
from storyreel.nn.videomae import VideoMAE, VideoMAEConfig
from storyreel.weights_registry import find_weights

SEED = 0  # of the random ones
VIDEOGPT_EPS = 1e-5  # with which VideoGPT's code runs i3d-k400, the weights that it converted


class I3DFeatures:
    """The 400 logits before the softmax, mean over time: the space of FVD."""

    kind: Literal["video", "frame"] = "video"
    dim = 400
    min_frames = 9  # fewer leave I3D's pool over time nothing to look at; see docs/encoders.md

    def __init__(self, name: str, net: I3D, digest: str, trusted: bool) -> None:
        self.name, self.net, self.digest, self.trusted = name, net, digest, trusted
        self.preprocessing = (
            "bilinear to 224x224 without antialias, aspect ratio not kept, range [-1, 1], "
            f"batch norms with eps {net.eps:g}"  # which the digest of the weights does not tell
        )

    @torch.inference_mode()
    def features(self, frames: Tensor) -> Tensor:
        check_frames(self, frames)
        return in_parts(self._one, frames, 4)

    def logits(self, frames: Tensor) -> Tensor:
        return self.features(frames)

    def _one(self, frames: Tensor) -> Tensor:
        images = bilinear(as_images(frames), 224, 224) / 127.5 - 1
        return self.net(images.unflatten(0, frames.shape[:2]).transpose(1, 2))


class VideoMAEFeatures:
    """The space of the content-debiased FVD (Ge et al. 2024): clips of 16 frames."""

    kind: Literal["video", "frame"] = "video"

    def __init__(self, name: str, net: VideoMAE, digest: str, trusted: bool) -> None:
        c = net.config
        self.name, self.net, self.digest, self.trusted = name, net, digest, trusted
        self.dim, self.min_frames = c.dim, c.frames
        self.preprocessing = f"bilinear to {c.size}x{c.size} without antialias, aspect ratio not kept, range [0, 1]"

    @torch.inference_mode()
    def features(self, frames: Tensor) -> Tensor:
        return in_parts(lambda part: self.net.features(self._seen(part)), self._checked(frames), 1)

    @torch.inference_mode()
    def logits(self, frames: Tensor) -> Tensor:
        return in_parts(lambda part: self.net(self._seen(part)), self._checked(frames), 1)

    def _checked(self, frames: Tensor) -> Tensor:
        return exactly(self, frames, self.min_frames)

    def _seen(self, frames: Tensor) -> Tensor:
        size = self.net.config.size
        images = bilinear(as_images(frames), size, size) / 255
        return images.unflatten(0, frames.shape[:2]).transpose(1, 2)


class C3DFeatures:
    """fc7 (4096) and the 101 logits of UCF-101, of clips of 16 frames."""

    kind: Literal["video", "frame"] = "video"
    dim = FEATURES
    min_frames = FRAMES
    preprocessing = f"bilinear to {SIDE}x{SIDE} with aligned corners, aspect ratio not kept, range [0, 255] less a mean"

    def __init__(self, name: str, net: C3D, digest: str, trusted: bool) -> None:
        self.name, self.net, self.digest, self.trusted = name, net, digest, trusted

    @torch.inference_mode()
    def features(self, frames: Tensor) -> Tensor:
        return in_parts(lambda part: self.net.features(self._seen(part)), self._checked(frames), 4)

    @torch.inference_mode()
    def logits(self, frames: Tensor) -> Tensor:
        return in_parts(lambda part: self.net(self._seen(part)), self._checked(frames), 4)

    def _checked(self, frames: Tensor) -> Tensor:
        return exactly(self, frames, FRAMES)

    def _seen(self, frames: Tensor) -> Tensor:
        images = F.interpolate(as_images(frames), (SIDE, SIDE), mode="bilinear", align_corners=True)
        return images.unflatten(0, frames.shape[:2]).transpose(1, 2)


def exactly(extractor: C3DFeatures | VideoMAEFeatures, frames: Tensor, num_frames: int) -> Tensor:
    """`frames`, when they are what the extractor wants and so many. ValueError else."""
    check_frames(extractor, frames)
    if frames.shape[1] != num_frames:
        raise ValueError(
            f"frames: extractor {extractor.name} expects clips of {num_frames} frames, got {frames.shape[1]}"
        )
    return frames


def c3d_tensors(files: dict[str, Path]) -> dict[str, Tensor]:
    """TGANv2's two .npz files -> our names: `conv1a/W`, `conv1a/b`, ...; `mean` (3, 16, 128, 171), cropped.

    The crop of the mean is that of TGANv2: 112x112 from row 8 and column 8.
    """
    weights, mean = (read_weights(files[name]) for name in ("conv3d_deepnetA_ucf.npz", "mean2.npz"))
    names = {"W": "weight", "b": "bias"}
    found: dict[str, Tensor] = {}
    layers = (*LAYERS, "fc6", "fc7", "fc8")
    for name, tensor in weights.items():
        layer, _, kind = name.strip("/").rpartition("/")
        if layer not in layers or kind not in names:
            raise ValueError(f"{files['conv3d_deepnetA_ucf.npz']}: has unknown {name!r}")
        found[f"{layer}.{names[kind]}"] = tensor
    where = files["mean2.npz"]
    if "mean" not in mean:
        raise ValueError(f"{where}: lacks 'mean'")
    clip = mean["mean"]
    if clip.numel() != 3 * FRAMES * 128 * 171:
        raise ValueError(f"{where}: mean is {list(clip.shape)}, expected [3, {FRAMES}, 128, 171]")
    found["mean"] = clip.reshape(3, FRAMES, 128, 171)[:, :, 8 : 8 + SIDE, 8 : 8 + SIDE]
    return found


def load(name: str, weights: Path | None) -> I3DFeatures | C3DFeatures | VideoMAEFeatures:
    if name == "random-i3d":
        if weights is not None:
            raise ValueError(f"extractor {name}: has random weights and takes no file; got {weights}")
        return I3DFeatures(name, seeded(I3D, SEED), f"random:{SEED}", trusted=False)
    files = find_weights(name, weights)
    if name == "c3d-ucf101":
        c3d = filled(C3D, c3d_tensors(files), str(files["conv3d_deepnetA_ucf.npz"]))
        return C3DFeatures(name, c3d, digest_of(c3d), trusted=True)
    path = next(iter(files.values()))
    if name == "videomae-ssv2":
        mae = filled(VideoMAEConfig().build, read_weights(path), str(path))
        return VideoMAEFeatures(name, mae, digest_of(mae), trusted=True)
    i3d = filled(partial(I3D, eps=VIDEOGPT_EPS), read_weights(path), str(path))
    return I3DFeatures(name, i3d, digest_of(i3d), trusted=True)
