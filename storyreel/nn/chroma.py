"""The error of colour alone, which a squared error of pixels hardly feels on small things."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def colour_difference(video: Tensor) -> Tensor:
    """Each colour less the mean of the three: (b, c, t, h, w) -> (b, 3, t, h, w) float32. Linear in the video."""
    colours = video[:, :3].float()
    return colours - colours.mean(1, keepdim=True)


def chroma_loss(made: Tensor, real: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Squared error of each colour less the mean of the three, in squares of 2x2 pixels: a scalar, float32.

    made, real: videos (b, c, t, h, w); of more than three channels, the rest, such as a matte, is not looked at.
    weight: of each frame (t, 1, 1). A maroon shoe and a brown one differ in colour over twenty pixels, and hardly in
    brightness.
    """
    off = F.avg_pool3d(colour_difference(made - real), (1, 2, 2))
    return (off.square() * weight).mean()
