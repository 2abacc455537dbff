"""What moves and how: measures of one clip that need no weights and no real clips.

None of them says by itself that a clip is good: a still picture neither flickers nor jitters. So each is told beside
its value on real clips, and they are read together. Lengths are in hundredths of the shorter side, so that clips of
different sizes can be compared; clips of different frame rates cannot.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from storyreel.nn.flow import Flow, blurred, flow_of, grey, warp

EDGE = 4  # pixels
MOVES = 0.5  # pixels a frame: what moves less is no evidence of where a texture belongs


class Moving:
    """The frames of a clip, uint8 (t, h, w, 3), and its flow, which is computed when a measure wants it, once."""

    def __init__(self, frames: Tensor) -> None:
        self.frames = frames

    @cached_property
    def flow(self) -> Flow:
        return flow_of(self.frames)


def measures_of(frames: Tensor, names: tuple[str, ...] = ()) -> dict[str, float]:
    """The named measures of one clip, uint8 (t, h, w, 3); of all, where none is named. NaN where a clip cannot tell
    (too short, nothing moves)."""
    from storyreel.evaluate.metrics import metrics, per_clip_metrics

    moving, names = Moving(frames), names or per_clip_metrics()
    measures = {name: metrics()[name].per_clip for name in names}
    return {n: float("nan") if len(frames) < 2 or f is None else f(moving) for n, f in measures.items()}


def flicker(frames: Tensor) -> float:
    """VBench's temporal flickering: (255 - mean absolute difference of neighbouring frames) / 255.

    0 to 1, higher is steadier. Meant for clips that should stand still: whatever moves lowers it. A mean over 100
    clips is good to a few thousandths.
    """
    x = frames.float()
    return float(1 - (x[1:] - x[:-1]).abs().mean() / 255)


def jitter(flow: Flow) -> float:
    """How unsteadily things move: the mean length of the flow's change from one step to the next, along tracks.

    A second difference of position: 0 for steady motion, lower is smoother, in hundredths of the shorter side a frame
    squared. Only places with texture count; NaN for fewer than 3 frames or a flat clip. A few hundred clips.
    """
    if len(flow.by) < 2:
        return float("nan")
    now, then = flow.by[:-1], warp(flow.by[1:], flow.by[:-1])
    weight = torch.minimum(flow.texture[:-1], warp(flow.texture[1:, None], now)[:, 0]) * _inside(now)
    if weight.sum() < 1:
        return float("nan")
    change = (then - now).square().sum(1).sqrt()
    return float((change * weight).sum() / weight.sum() / min(flow.by.shape[-2:]) * 100)


def sticking(frames: Tensor) -> float:
    """Texture sticking: whether fine detail stays at its pixels while the thing that it belongs to moves on.

    Things are followed in blurred frames; the fine detail of the next frame is then compared with this one's, once
    along the track (a) and once at the same pixel (b): a / (a + b) over what moves. 0 detail moves with its thing, 1
    it sticks to the screen, about 0.5 it does neither (boils). Lower is better. NaN where nothing moves by half a
    pixel. A few hundred moving clips.
    """
    pictures = grey(frames)
    soft = blurred(pictures)
    fine = pictures - soft
    flow = flow_of(soft.permute(0, 2, 3, 1).expand(-1, -1, -1, 3))
    weight = ((flow.by.square().sum(1).sqrt() > MOVES) * flow.texture * _inside(flow.by))[:, None]
    along = ((warp(fine[1:], flow.by) - fine[:-1]).abs() * weight).sum()
    still = ((fine[1:] - fine[:-1]).abs() * weight).sum()
    return float(along / (along + still)) if along + still > 1e-3 * weight.numel() else float("nan")


def dynamic(flow: Flow) -> float:
    """VBench's dynamic degree of one clip, 1 or 0: moving or not. The mean over clips is the share that moves.

    Moving: in at least a quarter of the steps (VBench: 4 of 16 frames) the fastest 5 % of pixels move by more than
    6/256 of the shorter side. VBench takes its flow from RAFT, so figures differ from its own. Compare with real clips.
    """
    speed = flow.by.square().sum(1).sqrt() * (flow.texture > 0.05)
    fastest = speed.flatten(1).topk(max(1, speed[0].numel() // 20), dim=1).values.mean(1)
    fast = fastest > 6 * min(flow.by.shape[-2:]) / 256
    return float(int(fast.sum()) >= max(1, round(4 * (len(flow.by) + 1) / 16)))


def _inside(by: Tensor) -> Tensor:
    """1 where a track begins and ends a few pixels inside the picture, else 0: (n, h, w)."""
    h, w = by.shape[-2:]
    edge = min(EDGE, (min(h, w) - 1) // 4)
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    there = [(edge <= v) & (v <= side - 1 - edge) for v, side in ((x, w), (y, h), (x + by[:, 0], w), (y + by[:, 1], h))]
    return (there[0] & there[1] & there[2] & there[3]).float()
