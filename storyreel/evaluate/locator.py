"""A judge for the world `digits`: it finds each digit in each frame, and the motion is told from the track.

    frames -> per-frame convolutions -> a map a digit of where it is -> tracks -> `trajectory.motion_of`

The network sees single frames, so it cannot know which motions go with which digit: combinations that it never met
are judged as well as any other. Two digits are two tracks.
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

from storyreel.clip import Clip
from storyreel.evaluate.judge import Residual, as_seen, to_video
from storyreel.evaluate.judge_folder import read_judge, write_judge
from storyreel.evaluate.judge_registry import find_judge
from storyreel.evaluate.score import AttributeAccuracy, AttributeScores
from storyreel.evaluate.trajectory import motion_of
from storyreel.field_ranges import Frames, Pixels, Share, Width

KIND = "locator"
STRIDE = 4  # pixels a place of the map
BATCH = 16  # clips


@dataclass(frozen=True, kw_only=True)
class LocatorConfig:
    """What it looks at, and how wide it is."""

    classes: tuple[str, ...] = tuple("0123456789")
    frames: Frames = 10
    size: Pixels = 64  # pixels, square
    dim: Width = 48
    dilations: tuple[Pixels, ...] = (1, 2, 4)  # one residual block each: together they see a whole digit
    box: float = 28 / 64  # side of a digit's box, of the canvas
    sure: Share = 0.35  # a digit is there when its best places, averaged over the surer half of the frames, reach this

    def build(self) -> Locator:
        return Locator(self)


class Locator(nn.Module):
    """`locator(frames)` gives maps; `read(clips)` digits with their motions; `accuracy(clips, expected)` a report."""

    attributes = ("count", "digits", "motions")

    def __init__(self, config: LocatorConfig) -> None:
        super().__init__()
        self.config = config
        half = config.dim // 2
        self.trunk = nn.Sequential(
            nn.Conv2d(1, half, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(half), nn.ReLU(),
            nn.Conv2d(half, config.dim, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(config.dim), nn.ReLU(),
            *(Residual(config.dim, dilation) for dilation in config.dilations),
        )  # fmt: skip
        self.head = nn.Conv2d(config.dim, len(config.classes), 1)
        nn.init.constant_(self.head.bias, -4.0)  # pyright: ignore[reportArgumentType]  # most places hold no digit
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, frames: Tensor) -> Tensor:
        """Float (n, 1, h, w) in [-1, 1] -> logits (n, classes, h / 4, w / 4)."""
        return self.head(self.trunk(frames.contiguous(memory_format=torch.channels_last)))

    def see(self, clip: Clip) -> np.ndarray:
        """uint8 (1, t, h, w): the clip as this judge looks at it; other lengths are resampled over the same time."""
        from storyreel.data.pack import fit

        if len(clip) != self.config.frames:
            clip = clip.resample(self.config.frames)
        return as_seen(fit(clip, self.config.size, 3), 1)

    @torch.inference_mode()
    def read(self, clips: Iterable[Clip]) -> Iterator[list[dict[str, str]]]:
        """For each clip its digits, the surest first: `digits` which one, `motions` what it does."""
        self.eval()
        device, rest = self.head.weight.device, iter(clips)
        while some := list(islice(rest, BATCH)):
            video = to_video(np.stack([self.see(clip) for clip in some])).to(device)  # (b, 1, t, h, w)
            maps = self(video.transpose(1, 2).flatten(0, 1)).float().sigmoid()
            for one in maps.unflatten(0, (len(some), -1)).cpu().numpy():
                yield self.tell(one)

    def tell(self, maps: np.ndarray) -> list[dict[str, str]]:
        """Probabilities (t, classes, h, w) of one clip -> the digits that are there, each with its motion."""
        tracks, surety = find_tracks(maps)  # (classes, t, 2) in pixels, (classes, t)
        half = max(1, surety.shape[1] // 2)
        score = np.sort(surety, axis=1)[:, -half:].mean(1)
        free = self.config.size * (1 - self.config.box)
        found: list[int] = []
        for k in np.argsort(-score).tolist():
            # A digit that looks like another lights up in the same place: only the surer one is there.
            apart = [np.median(np.linalg.norm(tracks[k] - tracks[j], axis=1)) > 2 * STRIDE for j in found]
            if score[k] >= self.config.sure and all(apart):
                found.append(k)
        return [
            {"digits": self.config.classes[k], "motions": motion_of(tracks[k], free, surety[k] ** 2).name}
            for k in found
        ]

    def accuracy(self, clips: Iterable[Clip], expected: Iterable[Mapping[str, Any]]) -> AttributeScores:
        """How many of the expected digits are there, how many move as expected, and whether the count fits.

        expected: `digits` and `motions`, a list each. ValueError when there are fewer clips than `expected`, or more.
        """
        metric = AttributeAccuracy(self.attributes)
        for seen, attributes in zip(self.read(clips), expected, strict=True):
            metric.update(*pairs(seen, attributes))
        return metric.compute()

    def save(self, path: str | Path, *, card: str = "", facts: Mapping[str, Any] | None = None) -> Path:
        """Write the judge folder. See `storyreel.evaluate.judge_folder`."""
        return write_judge(Path(path), KIND, self.config, self, card=card, facts=facts or {})

    @classmethod
    def load(cls, name: str | Path) -> Locator:
        """A judge folder, or the name of one that ships. ValueError says what is wrong with it."""
        return read_judge(find_judge(name), KIND, LocatorConfig)


def find_tracks(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (t, k, h, w) -> positions (k, t, 2), x and y in pixels, and how sure each is (k, t).

    A position is the mean of the 3x3 places around the best one, weighted by their probability.
    """
    t, k, h, w = maps.shape
    best = maps.reshape(t, k, h * w).argmax(-1)
    y, x = best // w, best % w
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)))
    ti, ki = np.arange(t)[:, None], np.arange(k)[None]
    mass, my, mx = np.zeros((t, k)) + 1e-9, np.zeros((t, k)), np.zeros((t, k))
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            p = padded[ti, ki, y + 1 + dy, x + 1 + dx]
            mass, my, mx = mass + p, my + p * (y + dy), mx + p * (x + dx)
    middle = np.stack([mx / mass, my / mass], -1)  # (t, k, 2), in places
    return ((middle + 0.5) * STRIDE - 0.5).transpose(1, 0, 2), maps.max((2, 3)).T


def pairs(
    seen: list[dict[str, str]], expected: Mapping[str, Any]
) -> list[tuple[dict[str, str | None], dict[str, str | None]]]:
    """What was seen of each expected thing beside what is expected, and one pair for the count.

    An expected digit is compared with itself where it was seen; the rest are compared with what is left, in order.
    """
    digits = [None if d is None else str(d) for d in expected.get("digits") or []]
    motions = list(expected.get("motions") or [])
    motions += [None] * (len(digits) - len(motions))
    left = list(seen)
    matched: list[dict[str, str] | None] = [None] * len(digits)
    for own in (True, False):
        for i, digit in enumerate(digits):
            if matched[i] is None:
                found = next((s for s in left if not own or s["digits"] == digit), None)
                if found is not None:
                    matched[i] = found
                    left.remove(found)
    made: list[tuple[dict[str, str | None], dict[str, str | None]]] = [
        ({"digits": (m or {}).get("digits"), "motions": (m or {}).get("motions")}, {"digits": d, "motions": motion})
        for m, d, motion in zip(matched, digits, motions, strict=True)
    ]
    if digits:
        made.append(({"count": str(len(seen))}, {"count": str(len(digits))}))
    return made
