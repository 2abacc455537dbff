"""Clips as a model with a matte sees them, and its videos as they are shown."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from storyreel.clip import Clip

BACKGROUND = 128 / 127.5 - 1  # mid grey, over which models with a matte are trained


def for_model(clip: Clip, size: int, channels: int) -> Tensor:
    """(1, channels, t, size, size) in [-1, 1]. With four channels: colours over mid grey, and the matte.

    The largest square from the middle, resized. An opaque clip whose corners share one colour is taken to stand
    before a background of that colour.
    """
    clip = clip if clip.size == (size, size) else _square(clip, size)
    if channels == 3:
        return clip.over().to_tensor()[None]
    if not clip.has_alpha:
        f = clip.frames
        corner = f[:, :1, :1]
        same = all((f[:, y, x] == corner[:, 0, 0]).all() for y, x in ((0, -1), (-1, 0), (-1, -1)))
        matte = (f != corner).any(-1, keepdims=True) if same else np.ones((*f.shape[:3], 1), bool)
        clip = clip.replace(frames=np.concatenate([f, matte.astype(np.uint8) * 255], -1))
    matte = torch.from_numpy(clip.frames[..., 3:].copy()).permute(3, 0, 1, 2).float() / 127.5 - 1
    return torch.cat([clip.over().to_tensor(), matte])[None]


def shown(video: Tensor, *, transparent: bool) -> Tensor:
    """(b, 3 or 4, t, h, w): colours as they are seen, over the flat background; RGBA where transparency is wanted."""
    if video.shape[1] == 3:
        return video
    solid = video[:, 3:] > 0
    rgb = torch.where(solid, video[:, :3], torch.full_like(video[:, :3], BACKGROUND))
    return torch.cat([rgb, torch.where(solid, 1.0, -1.0)], 1) if transparent else rgb


def _square(clip: Clip, size: int) -> Clip:
    h, w = clip.size
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    return clip.replace(frames=clip.frames[:, top : top + side, left : left + side]).resize(size, size)
