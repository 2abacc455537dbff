"""FVD and FID: Fréchet distances between features of made and of real clips, or of their frames."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from storyreel.evaluate.frechet import frechet_distance
from storyreel.evaluate.metric import Inputs, Measurement, Metric, Who
from storyreel.evaluate.uncertainty import (
    Features,
    bootstrap_frechet,
    check_enough,
    expected_bias,
    extrapolate,
    frechet_influence,
    interval_of_influence,
)

BOOTSTRAP_DIM = 512  # above it the interval comes from what each clip does to the distance: resampling takes minutes


def frechet_score(who: Who, made: Tensor, real: Tensor, damaged: Mapping[str, Tensor]) -> Measurement:
    """made, real: (n, d) of clips or (n, t, d) of frames. damaged: the real clips' features under each control."""
    a, b, rules = Features.of(made), Features.of(real), who.rules
    check_enough(who.metric, who.rules, a.clips, b.clips)
    value = frechet_distance(a.x, b.x, ddof=rules.ddof)
    moves = a.per_clip(frechet_influence(a.x, b.x, ddof=rules.ddof)) * (a.clips / len(a.x))
    if a.x.shape[1] <= BOOTSTRAP_DIM and min(len(a.x), len(b.x)) > a.x.shape[1]:
        interval = bootstrap_frechet(a, b, value, ddof=rules.ddof, resamples=100)
    else:
        others = b.per_clip(frechet_influence(b.x, a.x, ddof=rules.ddof)) * (b.clips / len(b.x))
        interval = _not_negative(interval_of_influence(value, moves, others))
    floor, floor_n = real_floor(b, a.clips, rules.ddof)
    controls = {name: frechet_distance(x.reshape(-1, x.shape[-1]), b.x, ddof=rules.ddof) for name, x in damaged.items()}
    score = who.score(
        value, a.clips, interval=interval, extrapolated=extrapolate(a, b, ddof=rules.ddof),
        floor=floor, floor_n=floor_n, controls=controls, warning=bias_warning(who, a, b, value),
    )  # fmt: skip
    return Measurement(score, tuple(moves.tolist()))


def bias_warning(who: Who, a: Features, b: Features, value: float) -> str:
    """One line below the number of clips that the protocol's figures were measured on."""
    if a.clips >= who.rules.n:
        return ""
    bias = expected_bias(b.x, len(a.x), len(b.x))
    share = f", {100 * bias / value:.0f} % of it" if value > 0 else ""
    return (
        f"{a.clips} clips where {who.rules.name} needs {who.rules.n}: expect it about {bias:.3g} too high{share}; "
        f"not comparable with scores of another n"
    )


def real_floor(real: Features, n: int, ddof: int) -> tuple[float | None, int | None]:
    """The distance of min(n, half) of the real clips from the others, and that number; None with fewer than 4."""
    if real.clips < 4:
        return None, None
    order = torch.randperm(real.clips, generator=torch.Generator().manual_seed(0))
    few = min(n, real.clips // 2)
    return frechet_distance(real.pick(order[:few]), real.pick(order[few:]), ddof=ddof), few


def _not_negative(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (max(0.0, interval[0]), max(0.0, interval[1]))


def compute(inputs: Inputs) -> Measurement:
    return frechet_score(inputs.who, inputs.rows, inputs.real, inputs.damaged)


METRICS = (
    Metric(name="fvd", direction="lower", compute=compute, gathers="features", kind="video", real=True, order=10),
    Metric(name="fid", direction="lower", compute=compute, gathers="features", kind="frame", real=True, order=30),
)
