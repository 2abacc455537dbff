"""Pictures that a pipeline reads and gives: fitted to its size, cut back to what was asked for, or of its latents."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from storyreel.clip import GREY, Clip


def fitted(clip: Clip, height: int, width: int, fit: Literal["crop", "pad"] | None) -> list[Image.Image]:
    """The frames at a size: the largest part from the middle, or (`fit` pad) the whole before grey."""
    pictures = [Image.fromarray(frame) for frame in clip.over().frames]
    if fit == "pad":
        return [ImageOps.pad(picture, (width, height), Image.Resampling.LANCZOS, GREY) for picture in pictures]
    return [ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS) for picture in pictures]


def following(before: Clip, clip: Clip, fit: Literal["crop", "pad"] | None) -> Clip:
    """A clip after the one that it goes on from, whose frames stand as they were given, at its size."""
    height, width = clip.size
    same = before.size == clip.size
    first = before.over().frames if same else np.stack([np.asarray(p) for p in fitted(before, height, width, fit)])
    return clip.replace(frames=np.concatenate([first, clip.frames]))


def cut(frames: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """(t, h, w, c) -> the middle of each frame, `size` (height, width)."""
    if size is None:
        return frames
    top, left = ((have - want) // 2 for have, want in zip(frames.shape[1:3], size, strict=True))
    if top < 0 or left < 0:
        made, expected = (f"{w}x{h}" for h, w in (frames.shape[1:3], size))
        raise ValueError(f"size: the model made {made}, expected {expected}")
    return frames[:, top : top + size[0], left : left + size[1]]


def preview_of(latents: Tensor, pipe: Any, fps: Fraction) -> Callable[[], Clip] | None:
    """A rough picture of latents (1, c, t, h, w) or (1, t, c, h, w) without decoding them: their three main colours.

    None for latents in another layout, such as packed ones.
    """
    channels = getattr(getattr(getattr(pipe, "vae", None), "config", None), "latent_channels", None)
    channels = channels or getattr(getattr(getattr(pipe, "vae", None), "config", None), "z_dim", None)
    if latents.ndim != 5 or channels not in latents.shape[1:3]:
        return None

    def make() -> Clip:
        found = latents[0].float().cpu()
        found = found if found.shape[0] == channels else found.transpose(0, 1)  # (c, t, h, w)
        flat = found.flatten(1) - found.flatten(1).mean(1, keepdim=True)
        axes = torch.linalg.eigh(flat @ flat.T)[1][:, -3:]  # (c, 3), the last is the main one
        seen = (axes.T @ flat).reshape(-1, *found.shape[1:])
        seen = torch.cat([seen, seen.new_zeros(3 - len(seen), *seen.shape[1:])]) if len(seen) < 3 else seen
        spread = seen.flatten(1).std(1).clamp(min=1e-6)[:, None, None, None]
        return Clip.from_tensor(seen / (2 * spread), fps)

    return make
