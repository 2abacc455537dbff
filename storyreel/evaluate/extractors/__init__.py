"""Networks that turn clips into features, by name: what every learned metric stands on.

    load_extractor("i3d-k400").features(frames)   # uint8 (b, t, h, w, 3) -> float32 (b, 400)

A score is only as good as the network behind it, so an extractor says which it is (`name`, `digest`), what it does to
pixels (`preprocessing`), and whether its scores mean anything (`trusted`). Weights are never downloaded here; see
`storyreel models fetch`.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from storyreel import worlds
from storyreel.names import expanded
from storyreel.wording import suggestion

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Extractor", "TextVideo", "load_extractor", "names"]

_MAKERS = {
    "i3d-k400": "videos",
    "c3d-ucf101": "videos",
    "videomae-ssv2": "videos",
    "inception-2015": "images",
    "clip-vit-b-32": "clip",
    "clip-vit-l-14": "clip",
    **{f"{world}-v1": "worlds" for world in worlds.names()},
    "random-i3d": "videos",
    "random-inception": "images",
    "tiny": "tiny",
    "tiny-frames": "tiny",
}

_BY_KIND = {"clip": "clip", "siglip": "clip"}  # of those that a repository or a folder names


@runtime_checkable
class Extractor(Protocol):
    """A network and its preprocessing. Row i of what it gives depends on clip i alone (up to rounding)."""

    name: str  # what stands in the brackets of a score: fvd[i3d-k400]
    digest: str  # sha256 of its weights, hex; "random:<seed>" for random ones
    kind: Literal["video", "frame"]
    dim: int
    trusted: bool  # False for random weights: their scores may not be put into a table
    min_frames: int  # clips shorter than this are refused with a ValueError
    preprocessing: str  # one line: resize kernel, crop, range; part of a score's fingerprint

    def features(self, frames: Tensor) -> Tensor:
        """uint8 (b, t, h, w, 3) -> float32 (b, dim) where `kind` is "video", (b, t, dim) where it is "frame"."""
        ...

    def logits(self, frames: Tensor) -> Tensor:
        """uint8 (b, t, h, w, 3) -> float32 (b, classes) or (b, t, classes), for the Inception Score.

        ValueError where the network has no classes.
        """
        ...


@runtime_checkable
class TextVideo(Extractor, Protocol):
    """An extractor that puts sentences, frames and clips into one space."""

    def frame_embeddings(self, frames: Tensor) -> Tensor:
        """uint8 (b, t, h, w, 3) -> float32 (b, t, d) of unit length."""
        ...

    def video_embeddings(self, frames: Tensor) -> Tensor:
        """uint8 (b, t, h, w, 3) -> float32 (b, d) of unit length."""
        ...

    def text_embeddings(self, prompts: Sequence[str]) -> Tensor:
        """-> float32 (n, d) of unit length."""
        ...


def names() -> list[str]:
    """All names that `load_extractor` knows, whether their weights are here or not."""
    return list(_MAKERS)


def load_extractor(name: str, *, weights: str | Path | None = None) -> Extractor:
    """The extractor of this name, ready to use on the CPU; `clip:WHERE` and `siglip:WHERE` are a repository of the hub
    or a folder.

    weights: its file (or folder, for CLIP and the encoders of the worlds); left out, it is looked for where
        `storyreel models fetch` puts it.
    ValueError suggests the nearest name, or says in one line where missing weights come from and where they go.
    """
    kind, _, where = name.partition(":")
    maker = _BY_KIND.get(kind) if where else _MAKERS.get(name)
    if kind == "t5" and where:
        raise ValueError(f"extractor: {name} reads sentences alone; clip:... and siglip:... see pictures as well")
    if maker is None:
        hint = suggestion(name, names(), more=", clip:ORG/NAME, siglip:ORG/NAME")
        raise ValueError(f"extractor: no {name!r}; {hint}")
    module = importlib.import_module(f"storyreel.evaluate.extractors.{maker}")
    return module.load(name, None if weights is None else expanded(weights))
