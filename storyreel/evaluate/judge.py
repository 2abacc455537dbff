"""A judge: a small network that says what is to be seen in a whole clip, attribute by attribute.

    clip -> frames folded into channels -> residual convolutions -> a linear head an attribute -> class probabilities

It is trained on real clips alone and never sees a generated one, so it can measure any model of the same world.
Time is folded into the channels (8 RGBA frames are 32 channels): an action is a fixed pattern over frames, and 2-D
convolutions over 32 channels cost a tenth of 3-D ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from storyreel.clip import Clip
from storyreel.evaluate.judge_folder import read_judge, write_judge
from storyreel.evaluate.judge_registry import find_judge
from storyreel.evaluate.score import AttributeAccuracy, AttributeScores, labels
from storyreel.field_ranges import Depth, Frames, Pixels, Share, Width

KIND = "attributes"
BATCH = 64


@dataclass(frozen=True, kw_only=True)
class JudgeConfig:
    """What a judge looks at, what it can say, and how wide it is."""

    classes: Mapping[str, tuple[str, ...]]  # attribute -> what it may be
    frames: Frames = 8
    size: Pixels = 64  # pixels, square
    channels: Width = 4  # 1 grey, 3 colour, 4 colour and alpha
    widths: tuple[Width, ...] = (48, 96, 160)  # channels at half, quarter, eighth size
    blocks: tuple[Depth, ...] = (0, 1, 1)  # residual blocks at each of them
    grid: Pixels = 4  # the last features are averaged to grid x grid places: where a colour is tells shirt from shoe
    dropout: Share = 0.1

    def build(self) -> Judge:
        return Judge(self)


class Residual(nn.Module):
    """x + two 3x3 convolutions; the second starts at zero, so that a new block changes nothing."""

    def __init__(self, dim: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, dim, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm1 = nn.BatchNorm2d(dim)
        self.conv2 = nn.Conv2d(dim, dim, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(dim)
        nn.init.zeros_(self.norm2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(x + self.norm2(self.conv2(y)))


class Judge(nn.Module):
    """`judge(video)` gives class probabilities an attribute; `judge.accuracy(clips, expected)` a report."""

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        dim = config.frames * config.channels
        for width, count in zip(config.widths, config.blocks, strict=True):
            layers += [nn.Conv2d(dim, width, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [Residual(width) for _ in range(count)]
            dim = width
        self.trunk = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(config.grid), nn.Flatten())
        self.drop = nn.Dropout(config.dropout)
        self.heads = nn.Linear(dim * config.grid**2, sum(map(len, config.classes.values())))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def logits(self, video: Tensor) -> dict[str, Tensor]:
        """Float (b, c, t, h, w) in [-1, 1] -> attribute -> float (b, classes). ValueError for another shape."""
        c = self.config
        expected = (c.channels, c.frames, c.size, c.size)
        if video.ndim != 5 or tuple(video.shape[1:]) != expected:
            raise ValueError(
                f"video: this judge expects (b, {', '.join(map(str, expected))}), got {tuple(video.shape)}"
            )
        x = video.flatten(1, 2).contiguous(memory_format=torch.channels_last)  # (b, c*t, h, w)
        logits = self.heads(self.drop(self.trunk(x)).float())
        return dict(zip(c.classes, logits.split([len(v) for v in c.classes.values()], dim=1), strict=True))

    def forward(self, video: Tensor) -> dict[str, Tensor]:
        """Float (b, c, t, h, w) in [-1, 1] -> attribute -> probabilities (b, classes)."""
        return {name: logits.softmax(1) for name, logits in self.logits(video).items()}

    def see(self, clip: Clip) -> np.ndarray:
        """uint8 (c, t, h, w): the clip as this judge looks at it. Other lengths are resampled over the same time.

        Where the judge wants alpha and the clip has none, what differs from its flat background is taken as opaque.
        """
        from storyreel.data.pack import fit

        c = self.config
        if c.channels == 4 and not clip.has_alpha:
            clip = without_background(clip)
        if len(clip) != c.frames:
            clip = clip.resample(c.frames)
        return as_seen(fit(clip, c.size, 4 if c.channels == 4 else 3), c.channels)

    @property
    def attributes(self) -> tuple[str, ...]:
        """What it reports on."""
        return tuple(self.config.classes)

    @torch.inference_mode()
    def probabilities(self, clips: Iterable[Clip]) -> Iterator[dict[str, dict[str, float]]]:
        """For each clip, attribute -> class -> how likely it is."""
        self.eval()
        device = self.heads.weight.device
        rest = iter(clips)
        while some := list(islice(rest, BATCH)):
            video = to_video(np.stack([self.see(clip) for clip in some])).to(device)
            likely = {name: found.tolist() for name, found in self(video).items()}
            for i in range(len(some)):
                yield {name: dict(zip(c, likely[name][i], strict=True)) for name, c in self.config.classes.items()}

    def read(self, clips: Iterable[Clip]) -> Iterator[dict[str, str]]:
        """For each clip, the likeliest class of every attribute."""
        for found in self.probabilities(clips):
            yield {name: max(classes, key=classes.__getitem__) for name, classes in found.items()}

    def accuracy(self, clips: Iterable[Clip], expected: Iterable[Mapping[str, Any]]) -> AttributeScores:
        """How often each attribute is as expected; None, and attributes that `expected` lacks, are not scored.

        Raises ValueError when there are fewer clips than `expected`, or more.
        """
        metric = AttributeAccuracy(self.attributes)
        for seen, attributes in zip(self.read(clips), expected, strict=True):
            metric.update((seen, labels(attributes)))
        return metric.compute()

    def save(self, path: str | Path, *, card: str = "", facts: Mapping[str, Any] | None = None) -> Path:
        """Write the judge folder. See `storyreel.evaluate.judge_folder`."""
        return write_judge(Path(path), KIND, self.config, self, card=card, facts=facts or {})

    @classmethod
    def load(cls, name: str | Path) -> Judge:
        """A judge folder, or the name of one that ships. ValueError says what is wrong with it."""
        return read_judge(find_judge(name), KIND, JudgeConfig)


def as_seen(frames: np.ndarray, channels: int) -> np.ndarray:
    """uint8 (t, h, w, 3 or 4) -> (channels, t, h, w); one channel is the mean of the three colours."""
    if channels == 1:
        frames = frames[..., :3].mean(-1, keepdims=True).round().astype(np.uint8)
    return np.ascontiguousarray(frames.transpose(3, 0, 1, 2))


def to_video(seen: np.ndarray) -> Tensor:
    """uint8 array -> float32 tensor in [-1, 1], the same shape."""
    return torch.from_numpy(seen).float().div_(127.5).sub_(1.0)


def without_background(clip: Clip, tolerance: int = 24) -> Clip:
    """RGBA: transparent where every channel is within `tolerance` of the commonest colour at the first frame's edge."""
    first = clip.frames[0]
    edge = np.concatenate([first[0], first[-1], first[:, 0], first[:, -1]])
    colors, counts = np.unique(edge, axis=0, return_counts=True)
    far = np.abs(clip.frames.astype(np.int16) - colors[counts.argmax()]).max(-1, keepdims=True) > tolerance
    return clip.replace(frames=np.concatenate([clip.frames, far.astype(np.uint8) * 255], axis=-1))
