"""Motion of a video GAN that is recurrent: a frame depends on all frames before it.

`gru` (MoCoGAN, Tulyakov et al. 2018, https://arxiv.org/abs/1707.04993): the code of frame k is the state of a gated
recurrent unit that has read the noise of frames 0 to k. Codes at times between two frames are interpolated.
`lstm_maps` (IRC-GAN, Deng et al., IJCAI 2019): noise for each frame, and in the network of frames an LSTM over every
channel's map at each coarse size, whose output is joined to the map (`MapMemory`).

Videos begin at frame 0, in training as well. To begin later, the recurrent parts alone run from the beginning; a video
that is made part after part keeps its states (`Memory`). Axes: b clip, f frame, m motion.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from storyreel.nn.alias_free import in_float32
from storyreel.systems.video_gan_motion import Memory, Noise, check_times

MAX_RECURRENT = 1e6  # frames, all of which are run through


class FrameNoise(nn.Module):
    """Noise for each frame (b, f, m), as it is: the motion of `lstm_maps`, whose memory is in the network of frames."""

    def __init__(self, dim: int):
        super().__init__()
        self.dim = dim

    def rows_for(self, start: float, end: float) -> tuple[int, int]:
        """(first, count) of the noise that times up to `end` need. ValueError: none that can be."""
        check_times(start, end, MAX_RECURRENT)
        return 0, math.floor(end) + 2

    def drawn(self, start: Tensor, span: float, rng: torch.Generator) -> Noise:
        """Fresh noise for clips of `span` frames; `start` (b,) is 0."""
        rows = torch.randn(len(start), math.floor(span) + 2, self.dim, generator=rng, device=rng.device)
        return Noise(rows.to(start.device), torch.zeros_like(start, dtype=torch.long))


class GruCodes(FrameNoise):
    """MoCoGAN's motion codes."""

    def __init__(self, dim: int):
        super().__init__(dim)
        self.cell = nn.GRU(dim, dim)

    def forward(self, noise: Noise, times: Tensor) -> Tensor:
        """times (b, f) float64, in frames -> codes (b, f, m)."""
        with in_float32(times):
            codes = run_on(self.cell, noise.rows.float(), noise.memory, times)
        return between(codes, noise, times)


class MapMemory(nn.Module):
    """An LSTM over the flattened map of each channel: (b, f, c, s, s) -> (b, f, 2 c, s, s), its output beside the map.

    level: which of the memories of a network it is.
    """

    def __init__(self, side: int, level: int):
        super().__init__()
        self.cell, self.level = nn.LSTM(side**2, side**2), level

    def forward(self, x: Tensor, memory: Memory | None, times: Tensor) -> Tensor:
        b, f, c, s, _ = x.shape
        rows = x.float().transpose(1, 2).reshape(b * c, f, s * s)
        with in_float32(x):
            y = run_on(self.cell, rows, memory, times, self.level)
        return torch.cat([x, y.view(b, c, f, s, s).transpose(1, 2).to(x.dtype)], 2)


def run_on(cell: nn.GRU | nn.LSTM, rows: Tensor, memory: Memory | None, times: Tensor, level: int = 0) -> Tensor:
    """rows (n, f, d), a row for each frame from the memory's on -> outputs (n, f, d). The states before the frame of
    the last time are left in the memory, whose frame the caller moves on."""
    rows = rows.transpose(0, 1)
    if memory is None:
        return cell(rows)[0].transpose(0, 1)
    split, state, outputs = math.floor(float(times.max())) - memory.frame, memory.states.get(level), []
    if split:
        output, state = cell(rows[:split], state)
        outputs.append(output)
        memory.states[level] = state
    outputs.append(cell(rows[split:], state)[0])
    return torch.cat(outputs).transpose(0, 1)


def between(rows: Tensor, noise: Noise, times: Tensor) -> Tensor:
    """rows (b, frames, ...) from the noise's first frame on, at times (b, f): interpolated -> (b, f, ...)."""
    before = times.floor()
    index = before.long() - noise.first[:, None]
    share = (times - before).to(rows.dtype)
    item = torch.arange(len(rows), device=rows.device)[:, None]
    share = share.view(*share.shape, *[1] * (rows.ndim - 2))
    return rows[item, index] + share * (rows[item, index + 1] - rows[item, index])
