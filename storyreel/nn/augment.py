"""Adaptive augmentation of what a critic sees (Karras et al. 2020, https://arxiv.org/abs/2006.06676), set "bgc".

    clips --mirrored, moved, turned, scaled, recoloured: each with probability p, the same for all frames--> clips

p follows how well the critic tells real clips: where the sign of its scores of real clips is above the target it
learns by heart, and p grows. Differs from the paper: pictures are read bilinearly, and turns by 90 degrees, which never
happen to a landscape, are left out.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Augment(nn.Module):
    """Augments clips (b, c, f, h, w) in [-1, 1]. target: mean sign wanted of real scores; speed: clips for p to go from
    0 to 1."""

    def __init__(self, target: float, speed: float = 500_000):
        super().__init__()
        self.target, self.speed = target, speed
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("sign", torch.full((), target))
        self.p: Tensor
        self.sign: Tensor

    def forward(self, video: Tensor, rng: torch.Generator) -> Tensor:
        b, c, f, h, w = video.shape
        frames = video.transpose(1, 2).flatten(0, 1)
        draw = torch.rand(12, b, generator=rng, device=rng.device).to(video.device)
        on = (draw[:6] < self.p).float()
        grid = F.affine_grid(self._where(on, draw[6:], h / w).repeat_interleave(f, 0), [b * f, c, h, w], False)
        frames = F.grid_sample(frames, grid.to(frames.dtype), padding_mode="reflection", align_corners=False)
        video = frames.unflatten(0, (b, f)).transpose(1, 2)
        return self._coloured(video, on, draw[6:])

    def _where(self, on: Tensor, draw: Tensor, aspect: float) -> Tensor:
        """(b, 2, 3): where each output pixel is read."""
        mirror = 1 - 2 * on[0] * (draw[0] < 0.5)
        dx, dy = on[1] * (draw[1] - 0.5) * 0.25, on[1] * (draw[2] - 0.5) * 0.25
        scale = torch.exp2(on[2] * (draw[3] - 0.5) * 0.8)
        angle = on[3] * (draw[4] - 0.5) * math.pi / 3
        cos, sin = angle.cos() * scale, angle.sin() * scale
        rows = [torch.stack([cos * mirror, -sin * aspect, dx], 1), torch.stack([sin * mirror / aspect, cos, dy], 1)]
        return torch.stack(rows, 1)

    def _coloured(self, video: Tensor, on: Tensor, draw: Tensor) -> Tensor:
        """Brightness and contrast of the colours; a matte stays."""
        shape = (-1, 1, 1, 1, 1)
        bright = (on[4] * (draw[5] - 0.5) * 0.6).view(shape)
        contrast = torch.exp2(on[5] * (draw[1] - 0.5) * 1.5).view(shape)
        colours = video[:, :3] * contrast + bright
        return torch.cat([colours, video[:, 3:]], 1) if video.shape[1] > 3 else colours

    @torch.no_grad()
    def note(self, scores: Tensor) -> None:
        """Take the critic's scores of real clips into the running sign, and move p by what a batch may."""
        self.sign.lerp_(scores.detach().float().sign().mean(), 0.1)
        self.p.add_((self.sign - self.target).sign() * len(scores) / self.speed).clamp_(0, 1)
