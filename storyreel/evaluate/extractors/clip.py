"""CLIP and SigLIP as extractors of frames and texts: CLIPSIM, RM, R-precision, and what ranks candidates.

The published weights of two CLIPs have names of their own (`clip-vit-b-32`, `clip-vit-l-14`). Any other, and any SigLIP
(Zhai et al. 2023, https://arxiv.org/abs/2303.15343), is named by its repository or folder: `clip:ORG/NAME`,
`siglip:ORG/NAME`, in transformers' layout. The networks and tokenizers are transformers'.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from storyreel import hub_network
from storyreel.evaluate.extractors.pixels import as_images, bicubic_short_side, check_frames, squashed
from storyreel.evaluate.extractors.weights import digest_of, in_parts
from storyreel.json_file import read_object
from storyreel.names import expanded
from storyreel.nn import clip as openai_clip
from storyreel.weights_registry import find_weights, refuse_pickle, weights_folder

HALF = (0.5, 0.5, 0.5)
NETWORKS = {"clip": "CLIPModel", "siglip": "SiglipModel"}  # siglip: SigLIP 2 of fixed size as well
LABELS = {"clip": "CLIP", "siglip": "SigLIP"}


@dataclass(frozen=True)
class Preprocessing:
    """What is done to a frame: to `size` x `size`, cut from the middle of a larger one or squashed, then normalised."""

    size: int
    crop: bool
    resample: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def line(self) -> str:
        how = f"short side to {self.size}, centre crop" if self.crop else f"squashed to {self.size}x{self.size}"
        whose = (
            "CLIP's mean and std" if self.mean == openai_clip.MEAN else f"mean {self.mean[0]:g}, std {self.std[0]:g}"
        )
        return f"antialiased {self.resample}, {how}, rounded to uint8, /255, {whose}"

    def __call__(self, frames: Tensor) -> Tensor:
        """uint8 (n, h, w, 3) -> float32 (n, 3, size, size)."""
        images = as_images(frames[None])
        images = bicubic_short_side(images, self.size) if self.crop else squashed(images, self.size, self.resample)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (images / 255 - mean) / std


class ClipFeatures:
    """Frame, clip and text embeddings. `features` are the frame embeddings before they are scaled to length one."""

    kind: Literal["video", "frame"] = "frame"
    min_frames = 1
    trusted = True

    def __init__(self, name: str, net: Any, tokenizer: Any, pixels: Preprocessing) -> None:
        """net: transformers' CLIPModel or SiglipModel, frozen, in eval mode."""
        self.name, self.net, self.digest = name, net, digest_of(net)
        self.pixels, self.preprocessing = pixels, pixels.line
        text = net.config.text_config
        self.padded = net.config.model_type == "siglip"  # trained on texts that are padded to the full length
        self.dim = int(text.projection_size if self.padded else net.config.projection_dim)
        self.max_tokens = int(text.max_position_embeddings)
        self._tokenizer = tokenizer
        self._warned = False

    @torch.inference_mode()
    def features(self, frames: Tensor) -> Tensor:
        check_frames(self, frames)
        return in_parts(self._images, frames.flatten(0, 1), 32).unflatten(0, frames.shape[:2])

    def logits(self, frames: Tensor) -> Tensor:
        raise ValueError(f"extractor {self.name}: has no classes, so there is no Inception Score with it")

    def frame_embeddings(self, frames: Tensor) -> Tensor:
        """float32 (b, t, d) of unit length."""
        return F.normalize(self.features(frames), dim=-1)

    def video_embeddings(self, frames: Tensor) -> Tensor:
        """float32 (b, d) of unit length: the mean of the frames' embeddings."""
        return F.normalize(self.frame_embeddings(frames).mean(1), dim=-1)

    @torch.inference_mode()
    def text_embeddings(self, prompts: Sequence[str]) -> Tensor:
        """float32 (n, d) of unit length. Texts of too many tokens are cut, and that is warned of once."""
        if isinstance(prompts, str) or not prompts:
            raise ValueError("prompts: expected a list of sentences, got " + ("one string" if prompts else "none"))
        parts = [self._texts(prompts[first : first + 64]) for first in range(0, len(prompts), 64)]
        return F.normalize(torch.cat(parts), dim=-1)

    def _images(self, frames: Tensor) -> Tensor:
        found = self.net.vision_model(pixel_values=self.pixels(frames)).pooler_output
        return found if self.padded else self.net.visual_projection(found)

    def _texts(self, prompts: Sequence[str]) -> Tensor:
        length = self.max_tokens
        rows = [] if self._warned else self._tokenizer(list(prompts), verbose=False)["input_ids"]
        if long := [text for text, row in zip(prompts, rows, strict=False) if len(row) > length]:
            self._warned = True
            warnings.warn(
                f"{self.name}: {long[0][:40]!r}... is longer than {length} tokens; what follows them is not seen",
                stacklevel=3,
            )
        tokens = self._tokenizer(
            list(prompts), padding="max_length" if self.padded else True, truncation=True, max_length=length,
            return_tensors="pt", return_attention_mask=True,
        )  # fmt: skip
        out = self.net.text_model(input_ids=tokens["input_ids"])
        if self.padded:
            return out.pooler_output
        ends = tokens["attention_mask"].sum(1) - 1  # the end mark; what stands after it is not seen
        return self.net.text_projection(out.last_hidden_state[torch.arange(len(ends)), ends])


def load_folder(where: str, name: str, kind: str) -> ClipFeatures:
    """CLIP or SigLIP from a folder, or from the hub. ValueError says what is wrong."""
    what = f"extractor {name}"
    tokenizer, net = hub_network.load(where, what, {kind: NETWORKS[kind]}, LABELS[kind])
    size = int(net.config.vision_config.image_size)
    return ClipFeatures(name, net, tokenizer, _preprocessing(hub_network.folder_of(where, what), size, kind))


def _preprocessing(folder: Path, size: int, kind: str) -> Preprocessing:
    """CLIP's, or that of a SigLIP folder's preprocessor_config.json, which may say another filter and range."""
    if kind == "clip":
        return Preprocessing(size, True, "bicubic", openai_clip.MEAN, openai_clip.STD)
    file = folder / "preprocessor_config.json"
    found = read_object(file) if file.is_file() else {}
    try:
        mean, std = (tuple(map(float, found.get(key) or HALF)) for key in ("image_mean", "image_std"))
        resample = {2: "bilinear", 3: "bicubic"}[found.get("resample", 3)]  # as Pillow numbers them
    except (TypeError, ValueError, KeyError):
        mean, std, resample = (), (), ""
    if not len(mean) == len(std) == 3:
        raise ValueError(f"{file}: expected three numbers as image_mean and image_std, and 2 or 3 as resample")
    return Preprocessing(size, False, resample, mean, std)


def load(name: str, weights: Path | None) -> ClipFeatures:
    """`clip:WHERE`, `siglip:WHERE`, or one of the two that are known by name."""
    kind, colon, where = name.partition(":")
    if colon:
        if weights is not None:
            raise ValueError(f"weights: extractor {name} names its own")
        path = expanded(where)
        return load_folder(where, f"{kind}:{path.resolve().name}" if path.is_dir() else name, kind)
    if weights is None:
        find_weights(name)  # says what is missing
    folder = weights_folder(name) if weights is None else weights
    file = folder / "model.safetensors"
    if not file.is_file():
        refuse_pickle(folder / "pytorch_model.bin", file)
    return load_folder(str(folder.absolute()), name, "clip")
