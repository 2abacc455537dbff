"""What betrays motion that is made from anchors or waves: jolts at regular times, and motion that comes again.

Both look at one clip, without weights. A motion encoder that changes its course at anchors, one every so many frames,
shows there in the second difference of frames. Motion of a few waves repeats itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

from storyreel.nn.flow import Flow, grey

MIN_DISTANCE = 4  # frames between anchors, at least
MIN_ANCHORS = 3  # in a clip
MIN_STEPS = 8  # of a flow
CELLS = 4  # along either side of the picture, each with one movement


def second_differences(x: Tensor) -> Tensor:
    """(t, d, ...) -> (t - 2,): the root mean square of x[k + 1] - 2 x[k] + x[k - 1], k from 1 on."""
    x = x.flatten(1).double()
    return (x[2:] - 2 * x[1:-1] + x[:-2]).square().mean(1).sqrt()


def at_anchors(x: Tensor, anchors: list[int]) -> float:
    """How much x (t, d, ...) is jolted at these frames: the largest second difference that touches one, in medians of
    all. About 1 where nothing happens there; of B-splines at most 2.5, of StyleGAN-V's codes more than 50."""
    second = second_differences(x)
    touched = [second[max(0, k - 2) : k + 1].max() for k in anchors if 0 < k <= len(second)]
    return float(torch.stack(touched).max() / second.median().clamp(min=1e-12))


def smoothness(frames: Tensor) -> float:
    """How much a clip, uint8 (t, h, w, 3), is jolted at anchors: the second difference of frames there, in medians.

    Nobody says where the anchors are: of all distances from 4 frames to a third of the clip, and all that they may
    begin at, the one counts where the least of its second differences is largest. 1 is smooth, and lower is better.
    NaN for fewer than 14 frames, and where nothing changes.
    """
    second = second_differences(grey(frames))
    longest = len(second) // MIN_ANCHORS
    median = second.median() if len(second) else torch.zeros(())
    if longest < MIN_DISTANCE or median == 0:
        return float("nan")
    least = [second[first::step].min() for step in range(MIN_DISTANCE, longest + 1) for first in range(step)]
    return float(torch.stack(least).max() / median)


def periodicity(flow: Flow) -> float:
    """How much the motion of a clip repeats: the peak of its autocorrelation, 0 (never) to 1 (a loop).

    Motion is the mean flow of 4x4 cells, less its mean over time. The peak is the largest value after the first
    minimum, so that motion which changes slowly is not taken for motion that comes again. Compare with real clips: who
    walks repeats. NaN for fewer than 9 frames, and where motion is steady or nothing moves.
    """
    if len(flow.by) < MIN_STEPS:
        return float("nan")
    weight = flow.texture[:, None] + 1e-6
    pooled = [torch.nn.functional.adaptive_avg_pool2d(x, CELLS) for x in (flow.by * weight, weight)]
    motion = (pooled[0] / pooled[1]).flatten(1).double()
    motion = motion - motion.mean(0)
    if motion.square().mean().sqrt() < 0.02:  # pixels a frame: what is left of a steady motion
        return float("nan")
    values = [_agreement(motion[:-lag], motion[lag:]) for lag in range(1, len(motion) // 2 + 1)]
    first = next((i for i in range(1, len(values)) if values[i] > values[i - 1]), len(values))
    return max([0.0, *values[first:]])


def _agreement(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / (a.square().sum() * b.square().sum()).sqrt().clamp(min=1e-12))
