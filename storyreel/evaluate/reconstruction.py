"""How near a clip is to the very clip that it should be: PSNR, SSIM, and LPIPS where its weights are."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW, SIGMA = 11, 1.5  # of Wang et al. 2004
MOST = 100.0  # decibels: what equal clips are given, so that means stay finite


def psnr(made: Tensor, real: Tensor) -> float:
    """Peak signal-to-noise ratio of a clip in decibels, from the squared error of all its pixels together.

    Two uint8 (t, h, w, 3) of one shape. 0 to 100 (equal), higher is better. Blurry clips do well. Ten clips will do.
    """
    check_same(made, real)
    wrong = float((made.double() - real.double()).square().mean())
    return MOST if wrong == 0 else min(MOST, 10 * math.log10(255**2 / wrong))


def ssim(made: Tensor, real: Tensor) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window of 11 pixels, each colour, mean over frames.

    Two uint8 (t, h, w, 3) of one shape, at least 11 pixels a side. -1 to 1 (equal), higher is better. Ten clips.
    """
    check_same(made, real)
    if min(made.shape[1:3]) < WINDOW:
        raise ValueError(f"ssim: expected frames of at least {WINDOW}x{WINDOW}, got {made.shape[2]}x{made.shape[1]}")
    x, y = (v.permute(0, 3, 1, 2).flatten(0, 1)[:, None].double() for v in (made, real))
    mx, my = _smooth(x), _smooth(y)
    vx, vy, both = _smooth(x * x) - mx * mx, _smooth(y * y) - my * my, _smooth(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = (2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(found.mean())


class Lpips:
    """The distance of LPIPS (Zhang et al. 2018) with VGG16 and every channel weighing one, its authors' baseline.

    0 (equal) and up, lower is better. weights: a safetensors file of torchvision's VGG16. Ten clips will do.
    """

    def __init__(self, weights: str | Path) -> None:
        from storyreel.nn.vgg import load_vgg

        self.net = load_vgg(weights)

    @torch.inference_mode()
    def __call__(self, made: Tensor, real: Tensor) -> float:
        from storyreel.nn.vgg import feature_distance

        check_same(made, real)
        one, other = (self.net(v.permute(0, 3, 1, 2).float() / 127.5 - 1) for v in (made, real))
        return float(feature_distance(one, other))


def check_same(made: Tensor, real: Tensor) -> None:
    """ValueError unless both are (t, h, w, 3) of one shape."""
    if made.shape != real.shape or made.ndim != 4:
        raise ValueError(
            f"reconstruction: expected clips of one length and size, got {tuple(made.shape)}, {tuple(real.shape)}"
        )


def _smooth(pictures: Tensor) -> Tensor:
    """Gaussian window over (n, 1, h, w), without padding."""
    at = torch.arange(WINDOW, dtype=pictures.dtype) - WINDOW // 2
    line = torch.exp(-at.square() / (2 * SIGMA**2))
    line = line / line.sum()
    return F.conv2d(F.conv2d(pictures, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))
