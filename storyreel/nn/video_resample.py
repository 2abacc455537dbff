"""Videos made smaller and larger, in space and in time, and random parts of them.

All take float (b, c, t, h, w), and give it unless they say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor


def resized(video: Tensor, height: int, width: int) -> Tensor:
    """Each frame resized bilinearly, with an antialiasing filter where it becomes smaller."""
    if video.shape[3:] == (height, width):
        return video
    smaller = height < video.shape[3] or width < video.shape[4]
    flat = video.transpose(1, 2).flatten(0, 1)
    made = F.interpolate(flat, (height, width), mode="bilinear", align_corners=False, antialias=smaller)
    return made.unflatten(0, (video.shape[0], video.shape[2])).transpose(1, 2)


Counted: TypeAlias = Literal["middle", "first"]
"""Which frame of its span stands for it, where frames become fewer: the one in its middle, or its first one. Counted
from the first, the frames of one rate are among those of every multiple of it."""


def at_frames(video: Tensor, frames: int, counted: Counted = "middle") -> Tensor:
    """The same seconds in so many frames: each is the nearest in time, so that frames repeat or are left out."""
    count = video.shape[2]
    return video if count == frames else video[:, :, frame_places(count, frames, counted)]


def frame_places(count: int, frames: int, counted: Counted = "middle") -> list[int]:
    """For each of `frames` frames that fill the time of `count`, which of these it shows."""
    if counted == "first":
        return [i * count // frames for i in range(frames)]
    return [(2 * i + 1) * count // (2 * frames) for i in range(frames)]


def blank_filled(video: Tensor, frames: int, counted: Counted = "middle") -> Tensor:
    """(b, c + 1, frames, h, w): each input frame in its place, zeros between, and a channel that is 1 where one is.

    ValueError where frames are to become fewer.
    """
    count = video.shape[2]
    if frames < count:
        raise ValueError(f"frames: {count} frames cannot be spread over {frames}")
    places = frame_places(frames, count, counted)
    filled = video.new_zeros(video.shape[0], video.shape[1] + 1, frames, *video.shape[3:])
    filled[:, :-1, places] = video
    filled[:, -1, places] = 1
    return filled


def cut_to_aspect(video: Tensor, height: int, width: int) -> Tensor:
    """The largest part from the middle that has the shape of height x width."""
    h, w = video.shape[3:]
    if h * width == w * height:
        return video
    high, wide = (h, max(1, round(h * width / height))) if h * width < w * height else (round(w * height / width), w)
    top, left = (h - max(1, high)) // 2, (w - wide) // 2
    return video[:, :, :, top : top + max(1, high), left : left + wide]


def random_crop(video: Tensor, size: int, rng: torch.Generator) -> Tensor:
    """A square of each clip, at a place of its own, the same in all frames; whole where a side is not longer."""
    h, w = video.shape[3:]
    high, wide = min(size, h), min(size, w)
    if (high, wide) == (h, w):
        return video
    draws = torch.rand(len(video), 2, generator=rng, device=rng.device).tolist()
    corners = [(int(a * (h - high + 1)), int(b * (w - wide + 1))) for a, b in draws]
    cut = [one[:, :, top : top + high, left : left + wide] for one, (top, left) in zip(video, corners, strict=True)]
    return torch.stack(cut)


def random_frames(videos: Sequence[Tensor], count: int, rng: torch.Generator) -> list[Tensor]:
    """The same random frames, `count` a clip (0: all), of each video, as pictures (b * count, c, h, w)."""
    b, c, t, h, w = videos[0].shape
    if not count or count >= t:
        return [v.transpose(1, 2).flatten(0, 1) for v in videos]
    which = torch.rand(b, t, generator=rng, device=rng.device).argsort(1)[:, :count].to(videos[0].device)
    index = which[:, None, :, None, None].expand(b, c, count, h, w)
    return [v.gather(2, index).transpose(1, 2).flatten(0, 1) for v in videos]
