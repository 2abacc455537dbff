"""How clips fit their prompts: CLIPSIM, relative matching (GODIVA), R-precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from storyreel.evaluate import clipsim as text_video
from storyreel.evaluate.interval import mean_of
from storyreel.evaluate.metric import Inputs, Measurement, Metric, Who
from storyreel.evaluate.uncertainty import clustered_mean
from storyreel.wording import counted


def clipsim_score(who: Who, frames: Tensor, texts: Tensor, prompts: Sequence[str], real: float | None) -> Measurement:
    """frames (n, t, d), texts (n, d); the interval is over prompts."""
    values = text_video.clipsim(frames, texts)
    found = clustered_mean(values.tolist(), prompts)
    score = who.score(found.value, found.n, unit="prompts", interval=found.interval, real=real)
    return Measurement(score, tuple(values.tolist()))


def rm_score(who: Who, values: Sequence[float], prompts: Sequence[str], real: Mapping[str, float]) -> Measurement:
    """values: CLIPSIM of each made clip. real: CLIPSIM of the real clip of each prompt."""
    made = text_video.by_prompt(torch.tensor(list(values)), prompts)
    matched = text_video.relative_matching(made, real)
    ratios = np.array(list(matched.ratios.values()))
    found = mean_of(ratios)
    without = len(made) - len(matched.ratios) - len(matched.dropped)
    note = "mean over prompts of made / real"
    if matched.dropped or without:
        note += f"; {counted(len(matched.dropped), 'prompt')} dropped (real clip at most {text_video.LEAST_REAL})"
        note += f", {without} without a real clip"
    each = tuple(
        float(v) / real[p] if p in matched.ratios else float("nan") for v, p in zip(values, prompts, strict=True)
    )
    return Measurement(who.score(found.value, found.n, unit="prompts", interval=found.interval, note=note), each)


def r_precision_score(who: Who, videos: Tensor, texts: Tensor, prompts: Sequence[str]) -> Measurement:
    values = text_video.r_precision(videos, texts, prompts)
    found = clustered_mean(values.tolist(), prompts)
    among = text_video.candidates(prompts)
    note = f"among {among} captions; chance is {1 / among:.3g}"
    score = who.score(found.value, found.n, unit="prompts", interval=found.interval, note=note)
    return Measurement(score, tuple(values.tolist()))


def compute_clipsim(inputs: Inputs) -> Measurement:
    prompts, known = inputs.prompts(), inputs.captioned
    real = None if known is None else float(known.nanmean())
    return clipsim_score(inputs.who, inputs.rows, inputs.texts(prompts), prompts, real)


def compute_rm(inputs: Inputs) -> Measurement:
    prompts, known = inputs.prompts(), inputs.captioned
    values = {} if known is None else dict(zip(dict.fromkeys(prompts), known.tolist(), strict=True))
    real = {prompt: value for prompt, value in values.items() if value == value}
    made = text_video.clipsim(inputs.rows, inputs.texts(prompts)).tolist()
    return rm_score(inputs.who, made, prompts, real)


def compute_r_precision(inputs: Inputs) -> Measurement:
    prompts = inputs.prompts()
    return r_precision_score(inputs.who, inputs.rows, inputs.texts(prompts), prompts)


METRICS = (
    Metric(name="clipsim", direction="higher", compute=compute_clipsim, gathers="frames", kind="text", order=60),
    Metric(
        name="rm", direction="higher", compute=compute_rm, gathers="frames", kind="text", real=True, captioned=True,
        order=70,
    ),
    Metric(
        name="r-precision", direction="higher", compute=compute_r_precision, gathers="videos", kind="text", order=80
    ),
)  # fmt: skip
