"""KVD and KID: kernel distances between features of made and of real clips, or of their frames."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from storyreel.evaluate.kernel import SUBSET_SIZE, kernel_distance, kernel_influence
from storyreel.evaluate.metric import Inputs, Measurement, Metric, Who
from storyreel.evaluate.uncertainty import Features, check_enough, interval_of_influence


def kernel_score(who: Who, made: Tensor, real: Tensor, damaged: Mapping[str, Tensor]) -> Measurement:
    """KVD or KID; see `frechet_score`."""
    a, b = Features.of(made), Features.of(real)
    check_enough(who.metric, who.rules, a.clips, b.clips)
    value, deviation = kernel_distance(a.x, b.x)
    one, other = kernel_influence(a.x, b.x)
    moves, others = a.per_clip(one) * (a.clips / len(a.x)), b.per_clip(other) * (b.clips / len(b.x))
    order = torch.randperm(b.clips, generator=torch.Generator().manual_seed(0))
    few = min(a.clips, b.clips // 2)
    floor = kernel_distance(b.pick(order[:few]), b.pick(order[few:]))[0] if few >= 2 else None
    note = "not multiplied by 1000"
    if deviation:
        note += f"; {SUBSET_SIZE} vectors a subset, deviation over subsets {deviation:.2g}"
    score = who.score(
        value, a.clips, interval=interval_of_influence(value, moves, others), floor=floor,
        floor_n=few if floor is not None else None, note=note,
        controls={name: kernel_distance(x.reshape(-1, x.shape[-1]), b.x)[0] for name, x in damaged.items()},
    )  # fmt: skip
    return Measurement(score, tuple(moves.tolist()))


def compute(inputs: Inputs) -> Measurement:
    return kernel_score(inputs.who, inputs.rows, inputs.real, inputs.damaged)


METRICS = (
    Metric(name="kvd", direction="lower", compute=compute, gathers="features", kind="video", real=True, order=20),
    Metric(name="kid", direction="lower", compute=compute, gathers="features", kind="frame", real=True, order=40),
)
