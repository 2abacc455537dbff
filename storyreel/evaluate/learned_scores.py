"""Scores that stand on a network: Frechet and kernel distances, Inception Score, and how clips fit their prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from storyreel.evaluate import clipsim as text_video
from storyreel.evaluate.frechet import frechet_distance
from storyreel.evaluate.inception_score import SPLITS, inception_score, score_of
from storyreel.evaluate.kernel import SUBSET_SIZE, kernel_distance, kernel_influence
from storyreel.evaluate.protocols import Protocol
from storyreel.evaluate.scores import Score
from storyreel.evaluate.uncertainty import (
    Features,
    bootstrap_frechet,
    clustered_mean,
    expected_bias,
    extrapolate,
    frechet_influence,
    interval_of_influence,
    resampled,
)

BOOTSTRAP_DIM = 512  # above it the interval comes from what each clip does to the distance: resampling takes minutes


@dataclass(frozen=True)
class Measurement:
    """A score, and the value of each clip that stands behind it (NaN where a clip has none)."""

    score: Score
    per_clip: tuple[float, ...] = ()
    real_values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Who:
    """What a score's name, trust and fingerprint are made of."""

    metric: str
    extractor: str
    trusted: bool
    rules: Protocol
    fingerprint: Mapping[str, Any] = field(default_factory=dict)

    def score(self, value: float, n: int, **more: Any) -> Score:
        from storyreel.evaluate.metrics import METRICS

        name = f"{self.metric}[{self.extractor}]" if self.extractor else self.metric
        about = {"trusted": self.trusted, "protocol": self.rules.label, "fingerprint": {**self.fingerprint, "n": n}}
        return Score(name, value, n, METRICS[self.metric].direction, **{**about, **more})


def frechet_score(who: Who, made: Tensor, real: Tensor, damaged: Mapping[str, Tensor]) -> Measurement:
    """made, real: (n, d) of clips or (n, t, d) of frames. damaged: the real clips' features under each control."""
    a, b, rules = Features.of(made), Features.of(real), who.rules
    check_enough(who, a.clips, b.clips)
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


def check_enough(who: Who, made: int, real: int) -> None:
    """ValueError below the protocol's minimum, on either side."""
    least = max(2, who.rules.minimum)
    for what, n in (("clips", made), ("real clips", real)):
        if n < least:
            raise ValueError(f"{who.metric}: {n} {what}, {who.rules.name} wants at least {least}")


def bias_warning(who: Who, a: Features, b: Features, value: float) -> str:
    """One line below the number of clips that the protocol's figures were measured on."""
    if a.clips >= who.rules.n:
        return ""
    bias = expected_bias(b.x, len(a.x), len(b.x))
    share = f", {100 * bias / value:.0f} % of it" if value > 0 else ""
    return (
        f"{a.clips} clips where {who.rules.name} wants {who.rules.n}: expect it about {bias:.3g} too high{share}; "
        f"not comparable with scores of another n"
    )


def real_floor(real: Features, n: int, ddof: int) -> tuple[float | None, int | None]:
    """The distance of min(n, half) of the real clips from the others, and that number; None with fewer than 4."""
    if real.clips < 4:
        return None, None
    order = torch.randperm(real.clips, generator=torch.Generator().manual_seed(0))
    few = min(n, real.clips // 2)
    return frechet_distance(real.pick(order[:few]), real.pick(order[few:]), ddof=ddof), few


def kernel_score(who: Who, made: Tensor, real: Tensor, damaged: Mapping[str, Tensor]) -> Measurement:
    """KVD or KID; see `frechet_score`."""
    a, b = Features.of(made), Features.of(real)
    check_enough(who, a.clips, b.clips)
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


def inception_measurement(who: Who, logits: Tensor) -> Measurement:
    """Of (n, classes) of clips, or (n, t, classes) of frames."""
    clips, rows = len(logits), logits.reshape(-1, logits.shape[-1])
    if clips < max(SPLITS, who.rules.minimum):
        raise ValueError(f"is: {clips} clips, {who.rules.name} wants at least {max(SPLITS, who.rules.minimum)}")
    value, deviation = inception_score(rows)
    # The splits make the value a little lower than that of all clips at once; the interval is moved to the value.
    log_p = logits.reshape(clips, -1, logits.shape[-1]).double().log_softmax(-1)
    found = resampled(np.arange(clips), lambda pick: score_of(log_p[torch.from_numpy(pick)].flatten(0, 1)), 200)
    low, high = found.low, found.high
    interval = None if low is None or high is None else (low, high)
    if interval is not None:
        half = (interval[1] - interval[0]) / 2
        interval = (max(1.0, value - half), value + half)
    note = f"{SPLITS} splits, deviation over splits {deviation:.2g}; grows with n"
    return Measurement(who.score(value, clips, interval=interval, note=note))


def clipsim_score(who: Who, frames: Tensor, texts: Tensor, prompts: Sequence[str], real: float | None) -> Measurement:
    """frames (n, t, d), texts (n, d); the interval is over prompts."""
    values = text_video.clipsim(frames, texts)
    found = clustered_mean(values.tolist(), prompts)
    score = who.score(found.value, found.n, unit="prompts", interval=_interval(found), real=real)
    return Measurement(score, tuple(values.tolist()))


def rm_score(who: Who, values: Sequence[float], prompts: Sequence[str], real: Mapping[str, float]) -> Measurement:
    """values: CLIPSIM of each made clip. real: CLIPSIM of the real clip of each prompt."""
    made = text_video.by_prompt(torch.tensor(list(values)), prompts)
    matched = text_video.relative_matching(made, real)
    ratios = np.array(list(matched.ratios.values()))
    found = resampled(ratios, np.mean)
    without = len(made) - len(matched.ratios) - len(matched.dropped)
    note = "mean over prompts of made / real"
    if matched.dropped or without:
        note += f"; {len(matched.dropped)} prompts dropped (real clip at most {text_video.LEAST_REAL})"
        note += f", {without} without a real clip"
    each = tuple(
        float(v) / real[p] if p in matched.ratios else float("nan") for v, p in zip(values, prompts, strict=True)
    )
    return Measurement(who.score(found.value, found.n, unit="prompts", interval=_interval(found), note=note), each)


def r_precision_score(who: Who, videos: Tensor, texts: Tensor, prompts: Sequence[str]) -> Measurement:
    values = text_video.r_precision(videos, texts, prompts)
    found = clustered_mean(values.tolist(), prompts)
    among = text_video.candidates(prompts)
    note = f"among {among} captions; chance is {1 / among:.3g}"
    score = who.score(found.value, found.n, unit="prompts", interval=_interval(found), note=note)
    return Measurement(score, tuple(values.tolist()))


def _interval(found: Any) -> tuple[float, float] | None:
    return None if found.low is None or found.high is None else (found.low, found.high)


def _not_negative(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (max(0.0, interval[0]), max(0.0, interval[1]))
