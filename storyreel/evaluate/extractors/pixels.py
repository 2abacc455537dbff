"""What is done to pixels before a published network sees them: each network wants its own resize, crop and range."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from storyreel.evaluate.extractors import Extractor


def check_frames(extractor: Extractor, frames: Tensor) -> None:
    """ValueError unless frames is uint8 (b, t, h, w, 3) with at least one clip of at least `min_frames` frames."""
    if frames.ndim != 5 or frames.shape[-1] != 3 or frames.dtype != torch.uint8:
        raise ValueError(
            f"frames: extractor {extractor.name} expects uint8 (b, t, h, w, 3), "
            f"got {str(frames.dtype).removeprefix('torch.')} {tuple(frames.shape)}"
        )
    if frames.shape[1] < extractor.min_frames:
        raise ValueError(
            f"frames: extractor {extractor.name} expects clips of at least {extractor.min_frames} frames, "
            f"got {frames.shape[1]}"
        )
    if not frames.numel():
        raise ValueError(f"frames: extractor {extractor.name} got no pixels, shape {tuple(frames.shape)}")


def as_images(frames: Tensor) -> Tensor:
    """uint8 (b, t, h, w, 3) -> float32 (b * t, 3, h, w) in 0 to 255, every frame a picture of its own."""
    return frames.flatten(0, 1).permute(0, 3, 1, 2).float()


def bilinear(images: Tensor, height: int, width: int) -> Tensor:
    """(n, 3, h, w) resized without antialias, half-pixel centres: what FVD's published code does."""
    if images.shape[-2:] == (height, width):
        return images
    return F.interpolate(images, (height, width), mode="bilinear", align_corners=False)


def bilinear_tf1(images: Tensor, height: int, width: int) -> Tensor:
    """(n, 3, h, w) resized as TensorFlow 1 does (align_corners False, corner-anchored): source = target * in / out.

    The published FID network holds this op, so other kernels give another FID on everything that is not 299x299.
    """
    if images.shape[-2:] == (height, width):
        return images
    for axis, size in ((-2, height), (-1, width)):
        old = images.shape[axis]
        at = torch.arange(size, dtype=torch.float32, device=images.device) * (old / size)
        low = at.floor().long()
        high = (low + 1).clamp(max=old - 1)
        part = (at - low).view([-1, 1] if axis == -2 else [-1]).to(images.dtype)
        a, b = images.index_select(axis, low), images.index_select(axis, high)
        images = a + (b - a) * part
    return images


def bicubic_short_side(images: Tensor, size: int) -> Tensor:
    """(n, 3, h, w) in 0 to 255: antialiased bicubic so that the short side is `size`, centre crop, rounded to whole.

    What CLIP's published preprocessing does with Pillow; the numbers are Pillow's within two, and nearly all the same.
    """
    h, w = images.shape[-2:]
    short = min(h, w)
    new = (size, size) if h == w else (max(size, int(size * h / short)), max(size, int(size * w / short)))
    if (h, w) != new:
        images = F.interpolate(images, new, mode="bicubic", align_corners=False, antialias=True)
    top, left = (new[0] - size) // 2, (new[1] - size) // 2
    return images[..., top : top + size, left : left + size].round().clamp(0, 255)


def squashed(images: Tensor, size: int, mode: str) -> Tensor:
    """(n, 3, h, w) in 0 to 255 -> (n, 3, size, size), antialiased, whatever its shape was; rounded to whole.

    mode: bilinear or bicubic. What SigLIP's published preprocessing does with Pillow.
    """
    if images.shape[-2:] != (size, size):
        images = F.interpolate(images, (size, size), mode=mode, align_corners=False, antialias=True)
    return images.round().clamp(0, 255)
