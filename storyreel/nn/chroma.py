"""The error of colour alone, which a squared error of pixels hardly feels on small things."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def chroma_loss(made: Tensor, real: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Squared error of each colour less the mean of the three, in squares of 2x2 pixels: a scalar, float32.

    made, real: videos (b, c, t, h, w); of more than three channels, the rest, such as a matte, is not looked at.
    weight: of each frame (t, 1, 1). A maroon shoe and a brown one differ in colour over twenty pixels, and hardly in
    brightness.
    """
    off = (made - real)[:, :3].float()
    off = F.avg_pool3d(off - off.mean(1, keepdim=True), (1, 2, 2))
    return (off.square() * weight).mean()
