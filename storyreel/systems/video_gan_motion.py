"""Motion of a video GAN: noise and times -> motion codes, one a frame.

    noise (b, rows, m) --two convolutions--> anchors, one every `distance` frames --at the times--> codes (b, f, m)

`bspline` (StyleSV, Zhang et al. 2022, Section 3.2, https://arxiv.org/abs/2212.07413): phases and offsets of sines are
quadratic B-splines over three anchors, so that codes and their velocities are continuous everywhere.
`linear` (StyleGAN-V, Skorokhodov et al. 2022, Section 3.1, https://arxiv.org/abs/2112.14683): each stretch between two
anchors has periods and phases of its own, and is bent so that its ends meet; velocities jump at anchors.

`gru` and `lstm_maps` are recurrent: `video_gan_recurrent`.

`bspline` and `linear` look no further than the noise about a time, and row k of the noise depends on (key, k) alone
(`keyed_noise`): a frame at any time is made without those before it. Axes: b clip, f frame, m motion. Times are in
frames.

Differs from the papers: frequencies of `bspline` are fixed, and only phases are splines. Periods that follow the
anchors as well are multiplied by the time, so that ten minutes into a video everything would race.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from storyreel.nn.alias_free import in_float32

MotionKind: TypeAlias = Literal["bspline", "linear", "gru", "lstm_maps"]
MAX_TIME = 1e9  # frames
BEYOND = 3  # anchors that a time needs: its own and two more


@dataclass
class Memory:
    """Where a recurrent motion stands: its states before frame `frame`, one for each network that has any."""

    frame: int = 0
    states: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Noise:
    """rows (b, rows, m) of motion noise, of which the first belongs to anchor `first` (b,).

    memory: of recurrent motion, the states before the first row, which are moved on; None at a video's beginning.
    """

    rows: Tensor
    first: Tensor
    memory: Memory | None = None


def keyed_noise(key: int, first: int, count: int, dim: int) -> Tensor:
    """float32 (count, dim): rows first, first + 1, ... of the endless motion noise of a video.

    Row k depends on (key, k) alone, whichever rows are asked for beside it.
    """
    rows = [np.random.default_rng([key, k]).standard_normal(dim, dtype=np.float32) for k in range(first, first + count)]
    return torch.from_numpy(np.stack(rows))


def check_times(start: float, end: float, longest: float = MAX_TIME) -> None:
    """ValueError for times in frames that cannot be."""
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start <= end <= longest):
        raise ValueError(f"times: expected frames from 0 to {longest:g}, got {start:g} to {end:g}")


class MotionCodes(nn.Module):
    """The motion encoder. distance: frames between anchors; kernel: of both convolutions over anchors."""

    def __init__(self, kind: MotionKind, dim: int, *, distance: int, kernel: int, periods: tuple[int, int]):
        super().__init__()
        self.kind, self.dim, self.distance, self.kernel = kind, dim, distance, kernel
        self.convs = nn.ModuleList([nn.Conv1d(dim, dim, kernel) for _ in range(2)])
        for conv in self.convs:
            assert isinstance(conv, nn.Conv1d)
            nn.init.normal_(conv.weight, std=math.sqrt(2 / (dim * kernel)))
        waves = dim // 2
        self.phase, self.offset = nn.Linear(dim, waves, bias=False), nn.Linear(dim, dim, bias=False)
        self.pace = nn.Linear(dim, waves, bias=False) if kind == "linear" else None
        self.periods = periods

    @property
    def margin(self) -> int:
        """Rows of noise beyond those of the anchors themselves."""
        return 2 * (self.kernel - 1)

    def rows_for(self, start: float, end: float) -> tuple[int, int]:
        """(first, count) of the noise that times from `start` to `end` need. ValueError: none that can be."""
        check_times(start, end)
        first = int(start // self.distance)
        return first, int(end // self.distance) - first + BEYOND + self.margin

    def drawn(self, start: Tensor, span: float, rng: torch.Generator) -> Noise:
        """Fresh noise for clips that begin at `start` (b,) and last `span` frames."""
        first = (start / self.distance).floor().long()
        count = int(span // self.distance) + 1 + BEYOND + self.margin
        rows = torch.randn(len(start), count, self.dim, generator=rng, device=rng.device)
        return Noise(rows.to(start.device), first)

    def forward(self, noise: Noise, times: Tensor) -> Tensor:
        """times (b, f) float64, in frames -> codes (b, f, m)."""
        with in_float32(times):
            x = noise.rows.float().transpose(1, 2)
            for conv in self.convs:
                x = F.leaky_relu(conv(x), 0.2)
            anchors = x.transpose(1, 2)  # (b, anchors, m)
            places = times / self.distance
            index = places.floor()
            share = (places - index).float()[..., None]  # (b, f, 1), from the anchor before to the next
            near = index.long() - noise.first[:, None]
            if self.kind == "bspline":
                return self._spline(anchors, near, share, times)
            return self._linear(anchors, near, share, times, index)

    def _spline(self, anchors: Tensor, near: Tensor, share: Tensor, times: Tensor) -> Tensor:
        """e(t) + spline of R a: quadratic, uniform; the weights of three anchors in closed form."""
        weights = ((1 - share) ** 2 / 2, 0.5 + share - share**2, share**2 / 2)
        code = sum(w * _gathered(anchors, near + i) for i, w in enumerate(weights))
        assert isinstance(code, Tensor)
        return self._waves(times, self.phase(code)) + self.offset(code)

    def _linear(self, anchors: Tensor, near: Tensor, share: Tensor, times: Tensor, index: Tensor) -> Tensor:
        """e(t) less the straight line between its ends, and a line between the offsets of both anchors."""
        here, after = _gathered(anchors, near), _gathered(anchors, near + 1)
        phase = self.phase(here)
        assert self.pace is not None
        pace = torch.tanh(self.pace(here)) + 1
        ends = [self._waves((index + i) * self.distance, phase, pace) for i in (0, 1)]
        bent = self._waves(times, phase, pace) - (ends[0] + share * (ends[1] - ends[0]))
        return bent + self.offset(here) + share * (self.offset(after) - self.offset(here))

    def _waves(self, times: Tensor, phase: Tensor, pace: Tensor | None = None) -> Tensor:
        """[sin, cos] of times (b, f) at all periods and of phases (b, f, waves). Whole turns are taken off in float64,
        so that a wave is as exact after a year as at its beginning."""
        (shortest, longest), waves = self.periods, self.dim // 2
        step = torch.arange(waves, dtype=torch.float64, device=times.device) / max(1, waves - 1)
        periods = shortest * (longest / shortest) ** step
        turns = times.double()[..., None] / periods
        paced = turns if pace is None else turns * pace.detach().double()
        part = (paced - paced.floor()).float()
        if pace is not None:
            part = part + turns.float() * (pace - pace.detach())  # nothing, with the derivative by the pace
        scale = (longest / periods).float()
        angle = 2 * math.pi * part + phase * (scale if pace is not None else 1.0)
        return torch.cat([angle.sin(), angle.cos()], -1)


def _gathered(anchors: Tensor, index: Tensor) -> Tensor:
    """anchors (b, n, m) at index (b, f) -> (b, f, m)."""
    return anchors.gather(1, index[..., None].expand(-1, -1, anchors.shape[-1]))
