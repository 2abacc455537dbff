"""Clips as a model with a matte sees them, and its videos as they are shown."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from storyreel.clip import Clip
from storyreel.options.generation import GenerateOptions

Fit: TypeAlias = Literal["crop", "pad"] | None
BACKGROUND = 128 / 127.5 - 1  # mid grey, over which models with a matte are trained


def for_model(clip: Clip, size: int, channels: int, fit: Fit = None) -> Tensor:
    """(1, channels, t, size, size) in [-1, 1]. With four channels: colours over mid grey, and the matte.

    The largest square from the middle, resized; or (`fit` pad) the whole, with mid grey, and no matte, added beside it.
    An opaque clip whose corners share one colour is taken to stand before a background of that colour.
    """
    if fit == "pad":
        clip = _whole(clip if channels == 3 else _matted(clip), size)
    elif clip.size != (size, size):
        clip = _square(clip, size)
    if channels == 3:
        return clip.over().to_tensor()[None]
    clip = _matted(clip)
    matte = torch.from_numpy(clip.frames[..., 3:].copy()).permute(3, 0, 1, 2).float() / 127.5 - 1
    return torch.cat([clip.over().to_tensor(), matte])[None]


def beginning(options: GenerateOptions, size: int, channels: int) -> Tensor:
    """The frames that a request begins with (1, channels, t, size, size): its picture, its clip, or none (t = 0)."""
    clip = options.image or options.extend
    if clip is None:
        return torch.zeros(1, channels, 0, size, size)
    return for_model(clip.replace(frames=clip.frames[:1]) if options.image else clip, size, channels, options.fit)


def check_matte(options: GenerateOptions, channels: int) -> None:
    """ValueError for transparency, where the model's videos have no matte."""
    if options.transparent and channels == 3:
        raise ValueError("transparent: this model has no matte; it was trained without transparency")


def shown(video: Tensor, *, transparent: bool) -> Tensor:
    """(b, 3 or 4, t, h, w): colours as they are seen, over the flat background; RGBA where transparency is wanted."""
    if video.shape[1] == 3:
        return video
    solid = video[:, 3:] > 0
    rgb = torch.where(solid, video[:, :3], torch.full_like(video[:, :3], BACKGROUND))
    return torch.cat([rgb, torch.where(solid, 1.0, -1.0)], 1) if transparent else rgb


def _matted(clip: Clip) -> Clip:
    if clip.has_alpha:
        return clip
    f = clip.frames
    corner = f[:, :1, :1]
    same = all((f[:, y, x] == corner[:, 0, 0]).all() for y, x in ((0, -1), (-1, 0), (-1, -1)))
    matte = (f != corner).any(-1, keepdims=True) if same else np.ones((*f.shape[:3], 1), bool)
    return clip.replace(frames=np.concatenate([f, matte.astype(np.uint8) * 255], -1))


def _whole(clip: Clip, size: int) -> Clip:
    h, w = clip.size
    side = max(h, w)
    f = clip.frames
    if h != w:
        square = np.zeros((len(f), side, side, 4), np.uint8)
        inside = square[:, (side - h) // 2 :, (side - w) // 2 :][:, :h, :w]
        inside[..., : f.shape[-1]] = f
        if f.shape[-1] == 3:
            inside[..., 3] = 255
        clip = clip.replace(frames=square)
    return clip if side == size else clip.resize(size, size)


def _square(clip: Clip, size: int) -> Clip:
    h, w = clip.size
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    return clip.replace(frames=clip.frames[:, top : top + side, left : left + side]).resize(size, size)
