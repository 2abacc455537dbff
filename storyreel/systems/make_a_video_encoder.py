"""What Make-A-Video knows of words and pictures before it is trained: an encoder of both, held as it is.

An image embedding stands between a sentence and a video: the prior makes it from the sentence, everything after it
sees nothing else (Section 3.1). So the pictures may have captions and the videos need none. The encoder is taken from
a model that is there already, whose digest is part of the recipe, and its weights are kept in the model folder.

    frames --images--> (b, t, e)      token states --texts--> (b, e)

Embeddings have the length sqrt(e), so that their entries have deviation one. They are never trained here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.clip import ClipConfig, VisionTower
from storyreel.nn.dual_encoder import DualEncoderConfig, FrameTower, TextTower
from storyreel.systems.base import Batch, Loss, Stage, Tick

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's training data


@dataclass(frozen=True, kw_only=True)
class ImageTextConfig:
    """kind: an encoder of the worlds (`dual`, docs/encoders.md) or CLIP (`clip`).

    source: the encoder that its weights are taken from, by name; "": none, it stays as it was born, for tests.
    sha256: of the weights there.
    """

    kind: Literal["dual", "clip"] = "dual"
    source: str = ""
    sha256: str = ""
    dual: DualEncoderConfig = field(default_factory=DualEncoderConfig)
    clip: ClipConfig = field(default_factory=ClipConfig)

    @property
    def size(self) -> int:
        """Pixels a side of the frames that are looked at."""
        return self.dual.size if self.kind == "dual" else self.clip.vision.image_size

    @property
    def dim(self) -> int:
        return self.dual.embed if self.kind == "dual" else self.clip.projection_dim

    @property
    def text_dim(self) -> int:
        """Width of the token states that it reads."""
        return self.dual.text_dim if self.kind == "dual" else self.clip.text.hidden_size

    @property
    def identity(self) -> str:
        """What models that understand one another have in common."""
        return f", embeddings of {self.source or 'no encoder'} {self.sha256}"


class ImageTextStage(Stage):
    """The encoder as a component of the model. It is not trained."""

    def __init__(self, config: ImageTextConfig):
        super().__init__()
        self.config, self.dim, self.taken_from = config, config.dim, config.source
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net: DualTowers | ClipTowers = (
                DualTowers(config.dual) if config.kind == "dual" else ClipTowers(config.clip)
            )
        self.requires_grad_(False)

    def take(self, tensors: Mapping[str, Tensor], sha256: str) -> None:
        """Fill in the weights of a trained encoder. ValueError for those of another than the recipe's."""
        if sha256 != self.config.sha256:
            raise ValueError(
                f"encoder {self.config.source!r}: is another than the recipe's: the digest of its weights is "
                f"{sha256[:12]}, wanted {self.config.sha256[:12]}"
            )
        for name, mine in self.net.state_dict().items():
            theirs = tensors.get(name)
            if theirs is None or theirs.shape != mine.shape:
                found = "missing" if theirs is None else list(theirs.shape)
                raise ValueError(f"encoder {self.config.source!r}: {name} is {found}, wanted {list(mine.shape)}")
            mine.copy_(theirs)

    @torch.no_grad()
    def images(self, video: Tensor) -> Tensor:
        """Video (b, 3 or 4, t, h, w) in [-1, 1], square -> (b, t, e) float32. A matte is not looked at."""
        b, _, t = video.shape[:3]
        flat, size = video[:, :3].transpose(1, 2).flatten(0, 1).float(), self.config.size
        if flat.shape[-2:] != (size, size):
            mode = "bilinear" if self.config.kind == "dual" else "bicubic"
            flat = F.interpolate(flat, (size, size), mode=mode, antialias=True, align_corners=False)
        return self._scaled(self.net.images(flat)).unflatten(0, (b, t))

    @torch.no_grad()
    def texts(self, states: Tensor, mask: Tensor) -> Tensor:
        """Token states (b, l, d) with mask (b, l) -> (b, e) float32."""
        return self._scaled(self.net.texts(states, mask))

    def together(self, embeddings: Tensor) -> Tensor:
        """The mean of several, (b, n, e) -> (b, e), of the length of one."""
        return self._scaled(embeddings.mean(1))

    def _scaled(self, embeddings: Tensor) -> Tensor:
        return F.normalize(embeddings.float(), dim=-1) * self.dim**0.5

    def loss(self, batch: Batch, tick: Tick) -> Loss:
        raise ValueError("stage 'encoder': is taken as it is; storyreel train encoder_sprites makes another")

    def sample(self, cond: Batch, *, rng: Sequence[torch.Generator]) -> Tensor:
        raise ValueError("stage 'encoder': makes nothing; it looks at pictures and reads sentences")


class DualTowers(nn.Module):
    """What a dual encoder has for single frames and sentences; its names of weights."""

    def __init__(self, config: DualEncoderConfig):
        super().__init__()
        self.frame_tower, self.text_tower = FrameTower(config), TextTower(config)
        self.to_frame = nn.Linear(config.dim, config.embed)

    def images(self, pictures: Tensor) -> Tensor:
        """(n, 3, size, size) -> (n, e)."""
        return self.to_frame(self.frame_tower(pictures))

    def texts(self, states: Tensor, mask: Tensor) -> Tensor:
        return self.text_tower(states, mask)


class ClipTowers(nn.Module):
    """CLIP's eye, and the projection of its last token's state; the token states are those of its text encoder."""

    def __init__(self, config: ClipConfig):
        super().__init__()
        self.vision_model = VisionTower(config.vision)
        self.visual_projection = nn.Linear(config.vision.hidden_size, config.projection_dim, bias=False)
        self.text_projection = nn.Linear(config.text.hidden_size, config.projection_dim, bias=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    mean: Tensor
    std: Tensor

    def images(self, pictures: Tensor) -> Tensor:
        return self.visual_projection(self.vision_model(((pictures + 1) / 2 - self.mean) / self.std))

    def texts(self, states: Tensor, mask: Tensor) -> Tensor:
        last = mask.sum(1).clamp(min=1) - 1
        return self.text_projection(states[torch.arange(len(states), device=states.device), last])
