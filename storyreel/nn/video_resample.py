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
    return video if count == frames else video.index_select(2, frame_places(count, frames, counted, video.device))


def frame_places(count: int, frames: int, counted: Counted = "middle", device: torch.device | None = None) -> Tensor:
    """int64 (frames,): for each of `frames` frames that fill the time of `count`, which of these it shows."""
    at = torch.arange(frames, device=device)
    return at * count // frames if counted == "first" else (2 * at + 1) * count // (2 * frames)


def blank_filled(video: Tensor, frames: int, counted: Counted = "middle") -> Tensor:
    """(b, c + 1, frames, h, w): each input frame in its place, zeros between, and a channel that is 1 where one is.

    ValueError where frames are to become fewer.
    """
    count = video.shape[2]
    if frames < count:
        raise ValueError(f"frames: {count} frames cannot be spread over {frames}")
    places = frame_places(frames, count, counted, video.device)
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
    draws = torch.rand(len(video), 2, generator=rng, device=rng.device).double()
    top, left = ((draws[:, i] * room).long()[:, None] for i, room in enumerate((h - high + 1, w - wide + 1)))
    rows = (top + torch.arange(high, device=rng.device)).to(video.device)  # (b, high)
    columns = (left + torch.arange(wide, device=rng.device)).to(video.device)
    which = torch.arange(len(video), device=video.device)[:, None, None]
    cut = video[which, :, :, rows[:, :, None], columns[:, None, :]]  # (b, high, wide, c, t)
    return cut.permute(0, 3, 4, 1, 2).contiguous()


def random_frames(videos: Sequence[Tensor], count: int, rng: torch.Generator) -> list[Tensor]:
    """The same random frames, `count` a clip (0: all), of each video, as pictures (b * count, c, h, w)."""
    b, c, t, h, w = videos[0].shape
    if not count or count >= t:
        return [v.transpose(1, 2).flatten(0, 1) for v in videos]
    which = torch.rand(b, t, generator=rng, device=rng.device).argsort(1)[:, :count].to(videos[0].device)
    index = which[:, None, :, None, None].expand(b, c, count, h, w)
    return [v.gather(2, index).transpose(1, 2).flatten(0, 1) for v in videos]
